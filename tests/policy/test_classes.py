"""The table of classes is whole: each has its numbers and its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from cadencebus.policy.classes import CLASSES, Class, Fate, verdict_on

# class, attempt (counts toward retries), circuit, what follows: as the law of endings says it.
LAW = """
ok                no   closes  done
contract_missing  yes  fails   retry
skipped           no   leaves  done
expired           no   leaves  done
duplicate         no   leaves  done
absorbed          no   leaves  done
rate_limited      no   leaves  again
auth              no   leaves  again
billing           no   leaves  again
overloaded        yes  fails   retry
network           yes  fails   retry
never_ran         no   leaves  again
no_resources      no   leaves  again
bad_prompt        dead leaves  dead
turn_limit        yes  leaves  retry
budget            yes  leaves  retry
prompt_too_long   dead fails   dead
refused           dead fails   dead
output_limit      dead fails   dead
invalid_request   dead fails   dead
resume_unknown    no   leaves  again
timeout           yes  fails   retry
stalled           yes  fails   retry
wedged            yes  fails   retry
log_overflow      yes  fails   retry
killed            no   leaves  killed
aborted           yes  fails   retry
interrupted       no   leaves  again
truncated         yes  fails   retry
crash             yes  fails   retry
ex_config         dead fails   dead
ex_tempfail       yes  leaves  retry
"""
ROWS = [row.split() for row in LAW.strip().splitlines()]


@pytest.mark.parametrize(("name", "attempt", "circuit", "follows"), ROWS, ids=[row[0] for row in ROWS])
def test_each_class_counts_and_ends_as_the_law_says(
    name: str, attempt: str, circuit: str, follows: str
) -> None:
    """Whether it counts, what it does to the circuit, and what becomes of the tick."""
    row = CLASSES[Class(name)]
    assert row.counted is (attempt != "no")
    assert row.circuit == circuit
    assert row.fate is Fate[follows.upper()]


def test_the_law_names_every_class_and_no_other() -> None:
    """Neither side may grow alone."""
    assert {row[0] for row in ROWS} == set(Class) == set(CLASSES)


@pytest.mark.parametrize("klass", Class)
def test_every_class_has_words_for_people(klass: Class) -> None:
    """One plain sentence that says what happened, and what an operator does about it."""
    row = CLASSES[klass]
    assert row.saying
    assert row.saying[0].islower()
    assert not row.saying.endswith(".")
    assert row.cure.endswith(".")
    assert "\n" not in row.saying + row.cure


def test_the_status_in_done_is_what_it_was() -> None:
    """Every other class that ends a tick ends it in dead/."""
    lying_in_done = {klass for klass, row in CLASSES.items() if row.status != "dead"}
    assert lying_in_done == {k for k, row in CLASSES.items() if row.fate in {Fate.DONE, Fate.KILLED}}
    assert {CLASSES[klass].status for klass in lying_in_done} == set(lying_in_done)


def test_a_verdict_may_spare_the_circuit_but_never_burden_it() -> None:
    """What a class leaves alone stays alone."""
    assert verdict_on(Class.CRASH, "why").counts_circuit
    assert not verdict_on(Class.CRASH, "why", counts_circuit=False).counts_circuit
    assert not verdict_on(Class.AUTH, "why", counts_circuit=True).counts_circuit


def test_the_document_says_what_the_table_says() -> None:
    """docs/failures.md has a row for each class, with what it counts."""
    document = (Path(__file__).parents[2] / "docs" / "failures.md").read_text(encoding="utf-8")
    rows = {
        cells[1].strip(" `"): [cell.strip() for cell in cells[2:5]]
        for line in document.splitlines()
        if len(cells := line.split("|")) == 7
    }
    circuit = {"fails": "yes", "closes": "closes", "leaves": "–"}
    for klass, row in CLASSES.items():
        assert rows[str(klass)] == [row.saying, "yes" if row.counted else "–", circuit[row.circuit]]
