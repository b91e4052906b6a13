"""`cadence dead`: dead letters, read, retried, removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.cli import show
from cadencebus.desk import dead_letters, dead_retry, enqueue_checks, human_time
from cadencebus.desk.columns import Column, last_part
from cadencebus.desk.journaling import tell
from cadencebus.desk.lookup import Found, listing
from cadencebus.desk.nearest import meant, why_none
from cadencebus.desk.options import Parser, a_duration, a_word
from cadencebus.desk.output import Cell, Output, Painted, safe
from cadencebus.desk.tick_size import spool_of
from cadencebus.errors import BadData, CadenceError, Usage
from cadencebus.model.foreign import sequence
from cadencebus.model.hold import OPERATOR
from cadencebus.policy.classes import Class
from cadencebus.store import archive
from cadencebus.store.tomb import TWINS

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.desk.dead_letters import Letter
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence dead                          what died, and of what
  cadence dead show 7f3k9q2m            one letter in full
  cadence dead retry 7f3k9q2m           a new tick, which names the old one
  cadence dead retry --class timeout --since 1d
  cadence dead purge --cadence old-job  removed; dead-archive.jsonl keeps a copy"""
COLUMNS = (
    Column("ID", brief=last_part),
    Column("CADENCE", least=12),
    Column("CLASS"),
    Column("AGE", right=True),
    Column("TRIES", right=True, goes=1),
    Column("REASON", folds=True),
)

# Nobody types the ids of more than these.
_TYPED = 20
# What a terminal shows unless told otherwise; a pipe gets all.
_SHOWN = 40


def main(words: list[str], context: Context) -> int:
    """Do one of four things with some letters."""
    parser = Parser("dead", "Dead letters: read, retry, remove.", EXAMPLES)
    parser.add_argument(
        "what", nargs="?", default="ls", choices=("ls", "show", "retry", "purge"), help="default: ls"
    )
    parser.add_argument("id", nargs="*", help="ids, or unique parts of them")
    parser.add_argument("--cadence", type=a_word, metavar="C", help="of this cadence")
    parser.add_argument(
        "--class", dest="klass", type=a_word, metavar="K", help="of this class: timeout, crash, …"
    )
    parser.add_argument("--since", type=a_duration, metavar="D", help="dead for no longer than this")
    parser.add_argument("--all", action="store_true", help="every letter")
    asked = parser.parse_args(words)
    filtered = asked.cadence or asked.klass or asked.since is not None
    if asked.id and (filtered or asked.all):
        raise Usage(f"dead {asked.what}: ids or filters, not both")
    if asked.what != "ls" and not (asked.id or filtered or asked.all):
        raise Usage(f"dead {asked.what}: which? ids, --cadence, --class, --since or --all")
    if asked.what in {"retry", "purge"}:
        with dead_letters.alone(context.home):
            return {"retry": _retry, "purge": _purge}[asked.what](asked, context)
    return {"ls": _list, "show": _show}[asked.what](asked, context)


def _chosen(home: Home, asked: Namespace) -> list[Found]:
    if asked.id:
        return [one.found for one in dead_letters.named(home, asked.id, by_hand_too=asked.what == "retry")]
    since = None if asked.since is None else time.time() - asked.since
    return dead_letters.matching(home, cadence=asked.cadence, klass=asked.klass, since=since)


def _list(asked: Namespace, context: Context) -> int:
    out, now = Output(context), time.time()
    found = _chosen(context.home, asked)
    shown = found[-_SHOWN:] if out.terminal and not (asked.id or asked.all) else found
    letters = (dead_letters.letter_of(context.home, one) for one in shown)
    if out.json:
        for one in letters:
            out.line_of_json({"state": "dead", "file": one.found.place, **one.members})
    elif out.table(COLUMNS, (_row(one, now) for one in letters)):
        if len(found) > len(shown):
            out.hint(f"the newest {len(shown)} of {len(found)}: --all shows the others, too")
        out.hint("read: cadence show ID; run again: cadence dead retry ID; remove: cadence dead purge ID")
    else:
        out.hint(f"no dead letters{_why_none(context.home, asked)}")
    return 0


