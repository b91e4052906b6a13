"""Lines for a crontab: the consumer at boot, and one line for each cadence that cron can fire."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from cadencebus.model.cronline import runs
from cadencebus.model.duration import in_digits
from cadencebus.units.seal import seal
from cadencebus.units.site import Inexpressible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cadencebus.model.cronline import CronLine
    from cadencebus.units.site import Producer, Site

# Debian's cron and cronie cut commands at 998 bytes, silently.
_LONGEST = 998
_STARRED = re.compile(r"\*(/\d+)?(,(\*(/\d+)?|\d+|\d+-\d+(/\d+)?))*")
_DAY = 86400


def crontab(site: Site, producers: Sequence[Producer]) -> str:
    """The lines of this home, to stand between its markers; Inexpressible for a cadence to be left out."""
    return seal([consumer_line(site), *(producer_line(site, producer) for producer in producers)])


def consumer_line(site: Site) -> str:
    """At boot, under `cadence up`: cron itself restarts nothing."""
    # Assignments of the crontab itself would reach every line below ours; these reach one command.
    setting = [f"{name}={_word(value)}" for name, value in site.environment.items()]
    log = _word(f"{site.logs}/consumer.log")
    return _checked(f"@reboot {' '.join([*setting, _command((*site.program, 'up'))])} >>{log} 2>&1")


def producer_line(site: Site, producer: Producer) -> str:
    """One cadence; what it prints is dropped, what goes wrong cron mails."""
    when = _when(producer)
    command = _command(producer.argv(site, "cron"))
    return _checked(f"{when} CADENCE_HOME={_word(site.home)} {command} >/dev/null")


def caveats(producer: Producer) -> tuple[str, ...]:
    """The promises of a cadence that cron does not keep."""
    if producer.catch_up == "none":
        return ()
    return (f"cron makes up for nothing that it missed: catch_up {producer.catch_up} is not kept",)


def _when(producer: Producer) -> str:
    if producer.zone is not None:
        # CRON_TZ is cronie's: Debian's cron ignores it, and where it works it reaches the lines below.
        raise Inexpressible(f"cron knows only the machine's own time zone, not {producer.zone}")
    if producer.line is not None:
        return cron_fields(producer.line)
    return _interval_fields(producer.every or 0.0)


def cron_fields(line: CronLine) -> str:
    """The five fields as every cron reads them: numbers for names, no field of another dialect."""
    if line.last_day or line.last_workday or line.nth_weekdays:
        raise Inexpressible(f"cron can't say {line.text!r}: it knows no last or n-th day")
    sets = (line.minutes, line.hours, line.days, line.months, line.weekdays)
    return " ".join(_field(text, values) for text, values in zip(line.fields, sets, strict=True))


def _field(text: str, values: Iterable[int]) -> str:
    # The star in front has a meaning of its own: it decides about summer time, and about day and weekday.
    if text.startswith("*"):
        if not _STARRED.fullmatch(text):
            raise Inexpressible(f"cron can't say {text!r}")
        return text
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(values))


def _interval_fields(every: float) -> str:
    minutes, odd = divmod(every, 60)
    if not odd and minutes and 60 % minutes == 0:
        return {1: "* * * * *", 60: "0 * * * *"}.get(int(minutes), f"*/{minutes:g} * * * *")
    hours, odd = divmod(every, 3600)
    if not odd and hours and 24 % hours == 0:
        return "0 0 * * *" if every == _DAY else f"0 */{hours:g} * * *"
    raise Inexpressible(
        f"cron can't say every {in_digits(every)} s: only what divides an hour or a day evenly"
    )


def _command(words: Iterable[str]) -> str:
    return " ".join(_word(word) for word in words)


def _word(text: str) -> str:
    """Quote for the shell, and around each % for cron, to which it means a line break."""
    if "\\" in text:
        # Before a % some crons take the backslash away and some leave it.
        raise Inexpressible(f"no two crons read a backslash alike: {text!r}")
    # Outside the quotes: whether cron strips the backslash or leaves it to the shell, a % arrives.
    return r"\%".join(shlex.quote(part) if part or part == text else "" for part in text.split("%"))


def _checked(line: str) -> str:
    if (size := len(line.encode())) > _LONGEST:
        raise Inexpressible(f"cron takes {_LONGEST} bytes a line, not {size}: shorten PATH")
    return line
