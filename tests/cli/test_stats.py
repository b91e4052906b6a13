"""`cadence stats --plot` and `cadence metrics`: the journal in numbers, drawn and scraped."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+)')


@pytest.fixture
def month(home: Path) -> Path:
    """Write a journal of thirty days, each with some runs and a bad one."""
    for back in range(30):
        at = time.time() - 86400 * back
        today = time.strftime("%Y-%m-%d", time.gmtime(at))
        lines = []
        for n in range(back % 7 + 1):
            klass = "ok" if n else "crash"
            facts = {"at": f"{today}T00:00:01Z", "event": "run.ended", "class": klass, "cadence": "work"}
            lines.append(
                facts | {"run": f"{back}.{n}", "seconds": 10 + n, "waited": 2, "usd": 0.25, "turns": 3}
            )
        (home / "state" / "events" / f"{today}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    return home


def test_whole_days_are_counted_day_by_day(month: Path, cadence: Cadence) -> None:
    """What --json says of each day adds up to what it says of all."""
    (row,) = json.loads(cadence("stats", "--since", "6d", "--json").stdout)
    assert [day["runs"] for day in row["days"]] == [7, 6, 5, 4, 3, 2, 1]
    assert (row["runs"], row["ok"], row["classes"]) == (28, 21, {"crash": 7})
    assert row["seconds"]["max"] == 16
    assert row["seconds"]["p50"] == pytest.approx(12, rel=0.01)
    assert row["usd"] == 7.0
    assert row["streak"] == {"now": -1, "best": 6, "worst": 1}
    assert json.loads(cadence("stats", "--since", "6d", "--json").stdout) == [row], "from the cache, the same"
    assert "·" not in cadence("stats", "--since", "6d").stdout


def test_what_the_night_has_cost_is_one_number(month: Path, cadence: Cadence) -> None:
    """Nobody adds up a column by hand; one cadence has its sum in its row."""
    assert not cadence("stats", "--since", "6d").stderr
    today = max((month / "state" / "events").iterdir())
    mine = today.read_text()
    today.write_text(mine + mine.replace('"work"', '"other"').replace('"run": "', '"run": "other-'))
    assert cadence("stats", "--since", "6d").stderr == "in all 29 runs, 21 of them ok, 7.25 USD\n"


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "words", [["stats"], ["stats", "--plot", "--since", "29d"], ["history"], ["ls"], ["show"]]
)
def test_it_fits_the_terminal(
    month: Path, define: Define, cadence: Cadence, screen: Screen, words: list[str], columns: int
) -> None:
    """No line is wider, none is wrapped."""
    define("work")
    if words == ["show"]:
        words = ["show", cadence("enqueue", "work", "--set", f"x={'y' * 150}").stdout.strip()]
        assert "waits" in screen(*words, columns=columns)
        return
    lines = screen(*words, columns=columns).splitlines()
    assert max(map(len, lines), default=0) <= columns


def test_a_plot_in_a_pipe_is_plain(month: Path, cadence: Cadence) -> None:
    """Bars and sparklines, no colour, no box drawing."""
    drawn = cadence("stats", "--plot").stdout
    assert "\x1b" not in drawn
    assert not re.search("[\u2500-\u257f]", drawn)
    assert "░" in drawn
    assert "█" in drawn
    assert "work" in drawn


def test_metrics_are_what_prometheus_reads(month: Path, define: Define, cadence: Cadence) -> None:
    """HELP and TYPE before the samples of each family, every label escaped, no series twice."""
    define("work")
    cadence("enqueue", "work")
    (month / "state" / "holds" / 'cadence-a"b\\c.paused.json').write_text('{"until": null}')
    told = cadence("metrics")
    assert told.returncode == 0
    seen: set[str] = set()
    family = ""
    for line in told.stdout.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
        else:
            found = LINE.fullmatch(line)
            assert found, line
            assert found[1] in {family, f"{family}_sum", f"{family}_count"}
            series = line.rpartition(" ")[0]
            assert series not in seen
            seen.add(series)
    assert 'cadencebus_ticks_ready{cadence="work"} 1' in told.stdout
    assert 'cadencebus_runs_total{cadence="work",class="crash"} 1' in told.stdout
    assert r'scope="cadence-a\"b\\c"' in told.stdout
    assert json.loads(cadence("metrics", "--json").stdout)[0] == {
        "name": "cadencebus_up",
        "labels": {},
        "value": 0.0,
    }


def test_a_textfile_is_replaced_whole(month: Path, cadence: Cadence, tmp_path: Path) -> None:
    """Readable for the scraper; nothing else is left beside it; a folder that is not there is told."""
    folder = tmp_path / "textfiles"
    folder.mkdir()
    for _ in range(2):
        assert cadence("metrics", "--textfile", str(folder / "cadence.prom")).returncode == 0
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.read_text().startswith("# HELP cadencebus_up ")
    refused = cadence("metrics", "--textfile", str(tmp_path / "nowhere" / "x.prom"))
    assert refused.returncode == 73
    assert "Traceback" not in refused.stderr
