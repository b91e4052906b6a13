"""`cadence metrics`: the bus in numbers, as Prometheus reads them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from cadencebus.clock import day
from cadencebus.desk import health
from cadencebus.desk.options import Parser, a_word
from cadencebus.desk.output import Output
from cadencebus.desk.overview import overview
from cadencebus.errors import CantCreate, Usage
from cadencebus.model.foreign import amount, instant
from cadencebus.model.legible import clean
from cadencebus.store import files, rollups
from cadencebus.store.memory import Memories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.desk.facts import Facts
    from cadencebus.desk.health import Verdict
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence metrics
  cadence metrics --textfile /var/lib/node_exporter/cadence.prom
  * * * * * ~/.local/bin/cadence --home ~/bus metrics --textfile ~/bus.prom"""
# Everyone may read what a scraper reads.
_READABLE = 0o644
Sample = tuple[dict[str, str], float]
# name: (type, what it says)
FAMILIES = {
    "cadencebus_up": ("gauge", "Whether a consumer lives on this home."),
    "cadencebus_health": ("gauge", "1 for the state of health that the bus is in."),
    "cadencebus_stopped": ("gauge", "Whether the emergency stop is on."),
    "cadencebus_heartbeat_age_seconds": ("gauge", "Since when the consumer was not heard of."),
    "cadencebus_slots": ("gauge", "Sessions that may run at a time."),
    "cadencebus_sessions_running": ("gauge", "Sessions that run now."),
    "cadencebus_ticks_ready": ("gauge", "Ticks that wait and are due."),
    "cadencebus_ticks_deferred": ("gauge", "Ticks that are not due yet."),
    "cadencebus_oldest_ready_seconds": ("gauge", "How long the oldest ready tick has waited."),
    "cadencebus_hold": ("gauge", "1 for each hold that keeps ticks from being claimed."),
    "cadencebus_circuit_open": ("gauge", "1 open, 0.5 waiting for a probe."),
    "cadencebus_dead_letters": ("gauge", "Dead letters by what they died of."),
    "cadencebus_failures_in_a_row": ("gauge", "Failed runs of a cadence since its last good one."),
    "cadencebus_last_ok_timestamp_seconds": ("gauge", "When a cadence ended well last."),
    "cadencebus_runs_total": ("counter", "Runs that ended, by class; starts anew at midnight UTC."),
    "cadencebus_turns_total": ("counter", "Turns of agents; starts anew at midnight UTC."),
    "cadencebus_tokens_total": ("counter", "Tokens by kind; starts anew at midnight UTC."),
    "cadencebus_usd_total": ("counter", "Money spent in US dollars; starts anew at midnight UTC."),
    "cadencebus_run_seconds": ("summary", "How long today's runs took."),
    "cadencebus_slot_wait_seconds": ("summary", "How long today's ticks waited until they ran."),
}


def main(words: list[str], context: Context) -> int:
    """Print it, or write it where node_exporter looks."""
    parser = Parser("metrics", "The bus in numbers, as Prometheus reads them.", EXAMPLES)
    parser.add_argument(
        "--textfile", type=a_word, metavar="PATH", help="replace this file, for node_exporter, in one step"
    )
    asked = parser.parse_args(words)
    now = time.time()
    found = samples(context.home, now)
    if Output(context).json:
        if asked.textfile:
            raise Usage("metrics: --textfile is Prometheus' own form, not JSON")
        flat = [
            {"name": name, "labels": labels, "value": value}
            for name, values in found.items()
            for labels, value in values
        ]
        Output(context).document(flat)
        return 0
    text = exposition(found)
    if asked.textfile:
        _write(os.path.abspath(os.path.expanduser(asked.textfile)), text.encode())
    else:
        sys.stdout.write(text)
    return 0


def samples(home: Home, now: float) -> dict[str, list[Sample]]:
    """Every number, by the name of its family or, in a summary, of its series."""
    found: dict[str, list[Sample]] = {}
    for name, labels, value in (*_now(*overview(home, now)), *_memory(home, now), *_today(home, now)):
        found.setdefault(name, []).append((labels, value))
    return found


