"""The consumer and its supervisor: alive, alone, heard of, of our version, not dying again and again."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from cadencebus import __version__
from cadencebus.checkup.finding import count, found
from cadencebus.clock import parse_rfc3339
from cadencebus.daemon import supervision
from cadencebus.session import lineage
from cadencebus.store import files, lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.store.paths import Home

# Three heartbeats.
_SILENT = 90.0
_RECENT = 3600.0
_DEATHS = 3


def consumer(patient: Patient) -> Iterator[Finding]:
    """Alive, heard of, and of our version."""
    if files.exists(patient.home.stop):
        yield found("stop.on", "the emergency stop is on")
    said = patient.consumer
    if not patient.consumed:
        yield from _absent(patient)
        return
    if said is None:
        yield found("consumer.unknown", "somebody holds the consumer's lock, and has not said who it is")
        return
    silent = patient.now - _instant(said.get("heartbeat_at"), patient.now)
    if silent > _SILENT:
        yield found("consumer.silent", f"the consumer lives, but was silent for {silent:.0f} s")
    holder, pid = _lock_holder(patient), said.get("pid")
    if holder is not None and holder != pid:
        what = f"state/ is locked by pid {holder} ({_name(holder)}), while consumer.json says {pid}"
        yield found("consumer.stranger", what, f"ps {holder}")
    if said.get("version") not in {None, __version__}:
        yield found("consumer.version", f"the consumer is version {said['version']}, this is {__version__}")


def _absent(patient: Patient) -> Iterator[Finding]:
    if os.path.lexists(patient.home.consumer):
        mend = functools.partial(_forget_consumer, patient.home)
        pid = (patient.consumer or {}).get("pid", "?")
        yield found("consumer.crashed", f"the consumer (pid {pid}) is gone without a farewell", mend=mend)
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
    if not said.supervisor.lives():
        if said.parked:
            yield found("consumer.parked", f"the consumer is parked: {said.reason}")
        else:
            mend = functools.partial(_forget_supervisor, patient.home)
            yield found("supervisor.stale", "the supervisor that kept the consumer up is gone", mend=mend)
        return
    deaths = [death for death in said.deaths if patient.now - _instant(death.at, 0.0) < _RECENT]
    if len(deaths) >= _DEATHS:
        what = f"the consumer died {len(deaths)} times in the last hour, lastly of {deaths[-1].cause}"
        yield found("consumer.dies", what)


def _lock_holder(patient: Patient) -> int | None:
    """The process that the kernel says holds the lock; None where it says nothing."""
    if not lineage.LINUX:
        return None
    at = os.stat(patient.home.state)
    wanted = f"{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}"
    with open("/proc/locks", encoding="ascii", errors="replace") as lines:
        for line in lines:
            fields = line.split()
            if len(fields) > 5 and fields[1:4:2] == ["FLOCK", "WRITE"] and fields[5] == wanted:  # noqa: PLR2004
                # In another pid namespace it has no number here.
                return int(fields[4]) if int(fields[4]) > 0 else None
    return None


def _name(pid: int) -> str:
    return lineage.describe(pid)["name"] or "?"


def _instant(text: object, otherwise: float) -> float:
    try:
        return parse_rfc3339(text) if isinstance(text, str) else otherwise
    except (ValueError, OverflowError):
        return otherwise
