"""A home at one moment, as the verbs look at it: settings, cadences, holds, queues, what runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cadencebus.daemon import consumer_note
from cadencebus.desk.filecache import FileCache
from cadencebus.desk.holding import held
from cadencebus.desk.lookup import TICK_FILE, names
from cadencebus.model.hold import BUS, on_cadence, on_credentials
from cadencebus.model.naming import name_in, parse_name
from cadencebus.store import files, lock
from cadencebus.store.config import settings_or_default
from cadencebus.store.memory import Memories
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.model.hold import Hold
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home


class Snapshot:
    """What was so when it was taken; only cadences and memories are read when they are asked for."""

    def __init__(self, home: Home, now: float, *, before: Snapshot | None = None) -> None:
        """Take it; of `before`, a former one, all is kept that did not change since."""
        self.home = home
        self.now = now
        self.cache: FileCache = before.cache if before else FileCache()
        settings: tuple[Settings, str | None] = self.cache.get(
            "settings", (home.settings,), lambda: settings_or_default(home)
        )
        self.settings, self.problem = settings
        kept = before is not None and before.settings is self.settings
        self.prompts: Prompts = (
            before.prompts if before and kept else Prompts(home, lambda: settings[0].defaults)
        )
        self.memory: Memories = before.memory if before else Memories(home)
        # Folders that we may not read: they are reported, or they would look empty.
        self.unseen: list[str] = []
        try:
            self.holds = [hold for hold in held(home, now) if not hold.over(now)]
        except OSError as error:
            self.holds = []
            self.unseen.append(f"holds/: {error.strerror}")
        self._by_scope: dict[str, list[Hold]] = {}
        for hold in self.holds:
            self._by_scope.setdefault(hold.scope, []).append(hold)
        self.stopped = _is_there(home.stop)
        self.consumed = _consumed(home)
        self.consumer = consumer_note.look(home, now, alive=self.consumed)
        try:
            queues: _Queues = self.cache.get("inbox", (home.inbox,), lambda: _queues(home))
        except OSError as error:
            queues = _Queues({}, Counter(), {}, 0)
            self.unseen.append(f"state/inbox: {error.strerror}")
        self.heads, self.counts, self.oldest, self.arriving = queues
        self.running = _running(home)

    @property
    def slots(self) -> int:
        """How many sessions may run at once: a consumer at work may have been told otherwise than we."""
        said = self.consumer.slots if self.consumed else None
        return self.settings.max_sessions if said is None else said

    def holds_on(self, cadence: str, credentials: str | None = None) -> list[Hold]:
        """The holds that cover a cadence; without its credentials only those that are its own."""
        wide = () if credentials is None else (BUS, on_credentials(credentials))
        return [hold for scope in (on_cadence(cadence), *wide) for hold in self._by_scope.get(scope, ())]


def _running(home: Home) -> Counter[str]:
    try:
        return Counter(name.cadence for file in names(home, "claimed") if (name := name_in(file)))
    except OSError:
        # An error here is reported to those who list what runs.
        return Counter()


def _is_there(path: str) -> bool:
    try:
        return files.exists(path)
    except OSError:
        return False


def _consumed(home: Home) -> bool:
    """Whether somebody holds the lock; where not even that can be asked, nobody works there either."""
    try:
        return lock.is_held(home)
    except OSError:
        return False


class _Queues(NamedTuple):
    """What is ready in inbox/, by cadence: the next file, how many there are, the oldest stamp."""

    heads: dict[str, str]
    counts: Counter[str]
    oldest: dict[str, str]
    # Files that a consumer has not looked at and named yet.
    arriving: int


def _queues(home: Home) -> _Queues:
    heads: dict[str, str] = {}
    counts: Counter[str] = Counter()
    oldest: dict[str, str] = {}
    arriving = 0
    for file in names(home, "inbox"):
        looks = TICK_FILE.fullmatch(file)
        if looks is None:
            arriving += file.endswith(".json") and not file.startswith(".")
            continue
        cadence, stamp = looks["cadence"], looks["stamp"]
        head, first = heads.get(cadence, "~"), oldest.get(cadence, "~")
        # There may be a million of them: only what would be told of by name is taken apart.
        if (file < head or stamp < first) and parse_name(file) is None:
            arriving += 1
            continue
        heads[cadence], oldest[cadence] = min(file, head), min(stamp, first)
        counts[cadence] += 1
    return _Queues(heads, counts, oldest, arriving)
