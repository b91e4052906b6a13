"""Every recording of the real CLIs, judged right: what they printed, how they ended, what it was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import pytest

from cadencebus.clock import parse_rfc3339
from cadencebus.model.ending import Ending, Stop
from cadencebus.model.legible import clean
from cadencebus.policy.failure import classify
from cadencebus.streams.parser import parser_of

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
NOW = parse_rfc3339("2026-11-21T03:10:00Z")


@dataclass(frozen=True)
class Recording:
    """One run of a real CLI, and what it must be called."""

    name: str
    ending: Ending
    at: float
    klass: str
    retry_at: float | None


def printed(folder: Path, name: str) -> bytes:
    """A log; one that is empty was not kept."""
    log = folder / name
    return log.read_bytes() if log.exists() else b""


def words(data: bytes) -> str:
    """Bytes of a log as text."""
    return clean(data.decode("utf-8", "replace"))


def recording(folder: Path) -> Recording:
    """Read a folder of tests/golden/captures as the session would have gathered it."""
    meta = json.loads((folder / "meta.json").read_text())
    stdout, stderr = printed(folder, "stdout"), printed(folder, "stderr")
    parser = parser_of(meta["stream"])
    if parser is not None:
        parser.feed(stdout, 1.0)
        parser.finish()
    stopped = meta.get("stopped")
    ending = Ending(
        exit_code=meta["exit_code"],
        signal=meta.get("signal"),
        spawn_error=meta.get("spawn_error"),
        spawn_what="binary" if "spawn_error" in meta else None,
        stop=Stop(klass=stopped, by="consumer", at=NOW, detail="no output for 1200 s") if stopped else None,
        ran_s=meta["ran_s"],
        agent=parser is not None,
        report=parser.report if parser else None,
        stdout_tail=words(stdout[-4096:]),
        stderr_tail=words(stderr[-4096:]),
        stderr_head=words(stderr[:2048]),
        resumed=meta.get("resumed", False),
    )
    at, retry_at = meta.get("at"), meta.get("retry_at")
    return Recording(
        name=folder.name,
        ending=ending,
        at=parse_rfc3339(at) if at else NOW,
        klass=meta["class"],
        retry_at=parse_rfc3339(retry_at) if retry_at else None,
    )


RECORDINGS = [recording(meta.parent) for meta in sorted(CAPTURES.glob("*/meta.json"))]


@pytest.mark.parametrize("run", RECORDINGS, ids=[run.name for run in RECORDINGS])
def test_every_recording_is_judged_right(run: Recording) -> None:
    """The class, and the time to try again where one is told."""
    verdict = classify(run.ending, now=run.at, tz=UTC)
    assert verdict.klass == run.klass
    assert verdict.retry_at == run.retry_at


@pytest.mark.parametrize("run", RECORDINGS, ids=[run.name for run in RECORDINGS])
def test_every_reason_is_one_line_for_people(run: Recording) -> None:
    """Short, clean, and it names the words of the CLI where there were some."""
    reason = classify(run.ending, now=run.at, tz=UTC).reason
    assert 10 < len(reason) < 400
    assert reason == clean(reason)
    assert "\n" not in reason
    result = run.ending.report.result if run.ending.report else None
    if result and result.is_error and result.text:
        assert result.text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split("\n")[0][:40] in reason


def test_the_recordings_are_those_that_were_made() -> None:
    """What is expected of them was written by hand; nobody lets it slide with the code."""
    assert Counter(run.klass for run in RECORDINGS) == {
        "ok": 99,
        "never_ran": 36,
        "aborted": 30,
        "auth": 27,
        "overloaded": 25,
        "rate_limited": 23,
        "network": 20,
        "stalled": 10,
        "prompt_too_long": 9,
        "resume_unknown": 7,
        "billing": 6,
        "invalid_request": 5,
        "output_limit": 5,
        "truncated": 5,
        "contract_missing": 4,
        "turn_limit": 4,
        "budget": 3,
        "refused": 3,
    }
    assert sum(run.retry_at is not None for run in RECORDINGS) == 10
