"""How runs went, as numbers that can be added up: by day, by cadence, over any stretch of time.

Durations are kept as a histogram whose bounds grow by 2 %, so any percentile is true within 1 %, however many
runs there were, and two histograms are merged by adding. Count, sum, least and most are exact.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GROWTH = 1.02
_LOG = math.log(GROWTH)
# Below a millisecond nobody minds.
_LEAST = 0.001
_BARS = "▁▂▃▄▅▆▇█"
WELL = frozenset({"ok", "skipped"})


@dataclass(slots=True)
class Histogram:
    """How long things took: durations counted in buckets that grow by 2 %."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.total += seconds
        self.least, self.most = min(self.least, seconds), max(self.most, seconds)
        self.buckets[math.ceil(math.log(max(seconds, _LEAST)) / _LOG)] += 1

    def merge(self, other: Histogram) -> None:
        """All of another's as well."""
        self.count += other.count
        self.total += other.total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.buckets.update(other.buckets)

    def rank(self, share: float) -> float:
        """The value that this share of them does not exceed, by nearest rank."""
        if not self.count:
            return 0.0
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                middle: float = 2 * GROWTH**bucket / (GROWTH + 1)
                return min(max(middle, self.least), self.most)
        return self.most

    def dump(self) -> dict[str, Any]:
        """As an object for a file."""
        buckets = {str(key): count for key, count in sorted(self.buckets.items())}
        least = None if math.isinf(self.least) else self.least
        return {"count": self.count, "sum": self.total, "min": least, "max": self.most, "buckets": buckets}

    @classmethod
    def load(cls, said: Mapping[str, Any]) -> Self:
        """Read one back; KeyError, TypeError or ValueError where it is none."""
        least = math.inf if said["min"] is None else float(said["min"])
        buckets = Counter({int(key): int(count) for key, count in said["buckets"].items()})
        return cls(int(said["count"]), float(said["sum"]), least, float(said["max"]), buckets)


@dataclass(slots=True)
class Streaks:
    """Good and bad ends in a row, so that two stretches of time can be put behind each other.

    A length is positive for good ends, negative for bad ones.
    """

    first: int = 0
    last: int = 0
    best: int = 0
    worst: int = 0
    # Whether all there is is one streak: then first and last are the same one.
    whole: bool = True

    def add(self, *, well: bool) -> None:
        """One more end."""
        self.merge(Streaks(*((1, 1, 1, 0) if well else (-1, -1, 0, 1))))

    def merge(self, later: Streaks) -> None:
        """What came after."""
        if not later.last:
            return
        if not self.last:
            self.first, self.last, self.whole = later.first, later.last, later.whole
            self.best, self.worst = later.best, later.worst
            return
        joined = self.last + later.first if self.last * later.first > 0 else 0
        if joined and self.whole:
            self.first = joined
        self.last = joined if joined and later.whole else later.last
        self.whole = self.whole and later.whole and joined != 0
        self.best = max(self.best, later.best, joined)
        self.worst = max(self.worst, later.worst, -joined)


@dataclass(slots=True)
class Figures:
    """How the runs of one cadence went."""

    classes: Counter[str] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=Histogram)
    waited: Histogram = field(default_factory=Histogram)
    turns: int = 0
    usd: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    streaks: Streaks = field(default_factory=Streaks)

    @property
    def runs(self) -> int:
        """How many."""
        return self.classes.total()

    @property
    def well(self) -> int:
        """How many ended well; a guard that found nothing to do is no failure."""
        return sum(self.classes[klass] for klass in WELL)

    def merge(self, later: Figures) -> None:
        """Those of a later stretch of time as well."""
        self.classes.update(later.classes)
        self.seconds.merge(later.seconds)
        self.waited.merge(later.waited)
        self.turns += later.turns
        self.usd += later.usd
        self.tokens.update(later.tokens)
        self.streaks.merge(later.streaks)

    def dump(self) -> dict[str, Any]:
        """As an object for a file."""
        streaks = self.streaks
        return {
            "classes": dict(self.classes),
            "seconds": self.seconds.dump(),
            "waited": self.waited.dump(),
            "turns": self.turns,
            "usd": self.usd,
            "tokens": dict(self.tokens),
            "streaks": [streaks.first, streaks.last, streaks.best, streaks.worst, streaks.whole],
        }

    @classmethod
    def load(cls, said: Mapping[str, Any]) -> Self:
        """Read them back; KeyError, TypeError or ValueError where they are none."""
        *lengths, whole = said["streaks"]
        first, last, best, worst = map(int, lengths)
        return cls(
            classes=Counter({str(key): int(count) for key, count in said["classes"].items()}),
            seconds=Histogram.load(said["seconds"]),
            waited=Histogram.load(said["waited"]),
            turns=int(said["turns"]),
            usd=float(said["usd"]),
            tokens=Counter({str(key): int(count) for key, count in said["tokens"].items()}),
            streaks=Streaks(first, last, best, worst, bool(whole)),
        )


def summed(parts: Iterable[Figures]) -> Figures:
    """All of them together, in the order of time."""
    whole = Figures()
    for part in parts:
        whole.merge(part)
    return whole


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, a dot where there is none."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join("·" if value is None else _bar(value, top) for value in values)


def _bar(value: float, top: float) -> str:
    share = 0.0 if top <= 0 else min(1.0, value / top)
    return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]
