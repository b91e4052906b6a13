"""A command that failed: one line that says why, what to try, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback

from cadencebus.desk.stdio import silence_if_broken, to_stderr
from cadencebus.errors import CadenceError, IOTrouble, NotPermitted

_INTERRUPTED = 130
# EX_SOFTWARE: ours, not the operator's.
_BUG = 70


def report(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong and what to try next, with --debug also where; the exit code."""
    if debug:
        for line in traceback.format_exception(error):
            for part in line.splitlines():
                to_stderr(part)
    full = silence_if_broken(sys.stdout)
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # The reader has seen enough (`cadence ls | head`): say nothing, and close quietly.
        return 0
    if isinstance(error, CadenceError):
        to_stderr(f"cadence: {error.message}")
        if error.next_step:
            to_stderr(f"  try: {error.next_step}")
        return error.exit_code
    if isinstance(error, OSError):
        where = error.filename or ("standard output" if full or _while_printing(error) else "")
        to_stderr(f"cadence: {where}{': ' if where else ''}{error.strerror or error}")
        if "/state/" in where:
            to_stderr("  try: cadence doctor")
        return NotPermitted.exit_code if isinstance(error, PermissionError) else IOTrouble.exit_code
    to_stderr(f"cadence: {type(error).__name__}: {error} ({_place(error)}): a bug; --debug shows all of it")
    return _BUG


def _while_printing(error: OSError) -> bool:
    """Whether printing failed: what is not buffered (PYTHONUNBUFFERED) is not there to fail again."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and "sys.stdout.write" in (frames[-1].line or "")


def _place(error: BaseException) -> str:
    """The file and line where it began."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "nowhere"
