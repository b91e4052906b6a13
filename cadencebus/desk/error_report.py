"""A command that failed: one line that says why and what to try, and the exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

from cadencebus.desk.stdio import silence_if_broken, to_stderr
from cadencebus.errors import INTERRUPTED, CadenceError, IOTrouble, Misconfigured, NotPermitted
from cadencebus.store.paths import here

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# EX_SOFTWARE: ours, not the operator's.
_BUG = 70


def report(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong and what to try next, with --debug also where; the exit code."""
    if debug:
        for line in traceback.format_exception(error):
            for part in line.splitlines():
                to_stderr(part)
    full = silence_if_broken(sys.stdout)
    # While a class was being made, Python has wrapped it in an error of its own.
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # The reader has seen enough (`cadence ls | head`): say nothing, and close quietly.
        return 0
    if isinstance(error, CadenceError):
        return _ours(error)
    if isinstance(error, OSError):
        return _the_systems(error, printing=full or _while_printing(error))
    to_stderr(f"cadence: {type(error).__name__}: {error} ({_place(error)}): a bug; --debug shows all of it")
    return _BUG


def _ours(error: CadenceError) -> int:
    _tell(error.message, error.next_step)
    for line in error.said:
        to_stderr(f"  | {line}")
    return error.exit_code


def _tell(what: str, next_step: str | None) -> None:
    """One line, so that it comes whole into a log or a mail."""
    to_stderr(f"cadence: {what}{f'; try: {next_step}' if next_step else ''}")


def _the_systems(error: OSError, *, printing: bool) -> int:
    if error.filename is None:
        try:
            here()
        except Misconfigured as gone:
            return _ours(gone)
    where = error.filename or ("standard output" if printing else "")
    next_step = (_as_owner(where) or "cadence doctor") if "/state/" in where else None
    if not where and error.errno in _NO_ROOM:
        # Of a write that finds no room the system does not say where.
        next_step = "cadence doctor, which says how much room is left"
    _tell(f"{where}{': ' if where else ''}{error.strerror or error}", next_step)
    return NotPermitted.exit_code if isinstance(error, PermissionError) else IOTrouble.exit_code


def _as_owner(path: str) -> str | None:
    """Who may do it, where the home is another user's."""
    try:
        owner = os.stat(path.partition("/state/")[0] + "/state").st_uid
    except OSError:
        return None
    if owner == os.geteuid():
        return None
    import pwd  # noqa: PLC0415 - only for a mistake

    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    return f"the home is {name}'s: sudo -u {name} cadence …"


def _while_printing(error: OSError) -> bool:
    """Whether printing failed: what is not buffered (PYTHONUNBUFFERED) is not there to fail again."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and "sys.stdout.write" in (frames[-1].line or "")


def _place(error: BaseException) -> str:
    """The file and line where it began."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "nowhere"
