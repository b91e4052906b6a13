"""A tick: one JSON object that says "it is time for this cadence"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cadencebus.clock import in_calendar, parse_rfc3339, rfc3339, spelled
from cadencebus.errors import BadData
from cadencebus.model import strictjson
from cadencebus.model.foreign import sequence
from cadencebus.model.naming import DEFAULT_PRIORITY, Name, is_cadence, is_id, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
MAX_HOPS = 16
MAX_PRIORITY = 9
# The largest file of a tick that has its past in it; what a producer may put in is `max_tick_bytes`.
LARGEST = 64 << 20
_SHOWN = 80
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

# key: (types allowed, how to say so)
_TYPES: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "schema": ((int,), "a whole number"),
    "cadence": ((str,), "a string"),
    "source": ((str,), "a string"),
    "created_at": ((str,), "a time such as 2026-11-21T02:30:00Z"),
    "priority": ((int,), "a whole number from 0 to 9"),
    "payload": ((dict,), "an object"),
    "not_before": ((str, type(None)), "a time or null"),
    "expires_at": ((str, type(None)), "a time or null"),
    "key": ((str, type(None)), "a string or null"),
    "force": ((bool,), "true or false"),
    "hops": ((int,), "a whole number"),
    "attempts": ((list,), "a list of objects"),
    "outcome": ((dict, type(None)), "an object"),
    "settling": ((dict, type(None)), "an object"),
}
_OWN = frozenset(_TYPES) | {"id"}


class BadTick(BadData):
    """Bytes that can't be a tick; `code` is the class of the dead letter."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Misnamed(BadTick):
    """A tick whose file speaks of another cadence than its content; `file` is the name it should have."""

    def __init__(self, said: Name, tick: Tick) -> None:
        super().__init__("misnamed", f"its name says cadence {said.cadence}, its content {tick.cadence}")
        self.file = tick.name.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What a tick says, its name already settled."""

    id: str
    cadence: str
    source: str = "file"
    created_at: float
    priority: int = DEFAULT_PRIORITY
    payload: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    not_before: float | None = None
    expires_at: float | None = None
    key: str | None = None
    force: bool = False
    hops: int = 0
    attempts: tuple[Mapping[str, Any], ...] = ()
    outcome: Mapping[str, Any] | None = None
    settling: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def name(self) -> Name:
        """The name under which it lies."""
        return name_of(self.id, self.cadence, self.priority)

    @property
    def counted_attempts(self) -> int:
        """How many attempts count toward the cadence's `retries`."""
        return sum(1 for attempt in self.attempts if attempt.get("counted"))

    def ended_as(self, klass: str) -> int:
        """How many attempts ended in this class."""
        return sum(1 for attempt in self.attempts if attempt.get("class") == klass)

    def tried(self, attempt: Mapping[str, Any]) -> Tick:
        """The same tick after one more attempt."""
        return replace(self, attempts=self._attempts_and(attempt))

    def _attempts_and(self, attempt: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        """One more; of the same run it takes the place of the one noted before."""
        others = (before for before in self.attempts if before.get("run") != attempt.get("run"))
        return (*others, attempt)

    def settled(
        self, attempt: Mapping[str, Any], plan: Mapping[str, Any], outcome: Mapping[str, Any] | None
    ) -> Tick:
        """The same tick after a run: tried once more, with what follows of it, and its outcome if any."""
        attempts = self._attempts_and(attempt)
        return replace(self, attempts=attempts, settling=plan, outcome=outcome or self.outcome)

    def ended(self, outcome: Mapping[str, Any]) -> Tick:
        """The same tick with its one outcome."""
        return replace(self, outcome=outcome)

    def without_plan(self) -> Tick:
        """The same tick, of whose settlement nothing is left to be replayed."""
        return replace(self, settling=None)

    def noted(self, **extra: object) -> Tick:
        """The same tick with further members, which the contract does not know."""
        return replace(self, extra={**self.extra, **extra})

    def due_now(self) -> Tick:
        """The same tick, not waiting for its time any more."""
        return replace(self, not_before=None)

    def again(self) -> Tick:
        """A tick that somebody moved back from done/ or dead/: it runs anew, its past is kept aside."""
        if self.outcome is None:
            return self
        # Whatever a producer called `earlier` is no past of ours.
        past = sequence(self.extra.get("earlier"))
        past = [*past, {"outcome": self.outcome, "attempts": list(self.attempts)}]
        return replace(self, outcome=None, attempts=(), extra={**self.extra, "earlier": past})

    def dump(self) -> dict[str, Any]:
        """The JSON object as it lies on disk."""
        members: dict[str, Any] = {
            "schema": SCHEMA,
            "id": self.id,
            "cadence": self.cadence,
            "source": self.source,
            "created_at": rfc3339(self.created_at),
            "priority": self.priority,
            "payload": dict(self.payload),
            "not_before": spelled(self.not_before),
            "expires_at": spelled(self.expires_at),
            "key": self.key,
            "force": self.force,
            "hops": self.hops,
            "attempts": [dict(attempt) for attempt in self.attempts],
        }
        if self.outcome is not None:
            members["outcome"] = dict(self.outcome)
        if self.settling is not None:
            members["settling"] = dict(self.settling)
        return members | dict(self.extra)

    def bytes(self) -> bytes:
        """The file's content."""
        return strictjson.dumps(self.dump())


def read_members(data: bytes) -> dict[str, Any]:
    """Parse a tick's bytes as far as a checked JSON object, whatever its name; BadTick says what is wrong."""
    try:
        members = strictjson.loads(data)
    except strictjson.BadJSON as error:
        raise BadTick(error.code, error.message) from None
    if not isinstance(members, dict):
        raise BadTick("not_an_object", f"not a JSON object but {_kind(members)}")
    check_members(members)
    return members


def check_members(members: Mapping[str, Any]) -> None:
    """Refuse what can't be a tick, whoever made it; BadTick says what is wrong."""
    for key, (types, wanted) in _TYPES.items():
        value = members.get(key, ...)
        # bool is an int to Python, not to anybody else.
        if value is not ... and (
            not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        ):
            raise BadTick("wrong_type", f"{key}: {_kind(value)}, where {wanted} belongs")
    if members.get("schema", SCHEMA) != SCHEMA:
        raise BadTick("unsupported_schema", f"schema {members['schema']}: this version knows {SCHEMA}")
    if "id" in members and not is_id(members["id"]):
        raise BadTick(
            "bad_id", f"id: {_show(members['id'])} is not of the form 20261121T023000.123456Z-7f3k9q2m"
        )
    if "cadence" not in members:
        raise BadTick("bad_cadence", "cadence: missing; it says which file of prompts/ is to run")
    if not is_cadence(members["cadence"]):
        raise BadTick("bad_cadence", f"cadence: {_show(members['cadence'])} can't name a cadence")
    _check_values(members)


def _check_values(members: Mapping[str, Any]) -> None:
    if not 0 <= members.get("priority", 0) <= MAX_PRIORITY:
        raise BadTick("bad_value", f"priority: {members['priority']}, where 0 to 9 is allowed")
    if members.get("hops", 0) < 0:
        raise BadTick("bad_value", f"hops: {members['hops']} is negative")
    if members.get("hops", 0) > MAX_HOPS:
        raise BadTick("too_many_hops", f"hops: {members['hops']} is over {MAX_HOPS}: a loop of follow-ups?")
    for key in ("created_at", "not_before", "expires_at"):
        if members.get(key) is not None:
            _time(key, members[key])
    for attempt in members.get("attempts", ()):
        _check_attempt(attempt)


def _check_attempt(attempt: object) -> None:
    """Refuse an attempt that is none of ours: rules compute with what it says."""
    if not isinstance(attempt, dict):
        raise BadTick("wrong_type", "attempts: something else than objects in the list")
    for key in ("started_at", "ended_at"):
        at = attempt.get(key)
        if at is not None and not isinstance(at, str):
            raise BadTick("wrong_type", f"attempts: {key}: {_kind(at)}, where a time belongs")
        if at is not None:
            _time(f"attempts: {key}", at)


def tick_of(members: Mapping[str, Any], name: Name, *, born: float) -> Tick:
    """The tick behind checked members: its name wins, what is missing is filled in."""
    extra = {key: value for key, value in members.items() if key not in _OWN}
    if "id" in members and members["id"] != name.id:
        extra["origin_id"] = members["id"]
    times = {
        key: None if members.get(key) is None else _time(key, members[key])
        for key in ("created_at", "not_before", "expires_at")
    }
    return Tick(
        id=name.id,
        cadence=members["cadence"],
        source=members.get("source", "file"),
        created_at=in_calendar(born) if times["created_at"] is None else times["created_at"],
        priority=name.priority,
        payload=members.get("payload", NOTHING),
        not_before=times["not_before"],
        expires_at=times["expires_at"],
        key=members.get("key"),
        force=members.get("force", False),
        hops=members.get("hops", 0),
        attempts=tuple(members.get("attempts", ())),
        outcome=members.get("outcome"),
        settling=members.get("settling"),
        extra=extra or NOTHING,
    )


def _time(key: str, text: str) -> float:
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise BadTick(
            "bad_value", f"{key}: {_show(text)} is not a time such as 2026-11-21T02:30:00Z"
        ) from None


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
