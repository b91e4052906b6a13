"""The consumer and its supervisor: alive, alone, heard of, of our version, not dying again and again."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, NamedTuple

from cadencebus import __version__
from cadencebus.checkup.finding import found
from cadencebus.daemon import supervision
from cadencebus.daemon.consumer_note import SILENT
from cadencebus.model.duration import spell_duration
from cadencebus.model.foreign import instant
from cadencebus.model.legible import one_line
from cadencebus.model.wording import count
from cadencebus.session import process_tree
from cadencebus.store import files, lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.store.paths import Home

_RECENT = 3600.0
# This many deaths within an hour are no accident.
DEATHS = 3


def consumer(patient: Patient) -> Iterator[Finding]:
    """Alive, heard of, and of our version."""
    if files.exists(patient.home.stop):
        yield found("stop.on", "the emergency stop is on")
    said = patient.consumer
    if not patient.consumed:
        yield from _absent(patient)
        return
    if said.note is None:
        yield _unknown(patient)
        return
    holder, pid, silent = lock.holder(patient.home), said.pid, said.silent_seconds
    if pid is not None and process_tree.stopped(pid):
        yield found(
            "consumer.frozen", f"the consumer (pid {pid}) was stopped by a signal", f"kill -CONT {pid}"
        )
    if silent is not None and silent > SILENT:
        yield found(
            "consumer.silent",
            f"the consumer is alive, but has been silent for {spell_duration(round(silent))}",
        )
    if holder is not None and holder != pid:
        what = f"state/ is locked by pid {holder} ({_name(holder)}), while consumer.json says {pid}"
        yield found("consumer.stranger", what, f"ps {holder}")
    if said.version not in {"", __version__}:
        yield found("consumer.version", f"the consumer is version {said.version}, this is {__version__}")


def _unknown(patient: Patient) -> Finding:
    other = stranger(patient.home)
    if other is None:
        return found("consumer.unknown", "somebody holds the consumer's lock, and has not said who it is")
    return found(
        "consumer.stranger", f"state/ is locked by {other}, which is no consumer", f"kill {other.pid}"
    )


class Stranger(NamedTuple):
    """A process that holds the consumer's lock and is none."""

    pid: int
    words: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.words})"


def stranger(home: Home) -> Stranger | None:
    """Who holds the lock without being a consumer, as far as the kernel tells."""
    pid = lock.holder(home)
    if pid is None or process_tree.is_the_bus(pid):
        return None
    words = one_line(process_tree.describe(pid)["cmdline"])
    return Stranger(pid, words) if words else None


def _absent(patient: Patient) -> Iterator[Finding]:
    keeper = supervision.alive(patient.home)
    if supervision.parked(patient.home) is not None or (keeper and keeper.state == "waiting"):
        # The supervisor is asked what is wrong.
        return
    if os.path.lexists(patient.home.consumer):
        mend = functools.partial(_forget_consumer, patient.home)
        who = f"the consumer (pid {patient.consumer.pid or '?'})"
        yield found("consumer.crashed", f"{who} is gone: it was killed, or crashed", mend=mend)
        return
    waiting = sum(1 for _ in patient.named("inbox")) + sum(1 for _ in patient.named("claimed"))
    if waiting:
        yield found("consumer.none", f"no consumer is up, for {count(waiting, 'tick')} that could be run").at(
            "ill"
        )
    else:
        yield found("consumer.none", "no consumer is up")


def _forget_consumer(home: Home) -> None:
    # One may have come up since we looked: what lies there now is its own.
    if not lock.is_held(home):
        files.discard(home.consumer)


def _forget_supervisor(home: Home) -> None:
    if supervision.alive(home) is None:
        supervision.forget(home)


def supervisor(patient: Patient) -> Iterator[Finding]:
    """The supervisor: parked, stale, or busy with a consumer that dies again and again."""
    said = supervision.load(patient.home)
    if said is None:
        return
    if supervision.alive(patient.home) is None:
        if said.parked:
            yield found("consumer.parked", f"the consumer is parked: {said.reason}")
        else:
            mend = functools.partial(_forget_supervisor, patient.home)
            yield found("supervisor.stale", "the supervisor that kept the consumer up is gone", mend=mend)
        return
    if process_tree.stopped(said.supervisor.pid):
        what = f"the supervisor (pid {said.supervisor.pid}) was stopped by a signal"
        yield found("consumer.frozen", what, f"kill -CONT {said.supervisor.pid}")
    deaths = recent_deaths(said, patient.now)
    if len(deaths) >= DEATHS or (deaths and said.state == "waiting"):
        times = "" if len(deaths) == 1 else f" {len(deaths)} times in the last hour, lastly of"
        yield found("consumer.dies", f"the consumer died{times or ' of'} {deaths[-1].cause}")


def recent_deaths(keeper: supervision.State, now: float) -> list[supervision.Death]:
    """How the consumer died in the last hour, the last death last."""
    return [death for death in keeper.deaths if now - (instant(death.at) or 0.0) < _RECENT]


def _name(pid: int) -> str:
    return process_tree.describe(pid)["name"] or "?"
