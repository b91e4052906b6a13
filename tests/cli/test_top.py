"""`cadence top`, driven by keys in a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SHELL_ENDED = b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A terminal with `cadence top` in it, and what a person sees there."""

    def __init__(self, home: Path, environment: dict[str, str], columns: int, *words: str) -> None:
        self.screen, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.resize(columns)
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("cadence"), "top", *words],
            env=environment | {"TERM": "xterm-256color"},
            cwd=home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self.seen = b""

    def resize(self, columns: int, lines: int = 30) -> None:
        """Make the window so large."""
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> str:
        """Take in what was drawn; the last whole frame, without colours."""
        with contextlib.suppress(OSError):
            while select.select([self.screen], [], [], 0)[0]:
                chunk = os.read(self.screen, 1 << 16)
                if not chunk:
                    break
                self.seen += chunk
        frames = self.seen.decode("utf-8", "replace").split("\x1b[H")
        whole = [frame for frame in frames if frame.rstrip().endswith("\x1b[J")]
        return ESCAPES.sub("", whole[-1]) if whole else ""

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.screen, keys.encode())

    def left_clean(self) -> bool:
        """Whether the other screen was left, the cursor shown, the modes put back."""
        self.read()
        return self.seen.rstrip().endswith(SHELL_ENDED) and termios.tcgetattr(self._theirs) == self.before

    def close(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(timeout=10)
        os.close(self.screen)
        os.close(self._theirs)


@pytest.fixture
def top(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """Open terminals with `cadence top` in them."""
    opened: list[Terminal] = []

    def start(columns: int = 80, *words: str) -> Terminal:
        opened.append(Terminal(home, environment, columns, *words))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def test_hands_on_a_live_bus(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    top: Callable[..., Terminal],
    eventually: Eventually,
) -> None:
    """What runs and says, its log, a filter, a pause and its end, a kill, help; q leaves it clean."""
    define("long", "echo still at it; sleep 60")
    define("other")
    consumer()
    enqueue("other", "--in", "2h")
    tick = enqueue("long")
    screen = top(120)
    eventually(lambda: "still at it" in screen.read(), message="the run's last word")
    assert "1 of 2 taken" in screen.read()
    assert "deferred" in screen.read().split("IN  CADENCE")[1]
    screen.press("l")
    eventually(lambda: f"{tick}.1" in screen.read() and "any key goes back" in screen.read())
    screen.press(" ")
    eventually(lambda: "q quit" in screen.read())
    screen.press("?")
    eventually(lambda: "retry the dead letters" in screen.read())
    screen.press("q")
    eventually(lambda: "q quit" in screen.read())
    screen.press("/oth\r")
    eventually(lambda: "only 'oth'" in screen.read() and "still at it" not in screen.read())
    screen.press("p")
    hold = home / "state" / "holds" / "cadence-other.paused.json"
    eventually(hold.exists, message="other is paused")
    eventually(lambda: "other is paused until" in screen.read())
    screen.press("p")
    eventually(lambda: not hold.exists(), message="and released")
    screen.press("\x1b")
    eventually(lambda: "still at it" in screen.read())
    screen.press("xn")
    eventually(lambda: "(y/n)" not in screen.read() and "q quit" in screen.read())
    screen.press("x")
    eventually(lambda: "kill the run of long? (y/n)" in screen.read())
    screen.press("y")
    eventually(lambda: list((home / "state" / "done").rglob("*-long-*")), message="killed and settled")
    screen.press("q")
    assert screen.process.wait(timeout=10) == 0
    assert screen.left_clean()


def test_dead_letters_are_retried_by_a_key(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    top: Callable[..., Terminal],
    eventually: Eventually,
) -> None:
    """After a question."""
    define("bad", "exit 3", retries=0)
    enqueue("bad")
    cadence("run", "--drain", "--quiet")
    screen = top()
    eventually(lambda: "cadence dead --cadence bad" in screen.read())
    assert "▸" in screen.read(), "the chosen row is seen without colours, too"
    screen.press("R")
    eventually(lambda: "retry 1 dead letter of bad? (y/n)" in screen.read())
    screen.press("y")
    (retried,) = eventually(lambda: list((home / "state" / "inbox").iterdir()))
    assert "retry_of" in json.loads(retried.read_text())
    eventually(lambda: "bad: 1 retried" in screen.read())


def test_a_window_that_changes_is_filled_anew(
    home: Path, top: Callable[..., Terminal], eventually: Eventually
) -> None:
    """Wide, narrow, tiny: no line is wider than the window, no frame higher."""
    screen = top(200)
    eventually(lambda: "q quit" in screen.read())
    for columns, lines in ((80, 24), (20, 4), (1, 1), (120, 40)):
        screen.resize(columns, lines)
        screen.seen = b""
        os.kill(screen.process.pid, signal.SIGWINCH)
        frame = eventually(screen.read, message=f"a frame of {columns} columns").split("\r\n")
        assert len(frame) <= lines
        assert max(map(len, frame)) <= columns


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)]
)
def test_a_signal_leaves_the_terminal_clean(
    top: Callable[..., Terminal], eventually: Eventually, number: signal.Signals, code: int
) -> None:
    """Killed by an operator, a closed window, Ctrl-C."""
    screen = top()
    eventually(lambda: "q quit" in screen.read())
    screen.process.send_signal(number)
    assert screen.process.wait(timeout=10) == code
    assert screen.left_clean()


