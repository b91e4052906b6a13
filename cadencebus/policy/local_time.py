"""Wall clocks: what one shows at an instant, and when it will show a time of day.

`zone` is the name of a time zone; None is the machine's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def local(t: float, zone: str | None) -> datetime:
    """What the clock shows at an instant; without a zone where it is the machine's."""
    return datetime.fromtimestamp(t, ZoneInfo(zone) if zone else None)


def next_time(
    now: float, zone: str | None = None, *, hour: int = 0, minute: int = 0, second: int = 0
) -> float:
    """The next instant at which the clock shows this time of day; never now."""
    here = local(now, zone)
    # It stays in the pass of a repeated hour that it is in, and has the offset of its own moment, not of now.
    # No `astimezone()` on the way: that forgets the pass, and puts what clocks skip before the skip.
    then = here.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (then if then > here else then + timedelta(days=1)).timestamp()