def _why_none(home: Home, asked: Namespace) -> str:
    """Why a filter may have found nothing: a cadence or a class that does not exist."""
    if asked.klass:
        here = {dead_letters.letter_of(home, found).klass for found in listing(home, ("dead",))}
        if asked.klass not in here:
            known = (*here, *(one.value for one in Class))
            near = "" if asked.klass in known else meant(asked.klass, known)
            return f": none died of {asked.klass!r}{near}"
    return why_none(home, asked.cadence)


def _row(letter: Letter, now: float) -> list[Cell]:
    died_at = letter.died_at
    return [
        letter.found.name.id,
        letter.found.name.cadence,
        Painted(safe(letter.klass), "red"),
        "?" if died_at is None else human_time.ago(now - died_at),
        str(len(sequence(letter.members.get("attempts")))),
        safe(letter.outcome.get("reason")),
    ]


def _show(asked: Namespace, context: Context) -> int:
    out = Output(context)
    found = _chosen(context.home, asked)
    if not found:
        out.hint(f"no dead letters{_why_none(context.home, asked)}")
    for at, one in enumerate(found):
        if at and not out.json:
            out.line("")
        show.tell(context.home, one, out)
    return 0


def _retry(asked: Namespace, context: Context) -> int:
    out, now, spool = Output(context), time.time(), spool_of(context.home)
    found, unfit = list[Found](), list[Found]()
    for at in _chosen(context.home, asked):
        one = dead_letters.letter_of(context.home, at)
        try:
            new, *_ = dead_retry.successors(spool, one, now)
            # Without its cadence it would only die again.
            enqueue_checks.check_cadence(context.home, new.cadence)
            _refuse_twin(one, by_hand=bool(asked.id or asked.klass))
        except CadenceError as error:
            if asked.id:
                raise
            unfit.append(at)
            whose = "" if at.name.id in error.message else f"{at.name.id}: "
            if len(unfit) <= _TYPED:
                out.warn(f"left in dead/: {whose}{error.message}")
        else:
            found.append(at)
    # All of them first: whoever reads the ids may stop in the middle of it.
    retried = list(dead_retry.retry(context.home, found, now))
    for again in retried:
        if out.json:
            out.line_of_json({"tick": again.letter.name.id, "retried_as": again.ids})
        else:
            for tick_id in again.ids:
                out.line(tick_id)
    why = "" if found or unfit else _why_none(context.home, asked)
    out.hint(dead_retry.spell(retried) + (_left(unfit) if unfit else why))
    return 0


def _left(unfit: list[Found]) -> str:
    few = [found.name.random for found in unfit] if len(unfit) <= _TYPED else ["ID …"]
    them = "it" if len(unfit) == 1 else "them"
    return f", {len(unfit)} left in dead/; remove {them}: cadence dead purge {' '.join(few)}"


def _refuse_twin(letter: Letter, *, by_hand: bool) -> None:
    """Refuse what has its own end elsewhere, unless it is asked for: it would be done twice."""
    if letter.klass in TWINS and not by_hand:
        raise BadData(
            f"{letter.found.name.id} is the twin of a tick that has its own end",
            next_step=f"cadence dead retry {letter.found.name.random}",
        )


def _purge(asked: Namespace, context: Context) -> int:
    out, now, home = Output(context), time.time(), context.home
    found = _chosen(home, asked)
    for letters in dead_letters.in_batches(home, found):
        dead_letters.take_out(home, [(one, {}) for one in letters], "purged", now)
        names = (one.found.name for one in letters)
        events = ({"event": "dead.purged", "cadence": name.cadence, "tick": name.id} for name in names)
        tell(home, *({**event, "by": OPERATOR} for event in events), at=now)
    for one in found:
        if out.json:
            out.line_of_json({"tick": one.name.id, "purged": True})
        else:
            out.line(f"{one.name.id} purged")
    kept = f"; a line of each is kept in {archive.letters_path(home)}"
    out.hint(f"{len(found)} purged{kept if found else _why_none(context.home, asked)}")
    return 0
