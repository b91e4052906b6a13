"""`cadence ls`: ticks as a table."""

from __future__ import annotations

import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_stamp
from cadencebus.desk import human_time
from cadencebus.desk.columns import Column, last_part
from cadencebus.desk.lookup import ENDED, STATES, TICK_FILE, Found, folders, listing, members_of, names
from cadencebus.desk.nearest import why_none
from cadencebus.desk.options import Parser, a_count, a_word
from cadencebus.desk.output import Cell, Output, painted, safe
from cadencebus.desk.reasons import Reasons, spell
from cadencebus.model.foreign import instant, mapping, sequence
from cadencebus.model.naming import SUFFIX, Name, name_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence ls                      all that waits, runs or has ended
  cadence ls dead --cadence brief
  cadence ls inbox --json | jq -r .id"""
COLUMNS = (
    Column("STATE"),
    Column("CADENCE", least=12),
    Column("P", goes=1),
    Column("ID", brief=last_part),
    Column("AGE", right=True),
    Column("TRIES", right=True, goes=2),
    Column("NOTE", wide=True),
)
# What a terminal shows of each folder unless told otherwise; a pipe gets all.
_SHOWN = 40


def main(words: list[str], context: Context) -> int:
    """List ticks: what waits from its head, what has ended from its tail."""
    parser = Parser("ls", "Ticks as a table; --json gives one tick a line, as on disk.", EXAMPLES)
    parser.add_argument("folder", nargs="?", choices=STATES, help="only this folder")
    parser.add_argument("--cadence", type=a_word, help="only this cadence")
    parser.add_argument(
        "-n", "--limit", type=a_count, metavar="N", help=f"of each folder (default: {_SHOWN} on a terminal)"
    )
    asked = parser.parse_args(words)
    out, home = Output(context), context.home
    states = (asked.folder,) if asked.folder else STATES
    limit = _SHOWN if asked.limit is None and out.terminal else asked.limit
    found = _limited(home, states, asked.cadence, limit)
    if out.json:
        for tick in found:
            out.line_of_json({"state": tick.state, "file": tick.place, **members_of(home, tick)})
        return 0
    why = Waits(home, time.time())
    shown = out.table(COLUMNS, (_row(home, tick, why) for tick in found))
    _remark(out, home, states, asked.cadence, shown, limited=limit is not None)
    return 0


def _limited(home: Home, states: tuple[str, ...], cadence: str | None, limit: int | None) -> Iterator[Found]:
    for state in states:
        if limit is not None and state in ENDED:
            yield from reversed([*islice(listing(home, (state,), cadence, backwards=True), limit)])
        else:
            yield from islice(listing(home, (state,), cadence), limit)


class Waits:
    """Why ticks wait; asked once for each cadence, and only if one of it is shown."""

    def __init__(self, home: Home, now: float) -> None:
        self._home = home
        self.now = now
        self._known: dict[str, str] = {}
        self._reasons: Reasons | None = None

    def of(self, cadence: str) -> str:
        """In a line; empty where nothing is in its way."""
        if cadence not in self._known:
            self._reasons = self._reasons or Reasons(self._home, self.now)
            wait = self._reasons.of_cadence(cadence)
            self._known[cadence] = "" if wait is None else spell(wait, self.now)
        return self._known[cadence]


def _row(home: Home, tick: Found, why: Waits) -> list[Cell]:
    members = members_of(home, tick)
    born = instant(members.get("created_at")) or parse_stamp(tick.name.stamp)
    return [
        painted(tick.state),
        tick.name.cadence,
        str(tick.name.priority),
        tick.name.id,
        human_time.ago(why.now - born),
        str(len(sequence(members.get("attempts")))),
        _note(tick, members, why),
    ]


def _note(tick: Found, members: dict[str, Any], why: Waits) -> Cell:
    if tick.due is not None:
        return f"due in {human_time.ago(tick.due - why.now)}" if tick.due > why.now else "due"
    if tick.state == "inbox":
        return safe(why.of(tick.name.cadence))
    outcome = mapping(members.get("outcome"))
    if not outcome:
        return ""
    status = safe(outcome.get("status"))
    if status == "ok":
        return painted("ok")
    reason = safe(outcome.get("reason"))
    return reason if tick.state == "dead" else f"{status}: {reason}"


def _cadence_of(looks: re.Match[str] | Name) -> str:
    """The cadence of a tick, read off its file's name without parsing it: there may be a million."""
    return looks["cadence"] if isinstance(looks, re.Match) else looks.cadence


def _remark(
    out: Output, home: Home, states: tuple[str, ...], cadence: str | None, shown: int, *, limited: bool
) -> None:
    """Say what the table does not show: that there is more, or nothing, or a file that is no tick yet."""
    total = strangers = 0
    # Where all was shown nothing needs counting; what is no tick yet lies in inbox/.
    for folder in folders(home, states if limited else tuple({"inbox"} & {*states})):
        for file in names(home, folder):
            looks = TICK_FILE.fullmatch(file) or name_in(file)
            if looks is not None and cadence in {None, _cadence_of(looks)}:
                total += 1
            elif looks is None and folder == "inbox" and file.endswith(SUFFIX) and not file.startswith("."):
                strangers += 1
    if not max(total, shown):
        where = f" in {states[0]}" if len(states) == 1 else ""
        out.hint(f"no ticks{where}{why_none(home, cadence)}")
    elif limited and total > shown:
        out.hint(f"{shown} of {total} shown: --limit N shows more")
    if strangers:
        them = "1 file in inbox/ waits" if strangers == 1 else f"{strangers} files in inbox/ wait"
        out.hint(f"{them} for a consumer: cadence up")
