"""`cadence ps`: the processes of this bus: supervisor, consumer, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.daemon import supervision
from cadencebus.desk import consumer_control, human_time, killing
from cadencebus.desk.columns import Column
from cadencebus.desk.lookup import listing
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, Painted, safe
from cadencebus.model.foreign import whole
from cadencebus.session import usage
from cadencebus.store import lock, runs

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.desk.output import Cell
    from cadencebus.session.usage import Usage
    from cadencebus.store.paths import Home

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
        said = f"parked since {human_time.told(facts['parked']['since'])}: {safe(facts['parked']['reason'])}"
        out.line(Painted(said, "yellow"))
        out.hint("fix that, then `cadence up`; its words are in state/consumer.log")
    elif facts["waiting"]:
        until, reason = facts["waiting"]["until"], safe(facts["waiting"]["reason"])
        out.line(Painted(f"the consumer ended ({reason}); again at {human_time.told(until)}", "yellow"))
    elif not facts["consumer"]:
        out.line("no consumer is up" + (", nothing runs" if not facts["sessions"] else ""))
        out.hint("cadence up")
    return 0


def _facts(home: Home) -> dict[str, Any]:
    keeper, there = supervision.alive(home), consumer_control.at_work(home)
    # One that has parked it lives on for a moment, to say so.
    parked = supervision.parked(home)
    supervisor = consumer = waiting = None
    if keeper is not None:
        pid = keeper.supervisor.pid
        supervisor = _process(pid, keeper.supervisor.since, usage.of([pid]))
        if keeper.state == "waiting":
            waiting = {"until": keeper.until, "reason": keeper.reason}
    if there is not None:
        consumer = _process(there.pid, there.since, usage.of([there.pid]))
    elif lock.is_held(home):
        consumer = _process(None, None, None)
    return {
        "supervisor": supervisor,
        "consumer": consumer,
        "parked": parked and {"since": _last_death(parked), "reason": parked.reason},
        "waiting": waiting,
        "sessions": _sessions(home),
    }


def _last_death(state: supervision.State) -> str | None:
    return state.deaths[-1].at if state.deaths else None


def _sessions(home: Home) -> list[dict[str, Any]]:
    alive = [(found, run) for found in listing(home, ("claimed",)) if (run := killing.live_run(home, found))]
    if not alive:
        return []
    said = {run.id: runs.record(run) for _, run in alive}
    leaders = {run: pid for run, told in said.items() if (pid := whole(told.get("pid")))}
    costs = usage.of_runs(home.root, leaders)
    return [
        {"tick": found.name.id, "run": run.id, "cadence": found.name.cadence}
        | _process(said[run.id].get("pid"), said[run.id].get("started_at"), costs.get(run.id))
        for found, run in alive
    ]


def _process(pid: object, since: object, spent: Usage | None) -> dict[str, Any]:
    """A process, or a session of several, and what it costs; null is what nobody knows."""
    known = {"pid": pid, "since": since}
    if spent is None:
        return known | {"processes": None, "cpu_seconds": None, "rss": None}
    return known | {"processes": spent.processes, "cpu_seconds": spent.cpu, "rss": spent.rss}


def _row(what: str, facts: dict[str, Any]) -> list[Cell]:
    cpu, rss = facts["cpu_seconds"], facts["rss"]
    return [
        what,
        "?" if facts["pid"] is None else str(facts["pid"]),
        human_time.told(facts["since"]),
        "?" if cpu is None else f"{cpu:.1f}s",
        "?" if rss is None else f"{rss / 2**20:.0f}M",
        facts.get("cadence", ""),
    ]
