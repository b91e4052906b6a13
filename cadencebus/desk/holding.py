"""Holds and circuits as an operator sees and releases them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339, spelled
from cadencebus.desk.journaling import tell
from cadencebus.desk.options import Parser, a_word
from cadencebus.errors import CadenceError, IOTrouble, NotPermitted
from cadencebus.model.hold import OPERATOR, Hold, hold_event, hold_file, on_cadence
from cadencebus.store import files, open_circuits
from cadencebus.store.config import settings_or_default
from cadencebus.store.holds import Holds
from cadencebus.store.memory import Memories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.store.paths import Home


def with_scope(parser: Parser) -> Parser:
    """The options of a verb that holds, or releases: a cadence, credentials, or the whole bus."""
    parser.add_argument("name", nargs="?", type=a_word, help="a cadence (default: the whole bus)")
    parser.add_argument(
        "--credentials",
        type=a_word,
        metavar="C",
        help="all that share these credentials, named by themselves or by a runner",
    )
    return parser


def held(home: Home, now: float) -> list[Hold]:
    """Every hold, by name, as the consumer reads it; those that are over stay until it clears them away."""
    try:
        return Holds(home).all(now)
    except (FileNotFoundError, NotADirectoryError):
        return []


def dump(hold: Hold, now: float) -> dict[str, Any]:
    """A hold as JSON: the keys of the file on disk, with its name and whether it is in force."""
    return {"file": hold.file, **hold.dump(), "in_force": not hold.over(now)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The circuit of a cadence, if it is not closed: open while its hold stands, then half-open."""

    cadence: str
    is_open: bool
    since: float
    until: float
    failures: int
    reason: str

    @property
    def state(self) -> str:
        """In a word."""
        return "open" if self.is_open else "half-open"

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "cadence": self.cadence,
            "state": self.state,
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "failures": self.failures,
            "reason": self.reason,
        }


def circuits(memory: Memories, holds: Iterable[Hold], now: float) -> list[Circuit]:
    """Every circuit that is not closed."""
    found, standing = [], {hold.file for hold in holds if not hold.over(now)}
    for name in memory.names():
        circuit = memory.cadence(name, now, mend=False).circuit
        if circuit:
            found.append(
                Circuit(
                    cadence=name,
                    is_open=hold_file(on_cadence(name), "circuit_open") in standing,
                    since=circuit.since,
                    until=circuit.until,
                    failures=circuit.failures,
                    reason=circuit.reason,
                )
            )
    return found


def credentials_named(home: Home, word: str) -> str | None:
    """The credentials that a word names: by their own name, or by a runner that uses them; None: nobody's."""
    runners = settings_or_default(home)[0].runners
    if any(runner.credentials == word for runner in runners.values()):
        return word
    return runners[word].credentials if word in runners else None


def put(home: Home, hold: Hold) -> None:
    """Write a hold and tell of it."""
    Holds(home).set(hold)
    event = hold_event("hold.set", hold.file)
    tell(home, {**event, "until": spelled(hold.until), "detail": hold.detail, "by": OPERATOR})


def release(home: Home, found: Iterable[Hold]) -> list[Hold]:
    """Remove holds and tell of it; those that were still there."""
    released: list[Hold] = []
    stuck: CadenceError | None = None
    for hold in found:
        try:
            _remove(f"{home.holds}/{hold.file}")
        except FileNotFoundError:
            continue
        except OSError as error:
            # The others are wanted gone all the same.
            kind = NotPermitted if isinstance(error, PermissionError) else IOTrouble
            said = f"holds/{hold.file} can't be removed: {error.strerror}"
            stuck = kind(said, next_step="look at it, and remove it by hand")
            continue
        released.append(hold)
    if released:
        files.sync_folder(home.holds)
        if any(hold.reason == "circuit_open" for hold in released):
            # As the consumer would, which may not be there to do it.
            open_circuits.draw(home, Memories(home), time.time())
        tell(home, *({**hold_event("hold.released", hold.file), "by": OPERATOR} for hold in released))
    if stuck is not None:
        raise stuck
    return released


def _remove(path: str) -> None:
    """Remove what holds; somebody may have made a folder of that name, which holds as well."""
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    else:
        os.unlink(path)
