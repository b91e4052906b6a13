"""What the journal tells of runs that ended, whatever else somebody has written into it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.clock import day, rfc3339
from cadencebus.desk import ended_runs
from cadencebus.desk.ended_runs import failures, newest, runs
from cadencebus.store.paths import Home

NOW = 1795262400.0
# Half a day apart, so that several days have a journal: the event of each, its cadence, its class.
TOLD = st.lists(
    st.tuples(
        st.sampled_from(["run.ended", "run.ended", "tick.done", "torn"]),
        st.sampled_from("ab"),
        st.sampled_from(["ok", "crash"]),
    ),
    max_size=9,
)


def test_lines_that_somebody_wrote_by_hand_are_no_trouble(home: Path) -> None:
    """A class that is a list, a run that is none: what went wrong is told all the same."""
    odd: list[dict[str, object]] = [{"class": ["ok"]}, {"class": {}}, {"at": []}, {"run": [1]}]
    lines = [{"event": "run.ended", "class": "crash", "at": rfc3339(NOW), "run": "b.1"} | one for one in odd]
    lines += [
        {"event": "run.ended", "class": klass, "at": rfc3339(NOW), "run": "a.1"} for klass in ("ok", "crash")
    ]
    journal = home / "state" / "events" / "2026-11-21.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in [*lines, "run.ended", ["run.ended"]]))
    found = failures(Home(str(home)), NOW - 60, 10)
    assert {str(run.line["run"]) for run in found} == {"a.1", "b.1", "[1]"}


@settings(max_examples=30)
@given(told=TOLD, piece=st.integers(1, 300), most=st.integers(1, 9), since=st.integers(0, 9))
def test_read_forwards_or_backwards_they_are_the_same(
    told: list[tuple[str, str, str]], piece: int, most: int, since: int
) -> None:
    """The newest are the last of all, however the journal is cut; each is told once."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ended_runs, "_PIECE", piece)
        home, ends = Home(folder), []
        Path(home.events).mkdir(parents=True)
        for at, (event, cadence, klass) in enumerate(told):
            when = NOW + 43200 * at
            line = {"at": rfc3339(when), "event": event, "cadence": cadence, "class": klass, "run": f"r.{at}"}
            with (Path(home.events) / f"{day(when)}.jsonl").open("a") as journal:
                journal.write('{"event": "run.ended"\n' if event == "torn" else f"{json.dumps(line)}\n" * 2)
            if event == "run.ended" and at >= since:
                ends.append((f"r.{at}", cadence, klass))
        first = NOW + 43200 * since
        for asked in (None, "a"):
            own = [run for run, whose, _ in ends if asked in {None, whose}]
            assert [one.line["run"] for one in runs(home, first, asked)] == own
            assert [one.line["run"] for one in newest(home, first, asked, most)] == own[-most:]
        bad = [run for run, _, klass in ends if klass == "crash"]
        assert [one.line["run"] for one in failures(home, first, most)] == bad[-most:]


def test_what_a_run_cost_and_waited_is_a_number_or_nothing(home: Path) -> None:
    """Whatever somebody wrote there."""
    line = {"event": "run.ended", "at": rfc3339(NOW), "run": "a.1", "seconds": 7, "waited": 3, "usd": 0.5}
    odd = {**line, "run": "a.2", "seconds": "x", "waited": [], "usd": None}
    (home / "state" / "events" / "2026-11-21.jsonl").write_text(f"{json.dumps(line)}\n{json.dumps(odd)}\n")
    told = [(one.seconds, one.waited, one.usd) for one in runs(Home(str(home)), 0)]
    assert told == [(7, 3, 0.5), (0, None, None)]
