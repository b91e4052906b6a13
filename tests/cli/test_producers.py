"""docs/producers.md: what it shows works, from Python to a crontab."""

from __future__ import annotations

import json
import plistlib
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus import Bus
from cadencebus.errors import BadData, Misconfigured, NoSuch, TryLater
from cadencebus.policy.timetable import cron_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]

PAGE = (Path(__file__).parents[2] / "docs" / "producers.md").read_text(encoding="utf-8")


def shown(heading: str) -> str:
    """Give the block under a heading of the page."""
    section = PAGE.split(f"\n## {heading}")[1].split("\n## ")[0]
    block = re.search(r"^```\w+\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert block, heading
    return block[1]


def test_python_puts_ticks_in(home: Path, define: Define, ticks: Ticks) -> None:
    """Every member arrives as the consumer will read it."""
    define("work")
    bus = Bus(home)
    tick = bus.enqueue("work", payload={"week": 47}, key="k", priority=1, expires_at=timedelta(days=1))
    written = ticks("inbox")[tick]
    assert (written["payload"], written["key"], written["priority"]) == ({"week": 47}, "k", 1)
    assert written["source"] == "python"
    in_a_day = datetime.now(UTC) + timedelta(days=1)
    assert abs(datetime.fromisoformat(written["expires_at"]) - in_a_day) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2099, 1, 1, 12, tzinfo=UTC),
        datetime(2099, 1, 1, 12, tzinfo=UTC).timestamp(),
        "2099-01-01T12:00:00Z",
    ],
)
def test_a_moment_may_be_said_in_several_ways(
    home: Path, define: Define, ticks: Ticks, moment: datetime | float | str
) -> None:
    """A datetime, epoch seconds, RFC 3339; one in the future makes the tick wait."""
    define("work")
    tick = Bus(home).enqueue("work", not_before=moment)
    assert ticks("deferred")[tick]["_file"].name.startswith("20990101T120000.000000Z~5-")


def test_many_are_put_in_at_once_or_not_at_all(home: Path, define: Define, ticks: Ticks) -> None:
    """In their order; one that can't be refuses all."""
    define("work")
    bus = Bus(home)
    ids = bus.enqueue_many({"cadence": "work", "payload": {"n": n}} for n in range(20))
    assert ids == list(ticks("inbox"))
    for bad, error in (
        ({"cadence": "wrok"}, NoSuch),
        ({"cadence": "work", "priority": 10}, BadData),
        ({"cadence": "work", "payload": {"x": float("nan")}}, BadData),
        ({"cadence": "work", "payload": {"x": object()}}, BadData),
        ({"cadence": "work", "payload": {1: "a", "1": "b"}}, BadData),
        ({"cadence": "work", "payload": {"x": "y" * (1 << 20)}}, BadData),
        ({"cadence": "work", "not_before": "soon"}, BadData),
    ):
        with pytest.raises(error):
            bus.enqueue_many([{"cadence": "work"}, bad])
    assert list(ticks("inbox")) == ids
    assert not list((home / "state" / "tmp").iterdir())


def test_a_full_queue_and_a_missing_home_are_said(home: Path, define: Define, tmp_path: Path) -> None:
    """By the same errors as on the command line; an edit of the limit takes effect at once."""
    define("work")
    (home / "cadence.yaml").write_text("max_inbox: 1\n")
    bus = Bus(home)
    bus.enqueue("work")
    with pytest.raises(TryLater):
        bus.enqueue("work")
    (home / "cadence.yaml").write_text("max_inbox: 22\n")
    bus.enqueue("work")
    with pytest.raises(Misconfigured):
        Bus(tmp_path)
    (home / "state" / "FORMAT").write_text("2\n")
    with pytest.raises(Misconfigured, match="this version knows 1"):
        Bus(home)


def test_inside_a_run_python_goes_one_hop_further(
    home: Path, define: Define, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command does: a loop must end."""
    define("work")
    monkeypatch.setenv("CADENCE_TICK_ID", "20261121T023000.123456Z-7f3k9q2m")
    monkeypatch.setenv("CADENCE_HOPS", "16")
    with pytest.raises(BadData):
        Bus(home).enqueue("work")
    assert not ticks("inbox")
    monkeypatch.setenv("CADENCE_HOPS", "2")
    tick = Bus(home).enqueue("work")
    assert ticks("inbox")[tick]["hops"] == 3


@pytest.mark.parametrize("hops", ["\u00b2", "many", ""])
def test_a_count_of_hops_that_is_none_is_taken_for_zero(
    home: Path, cadence: Cadence, define: Define, ticks: Ticks, monkeypatch: pytest.MonkeyPatch, hops: str
) -> None:
    """A superscript two is a digit to Python, and no number."""
    define("work")
    inside = {"CADENCE_TICK_ID": "20261121T023000.123456Z-7f3k9q2m", "CADENCE_HOPS": hops}
    assert cadence("enqueue", "work", env=inside).returncode == 0
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    Bus(home).enqueue("work")
    assert [tick["hops"] for tick in ticks("inbox").values()] == [1, 1]


def test_the_shells_three_lines_make_one_tick(
    home: Path, cadence: Cadence, define: Define, ticks: Ticks
) -> None:
    """Read from the page, run by sh, taken by a consumer."""
    define("hello")
    lines = [line for line in shown("A shell").splitlines() if "tick" in line][:3]
    assert len(lines) == 3
    subprocess.run(["sh", "-euc", "\n".join(lines)], cwd=home, check=True)
    assert cadence("run", "--drain", "--quiet").returncode == 0
    (tick,) = ticks("done").values()
    assert (tick["source"], tick["outcome"]["status"]) == ("shell", "ok")


def test_the_crontab_is_one(cadence: Cadence, define: Define) -> None:
    """Variables and a line of five fields whose command is the real one."""
    *variables, line = shown("cron").strip().splitlines()
    assert all(re.fullmatch(r"[A-Z_]+=\S+", variable) for variable in variables)
    fields = line.split(None, 5)
    cron_line(" ".join(fields[:5]))
    words = fields[5].split()
    define(words[2])
    assert cadence(*words[1:]).returncode == 0


def test_the_systemd_units_are_valid(cadence: Cadence, define: Define, tmp_path: Path) -> None:
    """The real systemd says so, where there is one; the command is the real one."""
    text = shown("systemd")
    units = re.split(r"^# .*/(\S+)\n", text, flags=re.MULTILINE)[1:]
    files = dict(zip(units[::2], units[1::2], strict=True))
    assert {name.rpartition(".")[2] for name in files} == {"service", "timer"}
    start = re.search(r"^ExecStart=(\S+) (.*)$", text, re.MULTILINE)
    assert start
    define(start[2].split()[1])
    assert cadence(*start[2].split()).returncode == 0
    if shutil.which("systemd-analyze"):
        for name, unit in files.items():
            (tmp_path / name).write_text(unit.replace(start[1], "/bin/true").replace("%h", str(tmp_path)))
        paths = [tmp_path / name for name in files]
        ended = subprocess.run(
            ["systemd-analyze", "verify", *paths], capture_output=True, encoding="utf-8", check=False
        )
        assert ended.returncode == 0, ended.stderr


def test_the_plist_is_one(cadence: Cadence, define: Define) -> None:
    """It parses, and its program's words are the real command's."""
    job = plistlib.loads(shown("launchd").encode())
    program, *words = job["ProgramArguments"]
    assert program.endswith("/cadence")
    assert job["EnvironmentVariables"]["CADENCE_HOME"]
    define(words[1])
    ended = cadence(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["cadence"] == words[1]
