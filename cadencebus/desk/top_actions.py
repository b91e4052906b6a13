"""What the keys of `cadence top` do: the same as the verbs, answered in one line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import dead_letters, dead_retry, holding, killing
from cadencebus.desk.lookup import find
from cadencebus.model.hold import OPERATOR, Hold, on_cadence
from cadencebus.store import runs
from cadencebus.store.config import settings_or_default
from cadencebus.store.memory import Memories
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

_LOG_READ = 1 << 16


class Actions:
    """Pauses, resumes, kills, retries, reads logs."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._settings, _ = settings_or_default(home)

    def pause_or_resume(self, cadence: str) -> str:
        """Release whatever holds this cadence alone; where nothing does, hold it."""
        now, scope = time.time(), on_cadence(cadence)
        mine = [hold for hold in holding.held(self._home, now) if hold.scope == scope and not hold.over(now)]
        if mine:
            released = holding.release(self._home, mine)
            return f"{cadence}: released {', '.join(one.reason for one in released)}"
        hold = Hold(scope=scope, reason="paused", since=now, detail="from cadence top", by=OPERATOR)
        holding.put(self._home, hold)
        return f"{cadence} is paused until p is pressed again, or `cadence resume {cadence}`"

    def kill(self, tick: str) -> str:
        """Ask for the end of a run; its shim and the consumer see to it."""
        found = find(self._home, tick)
        run = killing.live_run(self._home, found) if found.state == "claimed" else None
        if run is None:
            return f"{found.name.cadence}: nothing of it is alive any more"
        first = killing.end(run, requeue=False, detail="cadence top")
        return f"{run.id} is being ended" + ("" if first else ", as was asked before")

    def retry(self, cadence: str) -> str:
        """Make new ticks of a cadence's dead letters."""
        with dead_letters.alone(self._home):
            letters = dead_letters.matching(self._home, cadence=cadence)
            retried = list(dead_retry.retry(self._home, letters, time.time()))
        return f"{cadence}: {dead_retry.spell(retried)}"

    def last_run(self, cadence: str) -> str | None:
        """The id of the run that a cadence had last."""
        last = Memories(self._home).cadence(cadence, time.time(), mend=False).last_run.get("run")
        return last if isinstance(last, str) else None

    def log(self, run_id: str) -> list[str]:
        """The end of a run's log, as people read it."""
        run = runs.named(self._home, run_id)
        if run is None:
            return []
        stream = self._settings.stream_of(runs.record(run).get("runner"))
        said = runs.tail(run.file("stdout.log"), _LOG_READ).splitlines()
        wrong = runs.tail(run.file("stderr.log"), _LOG_READ).splitlines()
        shown = [text for line in said for text in render(stream, line)]
        shown += [f"! {text}" for line in wrong for text in render("plain", line)]
        return [text.replace("\t", "    ") for text in shown] or ["it has printed nothing yet"]
