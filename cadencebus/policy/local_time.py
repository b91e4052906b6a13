"""Wall clocks: what one shows at an instant, and when it will show a time of day.

`zone` is the name of a time zone; None is the machine's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def local(t: float, zone: str | None = None) -> datetime:
    """What the clock shows at an instant."""
    return datetime.fromtimestamp(t, ZoneInfo(zone)) if zone else datetime.fromtimestamp(t).astimezone()


def next_time(
    now: float, zone: str | None = None, *, hour: int = 0, minute: int = 0, second: int = 0
) -> float:
    """The next instant at which the clock shows this time of day; never now."""
    here = local(now, zone).replace(tzinfo=None)
    then = here.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if then <= here:
        then += timedelta(days=1)
    # The offset of that moment, not of now: a change to summer time may lie between.
    return (then.replace(tzinfo=ZoneInfo(zone)) if zone else then.astimezone()).timestamp()