def test_a_ctrl_z_that_stops_nobody_takes_the_terminal_again(
    top: Callable[..., Terminal], eventually: Eventually
) -> None:
    """Without a shell above it the kernel does not stop it; the screen is there again."""
    screen = top()
    eventually(lambda: "q quit" in screen.read())
    screen.process.send_signal(signal.SIGTSTP)
    eventually(lambda: SHELL_ENDED in screen.seen or not screen.read(), message="the terminal was given back")
    screen.seen = b""
    screen.press("?")
    eventually(lambda: "any key goes back" in screen.read())


def test_what_is_no_terminal_gets_a_clear_word(cadence: Cadence) -> None:
    """Exit 64, and what to type instead."""
    ended = cadence("top")
    assert ended.returncode == 64
    assert ended.stderr == "cadence: top wants a terminal; try: cadence status, or cadence status --json\n"


def test_a_half_broken_home_is_shown_all_the_same(
    home: Path, top: Callable[..., Terminal], eventually: Eventually
) -> None:
    """Torn settings, a hold that is none, folders that are gone."""
    (home / "cadence.yaml").write_text("max_sessions: [\n")
    (home / "state" / "holds" / "cadence-x.auth.json").write_text("\x00")
    (home / "state" / "inbox").rmdir()
    (home / "state" / "dead").rmdir()
    screen = top()
    eventually(lambda: "cadence.yaml" in screen.read())
    screen.press("jkpxRls? /\x1bq")
    screen.press("q")
    assert screen.process.wait(timeout=10) == 0
    assert b"Traceback" not in screen.seen


@pytest.mark.slow
def test_ten_thousand_waiting_cost_next_to_nothing(
    home: Path, define: Define, top: Callable[..., Terminal], eventually: Eventually
) -> None:
    """Under two percent of a core, seen for five seconds."""
    define("work")
    for n in range(10_000):
        name = f"5-20261121T023000.{n:06d}Z-work-7f3k9q2m.json"
        (home / "state" / "inbox" / name).write_text('{"cadence": "work"}')
    screen = top(120)
    eventually(lambda: "10000" in screen.read())

    def spent() -> float:
        facts = Path(f"/proc/{screen.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")

    # The first looks read what the later ones need not.
    eventually(lambda: spent() > 0)
    until, before = time.monotonic() + 5, spent()
    eventually(lambda: screen.read() and time.monotonic() > until, within=10)
    assert spent() - before < 5 * 0.02 + 0.1
