"""How a shim starts its command: found on its own PATH, in its own group, every signal as at birth."""

from __future__ import annotations

import errno
import functools
import os
import signal


def find(program: str, path: str) -> str:
    """Search the run's own PATH; EACCES tells of a file that is there but not executable."""
    if "/" in program:
        return program
    missing: OSError = FileNotFoundError(errno.ENOENT, "not found in PATH", program)
    for folder in path.split(os.pathsep) if program else ():
        candidate = f"{folder or '.'}/{program}"
        # Most folders don't have it: one call is all that they cost.
        if os.access(candidate, os.F_OK) and os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            missing = PermissionError(errno.EACCES, "not executable", candidate)
    raise missing


def spawn(program: str, argv: list[str], env: dict[str, str], files: list[int]) -> int:
    """Start it as the leader of its own group, with three descriptors and every signal as at birth."""
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(files)],
        setpgroup=0,
        setsigmask=[],
        setsigdef=signals(),
    )


@functools.cache
def signals() -> frozenset[int]:
    """Every signal that can be set to its default, as plain numbers, asked for once for all shims."""
    return frozenset(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
