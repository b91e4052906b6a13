"""How ticks are named: `<priority>-<stamp>-<cadence>-<random>.json`, and `<due>~<name>` in deferred/.

The name is the authority for id, priority and stamp, and names sort themselves into claim order.
`cadence enqueue` loads this module, so it imports nothing and uses no regular expression.
"""

from __future__ import annotations

SUFFIX = ".json"
RAW = ".raw"
DEFAULT_PRIORITY = 5

_STAMP = len("20261121T023000.123456Z")
_RANDOM = 8
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_CROCKFORD_SET = frozenset(_CROCKFORD)
_CADENCE_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_CADENCE_REST = _CADENCE_FIRST | frozenset("._-")
_CADENCE_MAX = 64
_SESSION_MAX = 200
_RUN_DIGITS = 4
_DAYS_IN = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LEAP_DAY = (2, 29)


class Name:
    """A canonical file name, taken apart."""

    __slots__ = ("cadence", "priority", "random", "stamp")

    def __init__(self, priority: int, stamp: str, cadence: str, random: str) -> None:
        self.priority = priority
        self.stamp = stamp
        self.cadence = cadence
        self.random = random

    @property
    def id(self) -> str:
        """The tick's id."""
        return f"{self.stamp}-{self.random}"

    @property
    def file(self) -> str:
        """The name as it stands in every folder but deferred/."""
        return f"{self.priority}-{self.stamp}-{self.cadence}-{self.random}{SUFFIX}"

    def copies(self) -> list[str]:
        """The names that a tick of this id may have: one for each priority."""
        rest = self.file[1:]
        return [f"{priority}{rest}" for priority in range(10)]

    def at(self, priority: int) -> Name:
        """The same tick under another priority."""
        return Name(priority, self.stamp, self.cadence, self.random)


def crockford(entropy: bytes) -> str:
    """Spell five random bytes as eight characters that nobody confuses."""
    number = int.from_bytes(entropy, "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))


def is_stamp(text: str) -> bool:
    """Whether this names a possible instant, such as `20261121T023000.123456Z`."""
    if len(text) != _STAMP or text[8] != "T" or text[15] != "." or text[22] != "Z":
        return False
    digits = text[:8] + text[9:15] + text[16:22]
    if not (digits.isascii() and digits.isdigit()):
        return False
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    if not 1 <= month <= len(_DAYS_IN) or not 1 <= day <= _DAYS_IN[month - 1]:
        return False
    if (month, day) == _LEAP_DAY and not _leaps(year):
        return False
    return year > 0 and text[9:11] < "24" and text[11:13] < "60" and text[13:15] < "60"


def _leaps(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def is_id(text: object) -> bool:
    """Whether this has the form of a tick's id."""
    return (
        isinstance(text, str)
        and len(text) == _STAMP + 1 + _RANDOM
        and text[_STAMP] == "-"
        and is_stamp(text[:_STAMP])
        and _CROCKFORD_SET.issuperset(text[_STAMP + 1 :])
    )


def is_cadence(text: object) -> bool:
    """Whether this may name a cadence: `[a-z0-9][a-z0-9._-]{0,63}` without `..`."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= _CADENCE_MAX
        and text[0] in _CADENCE_FIRST
        and _CADENCE_REST.issuperset(text)
        and ".." not in text
    )


def name_of(tick_id: str, cadence: str, priority: int) -> Name:
    """The name under which a tick lies."""
    return Name(priority, tick_id[:_STAMP], cadence, tick_id[_STAMP + 1 :])


def parse_name(file: str) -> Name | None:
    """Take a canonical file name apart; None for every other name."""
    if len(file) < _STAMP + _RANDOM + 10 or not file.endswith(SUFFIX) or file[1] != "-":
        return None
    stamp, cadence, random = file[2 : 2 + _STAMP], file[3 + _STAMP : -14], file[-13:-5]
    if not ("0" <= file[0] <= "9" and file[2 + _STAMP] == "-" and file[-14] == "-"):
        return None
    if not (is_id(f"{stamp}-{random}") and is_cadence(cadence)):
        return None
    return Name(int(file[0]), stamp, cadence, random)


def deferred_name(due_stamp: str, name: Name) -> str:
    """The name of a tick that waits for its time."""
    return f"{due_stamp}~{name.file}"


def same_id(file: str, other: str) -> bool:
    """Whether two canonical names have one id between them, whatever their priorities and cadences."""
    return file[2 : 2 + _STAMP] == other[2 : 2 + _STAMP] and file[-13:] == other[-13:]


def parse_deferred(file: str) -> tuple[str, Name] | None:
    """Take a name of deferred/ apart into due stamp and name."""
    if len(file) <= _STAMP or file[_STAMP] != "~" or not is_stamp(file[:_STAMP]):
        return None
    name = parse_name(file[_STAMP + 1 :])
    return (file[:_STAMP], name) if name else None


def name_in(file: str) -> Name | None:
    """The tick that a file speaks of by its name, in whichever folder it lies; None for every other file."""
    deferred = parse_deferred(file)
    return deferred[1] if deferred else parse_name(file)


def parse_run(run_id: object) -> tuple[str, int] | None:
    """Take the id of a run, `<tick id>.<number>`, apart into tick and number; None for what is none."""
    tick_id, _, number = str(run_id).rpartition(".")
    counts = number.isascii() and number.isdigit() and len(number) <= _RUN_DIGITS
    return (tick_id, int(number)) if counts and is_id(tick_id) else None


def is_session(text: object) -> bool:
    """Whether this may be the id of an agent's session: a word of a command line, never an option."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= _SESSION_MAX
        and text.isascii()
        and text[0].isalnum()
        and all(char.isalnum() or char in "._:-" for char in text)
    )
