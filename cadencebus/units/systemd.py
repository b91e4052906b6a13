"""User units for systemd: the consumer as a service, and a timer with its service for each cadence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cadencebus.model.duration import in_digits
from cadencebus.units.oncalendar import every_on_calendar, on_calendar
from cadencebus.units.seal import seal
from cadencebus.units.site import Inexpressible, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.units.site import Producer, Site

_BACKSLASH = "\\"
_UNSAFE = frozenset("\"'\\")
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def unit_name(site: Site, cadence: str | None = None) -> str:
    """The name of a unit, without its suffix."""
    return f"cadencebus-{site.slug}" if cadence is None else f"cadencebus-{site.slug}-{cadence}"


def consumer(site: Site) -> Unit:
    """The consumer: restarted when it fails, and stopped alone."""
    lines = [
        "[Unit]",
        # A single backslash at the end would draw the next line in.
        f"Description=cadencebus consumer of {_literal(site.home).replace(_BACKSLASH, 2 * _BACKSLASH)}",
        # Never give up: a bus that stays down after a bad minute costs a night.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={_command((*site.program, 'run'))}",
        *_environment(site.environment),
        "Restart=on-failure",
        "RestartSec=5",
        # Another consumer is at work, or the configuration needs a person: starting again can't help.
        "RestartPreventExitStatus=75 78",
        # Sessions outlive the consumer; the next one adopts them.
        "KillMode=process",
        # A session that the kernel kills for its memory must not take the consumer along.
        "OOMPolicy=continue",
        "TimeoutStopSec=10",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return Unit(file=f"{unit_name(site)}.service", text=seal(lines))


def producer(site: Site, wanted: Producer) -> tuple[Unit, Unit]:
    """One cadence: a service that puts its tick in, and the timer that starts it."""
    name = unit_name(site, wanted.name)
    service = [
        "[Unit]",
        f"Description=cadencebus tick for {_literal(wanted.name)}",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_command(wanted.argv(site, 'systemd', delayed=False))}",
        *_environment({"CADENCE_HOME": site.home}),
    ]
    timer = [
        "[Unit]",
        f"Description=cadencebus timer for {_literal(wanted.name)}",
        "",
        "[Timer]",
        *_when(wanted),
        # The default lets a timer be a minute late.
        "AccuracySec=1s",
        *_jitter(wanted.jitter),
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return (
        Unit(file=f"{name}.service", text=seal(service)),
        Unit(file=f"{name}.timer", text=seal(timer), caveats=_caveats(wanted)),
    )


def _when(wanted: Producer) -> list[str]:
    if wanted.line is not None:
        events = on_calendar(wanted.line, wanted.zone)
    elif (every := wanted.every or 0.0) < 1:
        raise Inexpressible(f"systemd starts no service every {in_digits(every)} s")
    elif even := every_on_calendar(every):
        events = [even]
    else:
        # Counted from the timer's own start, then from the last firing: no calendar divides evenly.
        return [f"OnActiveSec={in_digits(every)}s", f"OnUnitActiveSec={in_digits(every)}s"]
    persistent = "false" if wanted.catch_up == "none" else "true"
    return [*(f"OnCalendar={event}" for event in events), f"Persistent={persistent}"]


def _jitter(jitter: float) -> list[str]:
    return [f"RandomizedDelaySec={in_digits(jitter)}s", "FixedRandomDelay=true"] if jitter else []


def _caveats(wanted: Producer) -> tuple[str, ...]:
    found = []
    if wanted.catch_up == "all":
        found.append("systemd makes up for missed firings with one: catch_up all is not kept")
    if wanted.every is not None and every_on_calendar(wanted.every) is None:
        found.append("an interval that divides no hour or day stands still while the machine sleeps")
    return tuple(found)


def _environment(variables: dict[str, str]) -> list[str]:
    return [f"Environment={_word(f'{name}={value}')}" for name, value in variables.items()]


def _command(words: Sequence[str]) -> str:
    if not _UNSAFE.isdisjoint(words[0]):
        raise Inexpressible(f"systemd starts no program with a quote or backslash in its path: {words[0]}")
    # The colon keeps systemd from putting variables in: our words are meant literally.
    return ":" + " ".join(_word(word) for word in words)


def _word(text: str) -> str:
    escaped = _literal(text)
    if _PLAIN.fullmatch(escaped.replace("%%", "")):
        return escaped
    quoted = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _literal(text: str) -> str:
    return text.replace("%", "%%")
