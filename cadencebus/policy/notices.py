"""What a person is told: one notice an incident, and one more when it is over.

An incident begins with a line of the journal and ends with another one. A hold that only time or a
person ended has not proved anything: where a run can, the incident lasts until one has ended well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.model.hold import on_cadence, on_credentials, parse_hold_name
from cadencebus.model.legible import one_line
from cadencebus.model.notice_presets import PRESETS, Preset

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cadencebus.model.settings import Notice

# Holds that are everyday, or that somebody wanted, or of which another event tells.
_QUIET = frozenset(
    {
        "backoff",
        "active_hours",
        "exclusive",
        "pressure",
        "load",
        "memory",
        "paused",
        "circuit_open",
        "resources",
    }
)
# Holds whose end proves nothing; the next good run does.
_PROVED_BY_A_RUN = frozenset({"auth", "billing", "rate_limited", "config", "turn_budget", "failures"})
# What is no failure of the work.
_NO_FAILURE = frozenset(
    {"ok", "skipped", "killed", "interrupted", "rate_limited", "auth", "billing", "never_ran", "no_resources"}
)
# How many are told one by one; of a flood only the number is told beyond that.
_AT_ONCE = 12
_TITLES = {
    "dead": "{cadence}: a dead letter ({klass})",
    "failed": "{cadence}: a run failed ({klass})",
    "circuit": "{cadence}: its circuit is open",
    "hold": "{scope} is held: {why}",
    "budget": "{account}: the day's money is nearly spent",
    "starving": "{cadence} waits and gets no slot",
    "gate": "the gate {gate} fails",
    "fault": "a fault of cadencebus itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to tell: the kind that people subscribe to, the incident, and the line behind it."""

    kind: str
    incident: str
    title: str
    text: str
    cadence: str | None = None
    event: Mapping[str, Any] = field(default_factory=dict)

    def dump(self, home: str) -> dict[str, Any]:
        """The JSON object that a command reads."""
        told = {"notice": self.kind, "incident": self.incident, "title": self.title, "text": self.text}
        return {**self.event, **told, "home": home}


