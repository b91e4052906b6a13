"""`cadence circuit`: the breakers of the cadences, and their reset."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import enqueue_checks, holding, human_time
from cadencebus.desk.columns import Column
from cadencebus.desk.journaling import tell
from cadencebus.desk.nearest import why_none
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Cell, Output, painted
from cadencebus.errors import Usage
from cadencebus.model.hold import OPERATOR, hold_file, on_cadence
from cadencebus.store.memory import Memories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence circuit
  cadence circuit reset brief
  cadence circuit reset --all"""
COLUMNS = (
    Column("CADENCE", least=12),
    Column("STATE"),
    Column("SINCE", goes=1),
    Column("UNTIL"),
    Column("FAILURES", right=True, goes=2),
    Column("REASON", folds=True),
)


def main(words: list[str], context: Context) -> int:
    """List open circuits, or close them by hand."""
    parser = Parser("circuit", "Circuit breakers that opened after failures in a row.", EXAMPLES)
    parser.add_argument("what", nargs="?", default="ls", choices=("ls", "reset"), help="default: ls")
    parser.add_argument("name", nargs="?", help="the cadence to reset")
    parser.add_argument("--all", action="store_true", help="reset every cadence")
    asked = parser.parse_args(words)
    if asked.what == "ls":
        return _list(context, asked.name)
    if bool(asked.name) == asked.all:
        raise Usage("circuit reset: NAME or --all", next_step="cadence circuit ls")
    return _reset(context, asked.name)


def _list(context: Context, name: str | None) -> int:
    out, now = Output(context), time.time()
    holds = holding.held(context.home, now)
    known = holding.circuits(Memories(context.home), holds, now)
    found = [one for one in known if name in {None, one.cadence}]
    if out.json:
        out.document([one.dump() for one in found])
    elif found:
        out.table(COLUMNS, [_row(one, now) for one in found])
        first = found[0].cadence
        out.hint(f"why: cadence logs {first}; close it by hand: cadence circuit reset {first}")
    else:
        out.hint(f"no circuit is open{why_none(context.home, name)}")
    return 0


def _row(one: holding.Circuit, now: float) -> list[Cell]:
    return [
        one.cadence,
        painted(one.state),
        human_time.clock(one.since, now),
        human_time.clock(one.until, now) if one.is_open else "now, one probe",
        str(one.failures),
        one.reason,
    ]


def _reset(context: Context, name: str | None) -> int:
    """Forget the failures in a row: the breaker is closed, and the next failure is the first."""
    home, out, now = context.home, Output(context), time.time()
    memory = Memories(home, out.warn)
    if name is not None and name not in memory.names():
        enqueue_checks.check_cadence(home, name)
    names = memory.names() if name is None else [name]
    done = _close(home, memory, names, now)
    if out.json:
        out.document({"reset": done})
        return 0
    for one in done:
        out.line(f"{one}: its circuit is closed, its failures in a row are forgotten")
    if not done:
        out.hint("nothing to reset")
    return 0


def _close(home: Home, memory: Memories, names: Iterable[str], now: float) -> list[str]:
    """Close the circuits that are not; their cadences."""
    done: list[str] = []
    standing, wanted = {hold.file: hold for hold in holding.held(home, now)}, []
    for name in names:
        known = memory.cadence(name, now)
        files_held = [hold_file(on_cadence(name), reason) for reason in ("circuit_open", "backoff")]
        mine = [standing[file] for file in files_held if file in standing]
        if known.circuit or known.failures or mine:
            # The memory first: a hold that goes while that says "open" would let one probe pass, no more.
            memory.change(name, now, {"circuit": None, "failures": 0})
            wanted += mine
            done.append(name)
        if known.circuit:
            tell(home, {"event": "circuit.closed", "cadence": name, "by": OPERATOR}, at=now)
    holding.release(home, wanted)
    return done
