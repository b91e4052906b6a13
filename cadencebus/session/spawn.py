"""How a shim starts its command: found on the run's PATH, in its own group, with default signal handling."""

from __future__ import annotations

import errno
import functools
import os
import signal
import stat

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG}


def find(program: str, path: str) -> str:
    """Search the run's own PATH; EACCES tells of a file that is there but not executable."""
    if "/" in program:
        return program
    candidates = [f"{folder or '.'}/{program}" for folder in path.split(os.pathsep)] if program else []
    for candidate in candidates:
        # Most folders don't have it: one call is all that they cost.
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return _looked_at_closely(program, candidates)


def _looked_at_closely(program: str, candidates: list[str]) -> str:
    """Look again: `access` says no where the disk is in trouble, too, and that is no missing program."""
    missing: OSError = FileNotFoundError(errno.ENOENT, "not found in PATH", program)
    for candidate in candidates:
        try:
            if not stat.S_ISREG(os.stat(candidate).st_mode):
                continue
        except OSError as error:
            if error.errno in _NOT_THERE:
                continue
            raise
        if os.access(candidate, os.X_OK):
            return candidate
        missing = PermissionError(errno.EACCES, "not executable", candidate)
    raise missing


def start(program: str, argv: list[str], env: dict[str, str], files: list[int]) -> int:
    """Start it as the leader of its own group, with three descriptors and default signal handling."""
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(files)],
        setpgroup=0,
        setsigmask=[],
        setsigdef=all_signals(),
    )


@functools.cache
def all_signals() -> frozenset[int]:
    """Every signal that can be set to its default, as plain numbers, asked for once for all shims."""
    return frozenset(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
