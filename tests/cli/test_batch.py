"""`cadence enqueue --batch`: all lines or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.bus import Bus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]

SOON = "2026-11-21T02:30:00Z"
FAR = "2099-01-01T00:00:00Z"


def test_every_key_of_a_producer_is_kept(cadence: Cadence, define: Define, ticks: Ticks) -> None:
    """What a line says is what the tick says; the rest is filled in."""
    define("work")
    mine = {"cadence": "work", "priority": 2, "payload": {"ü": [1, None]}, "key": "k", "source": "jobs"}
    line = mine | {"expires_at": FAR, "force": True, "colour": "blue", "hops": 3}
    late = {"cadence": "work", "not_before": FAR}
    ended = cadence("enqueue", "--batch", "-", stdin=f"{json.dumps(line)}\n\n{json.dumps(late)}")
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.split()
    tick = ticks("inbox")[first]
    assert {key: tick[key] for key in line} == line
    assert tick["created_at"]
    assert ticks("deferred")[second]["source"] == "cli"


def test_ids_sort_in_the_order_of_the_lines(cadence: Cadence, define: Define, ticks: Ticks) -> None:
    """Ticks of one cadence start in `ls` order, which is then the order of the file."""
    define("work")
    ended = cadence("enqueue", "--batch", "-", "--json", stdin='{"cadence": "work"}\n' * 50)
    ids = [json.loads(line)["id"] for line in ended.stdout.splitlines()]
    assert ids == sorted(ids) == list(ticks("inbox"))


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("{", 65, "not JSON"),
        ("[]", 65, "not a JSON object"),
        ('{"cadence": "work", "cadence": "work"}', 65, "stands twice"),
        ('{"cadence": "wrok"}', 66, "did you mean 'work'?"),
        ('{"cadence": "../x"}', 65, "can't name a cadence"),
        ('{"payload": {}}', 65, "cadence"),
        ('{"cadence": "work", "priority": 10}', 65, "0 to 9"),
        ('{"cadence": "work", "priority": true}', 65, "priority: true or false"),
        ('{"cadence": "work", "not_before": "soon"}', 65, "not_before"),
        ('{"cadence": "work", "id": null}', 65, "id: None"),
        ('{"cadence": "work", "hops": 17}', 65, "a loop"),
        ('{"cadence": "work", "attempts": [{}]}', 65, "only the bus itself"),
        ('{"cadence": "work", "outcome": {"status": "ok"}}', 65, "only the bus itself"),
        ('{"cadence": "work", "payload": {"x": "' + "y" * (1 << 20) + '"}}', 65, "more than 1048576 bytes"),
        ("\ufeff{}", 65, "byte order mark"),
    ],
)
def test_one_bad_line_refuses_all_and_is_named(
    home: Path, cadence: Cadence, define: Define, line: str, code: int, says: str
) -> None:
    """Nothing is visible afterwards, nothing printed."""
    define("work")
    path = home / "jobs.jsonl"
    path.write_text('{"cadence": "work"}\n' + line + '\n{"cadence": "work"}\n')
    ended = cadence("enqueue", "--batch", "jobs.jsonl")
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith("cadence: jobs.jsonl:2: ")
    assert says in ended.stderr
    assert "nothing was accepted" in ended.stderr
    assert not [*(home / "state" / "inbox").iterdir(), *(home / "state" / "tmp").iterdir()]


def test_the_same_id_twice_is_refused(home: Path, cadence: Cadence, define: Define) -> None:
    """Within the batch, and against what waits already."""
    define("work")
    line = '{"cadence": "work", "id": "20261121T023000.123456Z-7f3k9q2m"}\n'
    assert cadence("enqueue", "--batch", "-", stdin=line * 2).returncode == 65
    assert cadence("enqueue", "--batch", "-", stdin=line).returncode == 0
    again = cadence("enqueue", "--batch", "-", stdin='{"cadence": "work"}\n' + line)
    assert again.returncode == 73
    assert len(list((home / "state" / "inbox").iterdir())) == 1


def test_what_will_not_run_now_is_accepted_with_a_warning(cadence: Cadence, define: Define) -> None:
    """Expired, disabled, broken: the operator hears of it on standard error, once each."""
    define("work")
    define("off", enabled=False)
    define("broken", timeout="soon")
    expired = f'{{"cadence": "work", "expires_at": "{SOON}"}}\n'
    lines = expired * 7 + '{"cadence": "off"}\n' * 2 + '{"cadence": "broken"}\n'
    ended = cadence("enqueue", "--batch", "-", stdin=lines)
    assert (ended.returncode, len(ended.stdout.split())) == (0, 10)
    said = ended.stderr.splitlines()
    assert len(said) == 3
    assert "line 1, 2, 3, 4, 5 and 2 more: already expired" in said[0]
    assert "broken can't run as it is: prompts/broken.md:" in said[1]
    assert "off is disabled: its 2 ticks will wait" in said[2]


def test_a_batch_inside_a_run_goes_one_hop_further(cadence: Cadence, define: Define, ticks: Ticks) -> None:
    """Whatever its lines claim: a loop must end."""
    define("work")
    parent = "20261121T023000.123456Z-7f3k9q2m"
    inside = {"CADENCE_TICK_ID": parent, "CADENCE_HOPS": "4"}
    line = '{"cadence": "work", "hops": 0}'
    (tick,) = cadence("enqueue", "--batch", "-", stdin=line, env=inside).stdout.split()
    assert (ticks("inbox")[tick]["hops"], ticks("inbox")[tick]["parent"]) == (5, parent)
    assert (
        cadence("enqueue", "--batch", "-", stdin=line, env=inside | {"CADENCE_HOPS": "16"}).returncode == 65
    )


def test_a_batch_is_held_to_the_limit_of_the_queue(home: Path, cadence: Cadence, define: Define) -> None:
    """As a whole: exit 75."""
    define("work")
    (home / "cadence.yaml").write_text("max_inbox: 3\n")
    assert cadence("enqueue", "--batch", "-", stdin='{"cadence": "work"}\n' * 4).returncode == 75
    assert cadence("enqueue", "--batch", "-", stdin='{"cadence": "work"}\n' * 3).returncode == 0


def test_a_file_that_is_not_there_is_said(cadence: Cadence) -> None:
    """Exit 66, one line."""
    ended = cadence("enqueue", "--batch", "none.jsonl")
    assert ended.returncode == 66
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_lines_take_bounded_memory(
    home: Path, peak_kb: Callable[..., int], define: Define
) -> None:
    """All of them, durable, in less than 150 MB."""
    define("work")
    (home / "jobs").write_text(
        "".join(f'{{"cadence": "work", "payload": {{"n": {n}}}}}\n' for n in range(100_000))
    )
    assert peak_kb("enqueue", "--batch", "jobs") < 150_000
    assert sum(1 for _ in (home / "state" / "inbox").iterdir()) == 100_000


def test_a_slip_in_the_settings_costs_no_producer_its_ticks(
    cadence: Cadence, define: Define, home: Path, ticks: Ticks
) -> None:
    """The consumer goes on with what it knew; whoever brings work is told, and believed."""
    define("work")
    (home / "cadence.yaml").write_text("max_inbox: [\n")
    for words, brought in ((("--batch", "-"), '{"cadence": "work"}'), (("work",), "")):
        ended = cadence("enqueue", *words, stdin=brought)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.startswith("warning: cadence.yaml:")
        assert "accepted by the default limits" in ended.stderr
        assert ended.stdout.strip() in ticks("inbox")
    assert Bus(home).enqueue("work") in ticks("inbox")
