"""The same id in two places, as a backup, a `mv` or a power cut leaves it: one of them is the tick."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cadence

QUICK = "settle: 50ms\nmax_sessions: {slots}\ndefaults: {{runner: command, overlap: queue}}\n"
STAMP = "20261121T023000.{:06d}Z"
LATER = "20991231T000000.000000Z"
PLACES = {
    "done": "done/2026-11-21/{}",
    "dead": "dead/{}",
    "claimed": "claimed/{}",
    "inbox": "inbox/{}",
    "deferred": f"deferred/{LATER}~{{}}",
}
# Who has the better right to an id; the first two before the rest, then whose past is the longer one.
ENDED = {"done", "dead"}
ATTEMPT = {"n": 1, "class": "interrupted", "counted": False}


@pytest.fixture
def put(home: Path) -> Callable[..., Path]:
    """Put a tick somewhere by hand."""
    (home / "state" / "done" / "2026-11-21").mkdir(mode=0o700)
    for name in ("works", "other"):
        (home / "prompts" / f"{name}.md").write_text('---\ncommand: ["true"]\n---\nHello\n')

    def write(
        place: str, number: int, *, priority: int = 5, cadence: str = "works", **members: object
    ) -> Path:
        name = f"{priority}-{STAMP.format(number)}-{cadence}-7f3k9q2m.json"
        path = home / "state" / PLACES[place].format(name)
        whole: dict[str, Any] = {"cadence": cadence, "payload": {"place": place}, **members}
        if place in ENDED:
            status = "ok" if place == "done" else "dead"
            whole["outcome"] = {"status": status, "class": "ok", "finished_at": "2026-11-21T03:00:00Z"}
        if place == "deferred":
            whole["not_before"] = "2099-12-31T00:00:00Z"
        path.write_text(json.dumps(whole))
        return path

    return write


def where(home: Path, number: int) -> list[str]:
    """Every place where a tick of this number lies under its own id."""
    found = [str(path.relative_to(home / "state")) for path in (home / "state").rglob("*.json")]
    return [path for path in found if f"{STAMP.format(number)}-" in path and "runs/" not in path]


def test_a_restart_leaves_each_id_in_one_place_whatever_its_priority(
    home: Path, cadence: Cadence, put: Callable[..., Path]
) -> None:
    """A copy that was made before a `bump` has another name, and is the same tick all the same."""
    (home / "cadence.yaml").write_text(QUICK.format(slots=0))
    pairs = [(one, two, priority) for one, two in combinations(PLACES, 2) for priority in (5, 2)]
    pairs += [("inbox", "inbox", 2), ("deferred", "deferred", 2)]
    for number, (one, two, priority) in enumerate(pairs):
        put(one, number)
        put(two, number, priority=priority)
    longer = len(pairs)
    put("inbox", longer, attempts=[ATTEMPT])
    put("claimed", longer)
    put("inbox", longer + 1)
    put("inbox", longer + 1, priority=7, attempts=[ATTEMPT])
    cadence("run", "--for", "0s")
    for number, pair in enumerate(pairs):
        assert len(where(home, number)) == 1, (pair, where(home, number))
    for number, (one, _, _) in enumerate(pairs):
        if one in ENDED:
            assert where(home, number)[0].startswith(one), (one, where(home, number))
    for number in (longer, longer + 1):
        (kept,) = where(home, number)
        assert json.loads((home / "state" / kept).read_text())["attempts"], "the longer past is kept"
    letters = [json.loads(path.read_text()) for path in (home / "state" / "dead").glob("*.json")]
    lost = [letter for letter in letters if letter["outcome"]["class"] == "duplicate_id"]
    assert len(lost) == len(pairs) + 2
    assert all((home / "state" / "dead" / letter["outcome"]["raw"]).exists() for letter in lost)
    told = "".join(path.read_text() for path in (home / "state" / "events").iterdir())
    assert all(letter["id"] in told for letter in lost)


def test_an_id_that_has_ended_or_belongs_to_another_cadence_is_not_run_again(
    home: Path, cadence: Cadence, put: Callable[..., Path]
) -> None:
    """Whatever priority or cadence its copy is named by: an id is one tick, and its runs are one folder's."""
    (home / "cadence.yaml").write_text(QUICK.format(slots=2))
    for place, number in (("done", 1), ("dead", 2), ("claimed", 3)):
        put(place, number)
    assert cadence("run", "--drain").returncode == 0
    ran = len(list((home / "state").glob("runs/*/*")))
    for number in (1, 2, 3):
        put("inbox", number, priority=2)
    put("inbox", 3, cadence="other")
    assert cadence("run", "--drain").returncode == 0
    assert len(list((home / "state").glob("runs/*/*"))) == ran
    for number in (1, 2, 3):
        assert len(where(home, number)) == 1, where(home, number)


def test_a_name_that_speaks_of_another_cadence_is_put_right(
    home: Path, cadence: Cadence, put: Callable[..., Path]
) -> None:
    """The content says whose tick it is: it runs as such, under the name that it ought to have."""
    (home / "cadence.yaml").write_text(QUICK.format(slots=2) + "unknown_grace: 100ms\n")
    for number, said in enumerate(("works", "nobody-knows")):
        put("inbox", number, cadence=said)
        (path,) = (home / "state" / "inbox").glob(f"*-{said}-*")
        path.write_text('{"cadence": "other"}')
    put("inbox", 2, cadence="works")
    assert cadence("run", "--drain").returncode == 0
    for number, said in enumerate(("other", "other", "works")):
        assert where(home, number) == [
            f"done/{Path(where(home, number)[0]).parts[1]}/5-{STAMP.format(number)}-{said}-7f3k9q2m.json"
        ]


def test_what_becomes_due_is_taken_up_like_what_arrives(
    home: Path, cadence: Cadence, put: Callable[..., Path]
) -> None:
    """A copy whose tick runs took its flight away; what had waited kept a priority that nobody gave it."""
    (home / "cadence.yaml").write_text(QUICK.format(slots=2))
    (home / "prompts" / "works.md").write_text('---\ncommand: [sleep, "1"]\npriority: 3\n---\nHello\n')
    soon = datetime.now(UTC) + timedelta(seconds=0.6)
    for number, place in enumerate(("inbox", "deferred", "deferred")):
        path = put(place, max(0, number - 1), priority=3 if number < 2 else 5)
        if place == "deferred":
            path.rename(path.with_name(path.name.replace(LATER, soon.strftime("%Y%m%dT%H%M%S.%fZ"))))
    for path in (home / "state" / "deferred").iterdir():
        path.write_text(json.dumps({"cadence": "works"}))
    (copy,) = (home / "state" / "deferred").glob("*~3-*")
    copy.rename(aside := home / "copy.json")
    ended = threading.Thread(target=lambda: codes.append(cadence("run", "--drain").returncode))
    codes: list[int] = []
    ended.start()
    while not list((home / "state").glob("runs/*/*/alive")):
        assert ended.is_alive()
        time.sleep(0.01)
    aside.rename(copy)
    ended.join()
    assert codes == [0]
    assert where(home, 0)[0].startswith("done/"), where(home, 0)
    assert Path(where(home, 1)[0]).name.startswith("3-"), where(home, 1)
    assert len(list((home / "state").glob("runs/*/*"))) == 2
