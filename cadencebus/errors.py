"""The error tree. Each error has an exit code (sysexits) and, where one is known, a next step.

CadenceError 1
├─ Usage 64           the command line is wrong
├─ BadData 65         a tick, a file, a line that can't be what it claims to be
├─ NoSuch 66          no such cadence, no such tick
├─ CantCreate 73      refused; nothing is visible
├─ IOTrouble 74       don't know whether it happened
├─ TryLater 75        queue full, no slot, a consumer is already there
├─ NotPermitted 77    somebody else's file
└─ Misconfigured 78   the home, a cadence or the settings need a person
"""

from __future__ import annotations

# No error: what a shell makes of a Ctrl-C.
INTERRUPTED = 130


class CadenceError(Exception):
    """Something a person should read as one line, with what to do next."""

    exit_code = 1
    # What another program said of it, line by line.
    said: tuple[str, ...] = ()

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} ({self.next_step})" if self.next_step else self.message


class Usage(CadenceError):
    """The command line is wrong."""

    exit_code = 64


class BadData(CadenceError):
    """Something that can't be what it claims to be."""

    exit_code = 65


class NoSuch(CadenceError):
    """No such cadence or tick."""

    exit_code = 66


class CantCreate(CadenceError):
    """Refused; nothing is visible."""

    exit_code = 73


class IOTrouble(CadenceError):
    """An error after the point of no return: it may or may not have happened."""

    exit_code = 74


class TryLater(CadenceError):
    """Not now: the queue is full, no slot is free, another consumer is at work."""

    exit_code = 75


class NotPermitted(CadenceError):
    """The file system or the operating system says no."""

    exit_code = 77


class Misconfigured(CadenceError):
    """The home, a cadence or the settings need a person."""

    exit_code = 78
