"""`cadence top`: the whole bus on one screen, live, with keys to act."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from cadencebus.desk.fullscreen import Ended, Fullscreen
from cadencebus.desk.options import Parser, a_duration
from cadencebus.desk.overview import Onlooker
from cadencebus.desk.top_actions import Actions
from cadencebus.desk.top_view import SORTS, Drawing, Row, View
from cadencebus.errors import CadenceError, Usage
from cadencebus.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.desk.context import Context
    from cadencebus.desk.overview import Overview
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence top                    then ? for the keys
  cadence top --interval 5s      over a slow line"""
# At most four redraws a second; and looks, which may take a sixtieth of the time, however long one takes.
_FRAME = 0.25
_INTERVAL = 1.0
_THRIFT = 60.0
_LONGEST = 30.0
_PAGE = 10
_SHELL = 128


def main(words: list[str], context: Context) -> int:
    """Show it until somebody has seen enough."""
    parser = Parser("top", "The whole bus, live: what runs, what waits and why; keys to act on it.", EXAMPLES)
    parser.add_argument(
        "--interval", type=a_duration, default=_INTERVAL, metavar="D", help="how often to look (1s)"
    )
    asked = parser.parse_args(words)
    home = context.home
    if context.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage("top wants a terminal", next_step="cadence status, or cadence status --json")
    try:
        with Fullscreen() as terminal:
            Top(home, terminal, max(_FRAME, asked.interval)).go()
    except Ended as ended:
        # Ctrl-C is how people leave such a program.
        return 0 if ended.number == signal.SIGINT else _SHELL + ended.number
    return 0


class Top:
    """Looks, draws, obeys keys."""

    def __init__(self, home: Home, terminal: Fullscreen, interval: float) -> None:
        self._onlooker = Onlooker(home)
        self._terminal = terminal
        self._interval = interval
        self._actions = Actions(home)
        self._view = View()
        self._drawing = Drawing(colour=not os.environ.get("NO_COLOR"))
        # Set by the first look, which comes before all else.
        self._seen: Overview
        self._sure: Callable[[], str] | None = None
        self._over = False

    def go(self) -> None:
        """Until a key or a signal ends it."""
        look_at = 0.0
        while self._goes_on():
            spent = time.process_time()
            looks = time.monotonic() >= look_at
            if looks:
                self._look()
            self._draw()
            drawn_at = time.monotonic()
            if looks:
                cost = time.process_time() - spent
                look_at = drawn_at + min(max(self._interval, _THRIFT * cost), _LONGEST)
            if self._hear(look_at):
                look_at = 0.0
            # What else is typed within one frame is drawn together.
            while (frame_end := drawn_at + _FRAME) > time.monotonic() and self._goes_on():
                self._hear(frame_end)

    def _goes_on(self) -> bool:
        return not self._over

    def _hear(self, until: float) -> bool:
        """Obey the keys that come; whether one of them wants another look at once."""
        wants = False
        for key in self._terminal.keys(until - time.monotonic()):
            wants = self._press(key) or wants
        return wants

    def _look(self) -> None:
        self._seen = self._onlooker.look()
        if self._view.mode == "log":
            self._view.log = self._actions.log(self._view.title)

    def _draw(self) -> None:
        self._terminal.draw(self._drawing.frame(self._seen, self._view, self._terminal.size, time.time()))

    def _rows(self) -> list[Row]:
        return self._view.rows(self._seen.facts)

    def _press(self, key: str) -> bool:
        view = self._view
        if self._sure is not None:
            self._answer(yes=key in {"y", "Y"})
        elif view.typing:
            self._type(key)
        elif view.mode != "bus":
            view.mode = "bus"
        else:
            view.message = ""
            self._command(key)
            return key == " "
        return False

    def _type(self, key: str) -> None:
        view = self._view
        if key == "enter":
            view.typing = False
        elif key == "escape":
            view.typing, view.filter = False, ""
        elif key == "rub out":
            view.filter = view.filter[:-1]
        elif key.isprintable() and len(key) == 1:
            view.filter += key

    def _command(self, key: str) -> None:
        view, rows = self._view, self._rows()
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -_PAGE, "page down": _PAGE}
        steps |= {"home": -len(rows), "end": len(rows)}
        if key == "q":
            self._over = True
        elif key in steps:
            view.move(rows, steps[key])
        elif key == "s":
            view.sort = SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)]
        elif key == "/":
            view.typing, view.filter = True, ""
        elif key == "escape":
            view.filter = ""
        elif key in {"?", "h"}:
            view.mode = "help"
        elif (row := view.selected(rows)) is not None:
            self._act(key, row)

    def _act(self, key: str, row: Row) -> None:
        view = self._view
        if key == "p":
            self._do(lambda: self._actions.pause_or_resume(row.cadence))
        elif key in {"l", "enter"}:
            self._open_log(row)
        elif key == "x" and row.tick is not None:
            tick = row.tick
            self._ask(f"kill the run of {row.cadence}?", lambda: self._actions.kill(tick))
        elif key == "R":
            dead = self._seen.facts.dead.cadences.get(row.cadence, 0)
            if dead:
                letters = count(dead, "dead letter")
                self._ask(f"retry {letters} of {row.cadence}?", lambda: self._actions.retry(row.cadence))
            else:
                view.message = f"{row.cadence} has no dead letters"

    def _open_log(self, row: Row) -> None:
        run = row.run or self._actions.last_run(row.cadence)
        if run is None:
            self._view.message = f"{row.cadence} never ran"
        else:
            self._view.mode, self._view.title = "log", run
            self._view.log = self._actions.log(run)

    def _ask(self, question: str, then: Callable[[], str]) -> None:
        self._view.question, self._sure = question, then

    def _answer(self, *, yes: bool) -> None:
        then, self._sure, self._view.question = self._sure, None, ""
        if yes and then is not None:
            self._do(then)

    def _do(self, what: Callable[[], str]) -> None:
        """Do it, and say in the last line what came of it."""
        try:
            self._view.message = what()
        except (CadenceError, OSError) as error:
            self._view.message = str(error)
        self._look()
