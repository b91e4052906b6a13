"""A terminal taken whole, and given back as it was: at a signal, an exception, or for a while (Ctrl-Z)."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

# The other screen and no cursor; and back.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_LIVING = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|.", re.DOTALL)
NAMES = (
    {"\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down"}
    | {"\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end"}
    | {"\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "rub out", "\b": "rub out"}
)


class Ended(Exception):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Fullscreen:
    """The terminal of standard input and output; keys come one by one, frames are drawn whole."""

    def __init__(self) -> None:
        self._stdin, self._stdout = sys.stdin.fileno(), sys.stdout.fileno()
        self._before = termios.tcgetattr(self._stdin)
        self._handlers: dict[int, object] = {}
        self._drawn = ""
        self._bell: tuple[int, int] = (-1, -1)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._bell = os.pipe()
        for fd in self._bell:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
        for number in (*_ENDING, *_LIVING):
            self._handlers[number] = signal.signal(number, _heard)
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back, whatever happened."""
        with contextlib.suppress(OSError, termios.error):
            self._give_back()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        for fd in self._bell:
            os.close(fd)

    def _take(self) -> None:
        mode = termios.tcgetattr(self._stdin)
        # Keys at once and unseen; Ctrl-C and Ctrl-Z are signals still.
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, mode)
        self._write(_ENTER)
        self._drawn = ""

    def _give_back(self) -> None:
        self._write(_LEAVE)
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, self._before)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            size = os.get_terminal_size(self._stdout)
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def draw(self, frame: str) -> None:
        """Show these lines; nothing is sent where nothing changed."""
        if frame != self._drawn:
            self._drawn = frame
            # Each line is cleared behind its end instead of the screen before: nothing flickers.
            self._write("\x1b[H" + frame.replace("\n", "\x1b[K\n") + "\x1b[K\x1b[J")

    def keys(self, within: float) -> Iterator[str]:
        """The keys pressed within this time; a new size ends the wait, a signal to end raises Ended."""
        ready, _, _ = select.select([self._stdin, self._bell[0]], [], [], max(0.0, within))
        if self._bell[0] in ready:
            self._heed(os.read(self._bell[0], 64))
        if self._stdin in ready:
            data = os.read(self._stdin, 1024)
            if not data:
                raise Ended(signal.SIGHUP)
            for key in _KEY.findall(data.decode("utf-8", "replace")):
                yield NAMES.get(key, key)

    def _heed(self, numbers: bytes) -> None:
        for number in numbers:
            if number in _ENDING:
                raise Ended(number)
            if number == signal.SIGTSTP:
                self._sleep()
            else:
                self._drawn = ""
            if number == signal.SIGCONT:
                self._take()

    def _sleep(self) -> None:
        """Stop as any program does at Ctrl-Z, with the terminal given back meanwhile."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, _heard)
        # Also where nothing stopped: without a shell above it, a program is not stopped by this signal.
        self._take()

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._stdout, data) :]


def _heard(*_: object) -> None:
    """Do nothing here: the signal's number waits in the pipe, and is read between two frames."""