def begins(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """The kind and the name of the incident that a line of the journal begins, if it does."""
    what, cadence, klass = event.get("event"), event.get("cadence"), event.get("class")
    if what == "hold.set" and event.get("reason") not in _QUIET:
        return "hold", f"hold:{event.get('hold')}"
    if what == "run.ended" and klass not in _NO_FAILURE:
        return "failed", f"failed:{cadence}"
    named = {
        "tick.dead": ("dead", f"dead:{cadence}:{klass}"),
        "circuit.opened": ("circuit", f"circuit:{cadence}"),
        "cadence.starving": ("starving", f"starving:{cadence}"),
        "budget.warned": ("budget", f"budget:{event.get('account')}:{str(event.get('at'))[:10]}"),
        "gate.failing": ("gate", f"gate:{event.get('gate')}"),
        "consumer.fault": ("fault", f"fault:{str(event.get('reason'))[:80]}"),
    }
    return named.get(str(what))


def ends(event: Mapping[str, Any], incidents: Iterable[str]) -> Iterator[str]:
    """The incidents that a line of the journal ends."""
    what, cadence = event.get("event"), event.get("cadence")
    for name in incidents:
        kind, _, about = name.partition(":")
        if kind == "hold":
            over = _ends_hold(event, about)
        elif kind == "circuit":
            over = what == "circuit.closed" and about == cadence
        elif kind == "starving":
            over = what == "run.started" and about == cadence
        elif kind == "gate":
            over = what == "gate.well" and about == event.get("gate")
        else:
            well = what == "run.ended" and event.get("class") == "ok"
            over = kind in {"dead", "failed"} and well and about.partition(":")[0] == cadence
        if over:
            yield name


def _ends_hold(event: Mapping[str, Any], file: str) -> bool:
    scope, reason = parse_hold_name(file) or ("", "")
    if reason not in _PROVED_BY_A_RUN:
        return event.get("event") == "hold.released" and event.get("hold") == file
    if event.get("event") != "run.ended" or event.get("class") != "ok":
        return False
    return scope in {on_cadence(str(event.get("cadence"))), on_credentials(str(event.get("credentials")))}


def lasts_by_file(incident: str) -> str | None:
    """The hold file that an incident lasts as long as; None: something else ends it."""
    kind, _, file = incident.partition(":")
    _, reason = parse_hold_name(file) or ("", "")
    return file if kind == "hold" and reason not in _PROVED_BY_A_RUN else None


def announced(kind: str, incident: str, event: Mapping[str, Any]) -> News:
    """The news that something has begun."""
    words = {**event, "klass": event.get("class"), "why": event.get("reason")}
    title = _TITLES[kind].format_map(_Lenient(words))
    text = event.get("detail") or event.get("reason") or ""
    return News(
        kind=kind,
        incident=incident,
        title=one_line(f"cadence: {title}", 120),
        text=one_line(str(text), 400),
        cadence=event.get("cadence"),
        event=event,
    )


def recovered(incident: str, title: str, event: Mapping[str, Any]) -> News:
    """The news that it is over."""
    cadence = event.get("cadence")
    said = title.removeprefix("cadence: ")
    return News(
        kind="recovered",
        incident=incident,
        title=one_line(f"cadence: recovered: {said}", 120),
        text="it is over",
        cadence=cadence,
        event=event,
    )


def bounded(news: list[News]) -> list[News]:
    """The news, one by one; of a flood only the first ones and how many more there are."""
    if len(news) <= _AT_ONCE:
        return news
    more = len(news) - _AT_ONCE + 1
    last = news[_AT_ONCE - 1]
    flood = News(
        kind=last.kind, incident="flood", title=f"cadence: and {more} more", text="look at `cadence status`"
    )
    return [*news[: _AT_ONCE - 1], flood]


def wanted(notice: Notice, news: News, of_cadence: tuple[str, ...] | None) -> bool:
    """Whether somebody wants to know: a cadence that names its own events has the last word."""
    events = notice.events if of_cadence is None else of_cadence
    # Nobody wants to hear of the end of what he did not hear begin.
    return news.kind in events and (news.kind != "recovered" or news.incident.partition(":")[0] in events)


def message(notice: Notice, news: News, home: str) -> tuple[tuple[str, ...], bytes]:
    """The command line, and what it reads."""
    event = json.dumps(news.dump(home), ensure_ascii=False)
    preset = PRESETS[notice.preset] if notice.preset else Preset(argv=notice.command or ())
    values = {
        "{title}": news.title,
        "{text}": news.text,
        "{to}": notice.to or "",
        "{urgency}": "low" if news.kind == "recovered" else "critical",
    }
    # A command of one's own stands as it is written.
    argv = tuple(_filled(word, values) for word in preset.argv) if notice.preset else preset.argv
    if preset.stdin == "text":
        return argv, f"{news.text}\n\n{news.title}\n{news.incident}\n{home}\n".encode()
    if preset.stdin == "curl":
        return argv, _curl(notice.url or "", event).encode()
    return argv, f"{event}\n".encode()


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        if word == name or (name == "{urgency}" and name in word):
            return word.replace(name, value)
    return word


def _curl(url: str, event: str) -> str:
    """A configuration for curl: nothing of it shows in the list of processes."""
    return "".join(
        f"{line}\n"
        for line in (
            *("silent", "show-error", "fail", "max-time = 10"),
            f"url = {_quoted(url)}",
            'header = "Content-Type: application/json"',
            f"data-raw = {_quoted(event)}",
        )
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Lenient(dict[str, Any]):
    """A line that lacks a word still makes a title."""

    def __missing__(self, key: str) -> str:
        return "?"
