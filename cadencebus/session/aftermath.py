"""What a run left behind, gathered into the one value that judgement looks at."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.model import legible
from cadencebus.model.ending import Ending, Stop
from cadencebus.model.foreign import sequence
from cadencebus.policy import contract
from cadencebus.session import environment
from cadencebus.store import runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.ending import Report
    from cadencebus.session.life import ExitRecord
    from cadencebus.store.runs import RunFolder

TAIL = 4096
# Read before the tail, so that what gives a secret or an escape away is not cut off from it.
_BEFORE = 4096


def clean(data: bytes, known: Sequence[str] = ()) -> str:
    """A log's bytes as text that is safe to show: no control bytes, no secrets, the known ones neither."""
    return legible.redacted(legible.without(known, legible.clean(data.decode("utf-8", "replace"))))


def _tail(data: bytes, known: Sequence[str]) -> str:
    """The last 4 KB of what may be shown of a log."""
    return clean(data, known).encode()[-TAIL:].decode("utf-8", "ignore") if data else ""


def gather(
    run: RunFolder,
    cadence: Cadence,
    cwd: str,
    end: ExitRecord | None,
    report: Report | None,
    *,
    env: Mapping[str, str],
    started_at: float,
    ran_s: float,
) -> Ending:
    """Everything known about how the run ended; what `env` calls secret it repeats nowhere."""
    note = runs.read_ending(run)
    out, err = (runs.tail(run.file(log), _BEFORE + TAIL) for log in ("stdout.log", "stderr.log"))
    known = environment.secrets(env) if out or err else ()
    return Ending(
        exit_code=end.code if end else None,
        signal=end.signal if end else None,
        spawn_error=end.spawn_error if end else None,
        spawn_what=end.spawn_what if end else None,
        spawn_name=_named(run, cadence, end.spawn_what) if end and end.spawn_error else "",
        stop=_stop(note),
        interrupted=end is None,
        ran_s=ran_s,
        agent=report is not None,
        report=_discreet(report, known),
        stdout_tail=_tail(out, known),
        stderr_tail=_tail(err, known),
        stderr_head=clean(runs.head(run.file("stderr.log")), known) if err else "",
        contract_unmet=_contract(run, cadence, cwd, started_at),
        slash=cadence.slash,
        result_required=cadence.expect.result == "success",
    )


def _discreet(report: Report | None, known: Sequence[str]) -> Report | None:
    """The report, without the known secrets in its last words."""
    if report is None or report.result is None or not known:
        return report
    text = legible.without(known, report.result.text)
    errors = tuple(legible.without(known, error) for error in report.result.errors)
    return replace(report, result=replace(report.result, text=text, errors=errors))


def _named(run: RunFolder, cadence: Cadence, what: str | None) -> str:
    """How the thing is called that could not be had: the program or the folder, as they were asked for."""
    if what == "cwd":
        return cadence.cwd or "."
    argv = runs.record(run).get("argv")
    return str(argv[0]) if isinstance(argv, list) and argv else ""


def _stop(note: dict[str, Any] | None) -> Stop | None:
    """Why the bus ended it; a note that makes no sense still says that it did, so nothing is counted."""
    if note is None:
        return None
    try:
        return Stop.parse(note)
    except (ValueError, TypeError):
        return Stop(klass="killed", by="unknown", at=0.0, requeue=True, detail="ending.json makes no sense")


def looks(paths: Sequence[str], cwd: str) -> list[list[int] | None]:
    """What the files that are expected look like now: before the run, so that its own work can be told."""
    found = (_look(os.path.join(cwd, path)) for path in paths)
    return [look and list(look) for look in found]


def _look(path: str) -> tuple[int, int, int] | None:
    """Its size, when it was written and when it was changed, in nanoseconds; an empty folder has no size."""
    try:
        at = os.stat(path)
        size = len(os.listdir(path)) if stat.S_ISDIR(at.st_mode) else at.st_size
    except OSError:
        return None
    return size, at.st_mtime_ns, at.st_ctime_ns


def _contract(run: RunFolder, cadence: Cadence, cwd: str, started_at: float) -> str | None:
    expected = cadence.expect.file
    now = looks(expected, cwd)
    before = sequence(runs.record(run).get("expected")) if expected else []
    # A record of older make, or a contract that was edited meanwhile: then the stamps are all there is.
    before = before if len(before) == len(now) else [None] * len(now)
    seen = {
        path: None if look is None else contract.Seen(look[0], look[1] / 1e9, changed=look != former)
        for path, look, former in zip(expected, now, before, strict=True)
    }
    proof = cadence.expect.proof and os.path.exists(run.file("proof"))
    return contract.unmet(cadence.expect, seen, proof=proof, started_at=started_at)
