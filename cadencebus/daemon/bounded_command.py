"""Running the command of a gate, a probe or a notice: for a bounded time, nothing of it left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterator, Mapping, Sequence

_READ_AT_MOST = 1 << 16
_REAPED_WITHIN = 1.0
# Its standard input ends when we do, however that happens.
_LEASH = 'read -r _; kill -KILL -"$1"'


class Answer(NamedTuple):
    """How a command ended; `fault` says why there is no exit code."""

    code: int | None
    said: str
    fault: str = ""


async def run_bounded(
    argv: Sequence[str], *, within: float, cwd: str, env: Mapping[str, str], stdin: bytes = b""
) -> Answer:
    """Run a command to its end, or kill it when its time is up."""
    try:
        process = await _started(argv, cwd, env)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return Answer(None, "", f"{argv[0]} could not be started: {why}")
    try:
        with _leashed(process.pid):
            async with asyncio.timeout(within):
                said = await _talk(process, stdin)
                code = await process.wait()
    except TimeoutError:
        return Answer(None, "", f"{argv[0]} gave no answer within {within:g} s")
    else:
        return Answer(code, said.decode("utf-8", "replace"))
    finally:
        await _ended(process)


async def _started(argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Process:
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Its own group, so that it can be ended with whatever it started.
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Called off half-way, asyncio would end the leader alone, and wait for all that it has started.
        with contextlib.suppress(OSError, ValueError):
            await _ended(await starting)
        raise


async def _ended(process: Process) -> None:
    """Kill what is left of it, bury its leader, and let go of its pipes, which a grandchild may keep open."""
    _kill(process)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REAPED_WITHIN):
            await process.wait()
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way


@contextlib.contextmanager
def _leashed(group: int) -> Iterator[None]:
    """Have a group killed should we be killed ourselves: who hangs would do so under nobody, for ever."""
    try:
        leash = subprocess.Popen(  # noqa: S603 - our own line
            ["/bin/sh", "-c", _LEASH, "leash", str(group)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        # Rather without it than not at all.
        yield
        return
    with leash:
        try:
            yield
        finally:
            leash.kill()


async def _talk(process: Process, stdin: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        return b""
    with contextlib.suppress(ConnectionError):
        # A command that does not read its input is no fault, and must not be waited for.
        process.stdin.write(stdin)
        process.stdin.close()
    said = b""
    while chunk := await process.stdout.read(_READ_AT_MOST):
        said = (said + chunk)[-_READ_AT_MOST:]
    return said


def _kill(process: Process) -> None:
    """Kill what is left of its group; as long as somebody holds the pipe, its number is nobody else's."""
    if process.returncode is None or (process.stdout is not None and not process.stdout.at_eof()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
