"""`cadence ps`: the processes of this bus: supervisor, consumer, sessions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cadencebus.daemon import supervision
from cadencebus.desk import consumer_control, human_time, killing
from cadencebus.desk.columns import Column
from cadencebus.desk.lookup import listing
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, Painted, safe
from cadencebus.model.foreign import instant
from cadencebus.session import usage
from cadencebus.store import lock
from cadencebus.store.corrupt import load_object

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.desk.output import Cell
    from cadencebus.session.usage import Usage
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder

EXAMPLES = """  cadence ps
  cadence ps --json | jq '.sessions[] | {pid, cadence, rss}'"""
_COLUMNS = (
    Column("WHAT"),
    Column("PID", right=True),
    Column("SINCE"),
    Column("CPU", right=True, goes=2),
    Column("RSS", right=True, goes=1),
    Column("CADENCE", wide=True),
)


def main(words: list[str], context: Context) -> int:
    """List them, with what each costs."""
    Parser("ps", "Supervisor, consumer and sessions, with CPU time and memory.", EXAMPLES).parse_args(words)
    out, facts = Output(context), _facts(context.home)
    if out.json:
        out.document(facts)
        return 0
    rows = [_row(what, facts[what]) for what in ("supervisor", "consumer") if facts[what]]
    rows += [_row("session", session) for session in facts["sessions"]]
    if rows:
        out.table(_COLUMNS, rows)
    if facts["parked"]:
        said = f"parked since {_clock(facts['parked']['since'])}: {safe(facts['parked']['reason'])}"
        out.line(Painted(said, "yellow"))
        out.hint("mend that, then `cadence up`; its words are in state/consumer.log")
    elif facts["waiting"]:
        until, reason = facts["waiting"]["until"], safe(facts["waiting"]["reason"])
        out.line(Painted(f"the consumer ended ({reason}); again at {_clock(until)}", "yellow"))
    elif not facts["consumer"]:
        out.line("no consumer is up" + (", nothing runs" if not facts["sessions"] else ""))
        out.hint("cadence up")
    return 0


def _facts(home: Home) -> dict[str, Any]:
    keeper, there = supervision.alive(home), consumer_control.at_work(home)
    # One that has parked it lives on for a moment, to say so.
    parked = supervision.parked(home)
    consumer = None
    if there is not None:
        consumer = {"pid": there.pid, "since": there.since, **_cost(usage.of([there.pid]))}
    elif lock.is_held(home):
        consumer = {"pid": None, "since": None, **_cost(None)}
    return {
        "supervisor": None
        if keeper is None
        else {
            "pid": keeper.supervisor.pid,
            "since": keeper.supervisor.since,
            **_cost(usage.of([keeper.supervisor.pid])),
        },
        "consumer": consumer,
        "parked": None if parked is None else {"since": _last_death(parked), "reason": parked.reason},
        "waiting": {"until": keeper.until, "reason": keeper.reason}
        if keeper is not None and keeper.state == "waiting"
        else None,
        "sessions": _sessions(home),
    }


def _last_death(state: supervision.State) -> str | None:
    return state.deaths[-1].at if state.deaths else None


def _sessions(home: Home) -> list[dict[str, Any]]:
    alive = [(found, run) for found in listing(home, ("claimed",)) if (run := killing.live_run(home, found))]
    if not alive:
        return []
    costs = usage.of_runs(home.root)
    return [
        {"tick": found.name.id, "run": run.id, "cadence": found.name.cadence}
        | _told(run)
        | _cost(costs.get(run.id))
        for found, run in alive
    ]


def _told(run: RunFolder) -> dict[str, Any]:
    try:
        said = load_object(run.file("run.json"))
    except (OSError, ValueError):
        said = {}
    return {"pid": said.get("pid"), "since": said.get("started_at")}


def _cost(spent: Usage | None) -> dict[str, Any]:
    if spent is None:
        return {"processes": None, "cpu_seconds": None, "rss": None}
    return {"processes": spent.processes, "cpu_seconds": spent.cpu, "rss": spent.rss}


def _row(what: str, facts: dict[str, Any]) -> list[Cell]:
    cpu, rss = facts["cpu_seconds"], facts["rss"]
    return [
        what,
        "?" if facts["pid"] is None else str(facts["pid"]),
        _clock(facts["since"]),
        "?" if cpu is None else f"{cpu:.1f}s",
        "?" if rss is None else f"{rss / 2**20:.0f}M",
        facts.get("cadence", ""),
    ]


def _clock(text: object) -> str:
    at = instant(text)
    return "?" if at is None else human_time.clock(at, time.time())