def _now(facts: Facts, verdict: Verdict) -> Iterator[tuple[str, dict[str, str], float]]:
    yield "cadencebus_up", {}, float(facts.consumer.alive)
    for state in (health.WELL, health.ILL, health.CANT_TELL):
        yield "cadencebus_health", {"state": state}, float(verdict.health == state)
    yield "cadencebus_stopped", {}, float(facts.stopped)
    silent = facts.consumer.silent_seconds
    if facts.consumer.alive and silent is not None:
        yield "cadencebus_heartbeat_age_seconds", {}, max(0.0, round(silent, 3))
    yield "cadencebus_slots", {}, facts.slots
    yield "cadencebus_sessions_running", {}, sum(run.alive for run in facts.running)
    for row in facts.queue:
        cadence = {"cadence": row.cadence}
        yield "cadencebus_ticks_ready", cadence, row.ready
        yield "cadencebus_ticks_deferred", cadence, row.deferred
        if row.oldest_at is not None:
            waited = max(0.0, round(facts.at - row.oldest_at, 3))
            yield "cadencebus_oldest_ready_seconds", cadence, waited
    for hold in facts.holds:
        yield "cadencebus_hold", {"scope": hold.scope, "reason": hold.reason, "file": hold.file}, 1
    for circuit in facts.circuits:
        yield "cadencebus_circuit_open", {"cadence": circuit.cadence}, 1 if circuit.is_open else 0.5
    for klass, count in facts.dead.classes.items():
        yield "cadencebus_dead_letters", {"class": klass}, count


def _memory(home: Home, now: float) -> Iterator[tuple[str, dict[str, str], float]]:
    memory = Memories(home)
    for name in memory.names():
        try:
            known = memory.load(name, now, mend=False)
        except OSError:
            continue
        yield "cadencebus_failures_in_a_row", {"cadence": name}, amount(known.get("failures")) or 0
        well = instant(known.get("last_ok_at"))
        if well is not None:
            yield "cadencebus_last_ok_timestamp_seconds", {"cadence": name}, well


def _today(home: Home, now: float) -> Iterator[tuple[str, dict[str, str], float]]:
    """Counters of the day: what retention removes must never look like runs that happened again."""
    for rollup in rollups.daily(home, day(now), os.environ):
        for name, figures in sorted(rollup.cadences.items()):
            cadence = {"cadence": name}
            for klass, count in sorted(figures.classes.items()):
                yield "cadencebus_runs_total", {**cadence, "class": klass}, count
            yield "cadencebus_turns_total", cadence, figures.turns
            for kind, spent in sorted(figures.tokens.items()):
                yield "cadencebus_tokens_total", {**cadence, "kind": kind}, spent
            yield "cadencebus_usd_total", cadence, round(figures.usd, 6)
            for series, spread in (("run_seconds", figures.seconds), ("slot_wait_seconds", figures.waited)):
                for share in (0.5, 0.95, 1.0):
                    value = round(spread.rank(share), 3)
                    yield f"cadencebus_{series}", {**cadence, "quantile": f"{share:g}"}, value
                yield f"cadencebus_{series}_sum", cadence, round(spread.total, 3)
                yield f"cadencebus_{series}_count", cadence, spread.count


def exposition(found: dict[str, list[Sample]]) -> str:
    """The text format 0.0.4: HELP and TYPE once for each family, its samples right behind them."""
    lines = []
    for family, (kind, what) in FAMILIES.items():
        series = [family, f"{family}_sum", f"{family}_count"] if kind == "summary" else [family]
        if not any(name in found for name in series):
            continue
        lines += [f"# HELP {family} {what}", f"# TYPE {family} {kind}"]
        for name in series:
            lines += [f"{name}{_labels(labels)} {value:.15g}" for labels, value in found.get(name, ())]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return clean(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _write(path: str, data: bytes) -> None:
    """Put it in place with one rename: a scraper sees the old numbers or the new."""
    # node_exporter reads only names that end in .prom, so it never sees this one.
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        files.discard(temporary)
        files.write_new(temporary, data, durable=False)
        os.chmod(temporary, _READABLE)
        os.rename(temporary, path)
    except OSError as error:
        files.discard(temporary)
        raise CantCreate(
            f"{path}: {error.strerror}", next_step="name a file in a folder that exists"
        ) from None
