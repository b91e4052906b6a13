"""Roll-ups: the journal is summed up once, and the sum is always that of the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import rollups
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.store.rollups import Rollup

DAY = "2026-11-21"


def ended(n: int, klass: str = "ok", cadence: str = "work") -> str:
    """Tell of a run's end, as the journal does."""
    facts = {"at": f"{DAY}T02:30:00Z", "event": "run.ended", "class": klass, "cadence": cadence, "seconds": n}
    return (
        json.dumps(facts | {"run": f"{n}.1", "waited": 1, "turns": 2, "usd": 0.5, "tokens": {"input": 7}})
        + "\n"
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Give the user's cache folder, which nobody has made yet."""
    return tmp_path / "cache"


@pytest.fixture
def journal(home: Path) -> Path:
    """Give the day's journal."""
    return home / "state" / "events" / f"{DAY}.jsonl"


def look(home: Path, cache: Path) -> Rollup:
    """Sum up the one day."""
    (day,) = rollups.daily(Home(str(home)), DAY, {"XDG_CACHE_HOME": str(cache)})
    return day


def test_what_was_summed_up_is_gone_on_with(home: Path, cache: Path, journal: Path) -> None:
    """A journal that grew costs what it grew by; the sum is the same as anew."""
    journal.write_text(ended(1) + ended(2, "crash"))
    first = look(home, cache)
    assert (first.cadences["work"].runs, first.cadences["work"].well) == (2, 1)
    # Were it read again, this line would count nothing any more.
    journal.write_bytes(journal.read_bytes().replace(b"crash", b"timed"))
    assert look(home, cache).cadences["work"].classes["timed"] == 1, "its end is known by its bytes"
    with open(journal, "a", encoding="utf-8") as more:
        more.write(ended(3) + ended(4, cadence="other") + ended(5)[:40])
    again, anew = look(home, cache), look(home, cache / "other")
    assert again.cadences == anew.cadences
    assert (again.cadences["work"].runs, again.cadences["work"].usd) == (3, 1.5)
    assert again.cadences["other"].tokens == {"input": 7}
    with open(journal, "a", encoding="utf-8") as more:
        more.write(ended(5)[40:])
    whole = journal.read_bytes()
    # Far before the seam nobody looks: what is counted is counted, and only what is new is read.
    journal.write_bytes(whole.replace(b"timed", b"dozed"))
    gone_on = look(home, cache).cadences["work"]
    assert gone_on.classes == {"ok": 3, "timed": 1}
    assert look(home, cache / "nowhere").cadences["work"].classes == {"ok": 3, "dozed": 1}
    (file,) = (cache / "cadencebus").rglob("*.json")
    inode = file.stat().st_ino
    assert look(home, cache).cadences["work"] == gone_on
    assert file.stat().st_ino == inode, "where nothing is new nothing is written"


def test_all_that_a_run_was_is_summed_up(home: Path, cache: Path, journal: Path) -> None:
    """How it ended, how long it took and waited, what it used, what came in a row."""
    lines = [ended(4), ended(2, "skipped"), ended(9, "crash"), ended(5).replace('"waited": 1, ', "")]
    journal.write_text("".join(lines))
    work = look(home, cache).cadences["work"]
    assert (work.classes, work.turns, work.usd) == ({"ok": 2, "skipped": 1, "crash": 1}, 8, 2.0)
    assert (work.seconds.count, work.seconds.total) == (4, 20)
    assert (work.waited.count, work.waited.total) == (3, 3)
    assert (work.tokens, work.streaks.best, work.streaks.last) == ({"input": 28}, 2, 1)


def test_what_stands_twice_far_apart_is_two(
    home: Path, cache: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many runs are remembered, the newest."""
    monkeypatch.setattr(rollups, "REMEMBERED", 2)
    journal.write_text(ended(1) + ended(2) + ended(3) + ended(2) + ended(3) + ended(1))
    assert look(home, cache).cadences["work"].runs == 4
    with open(journal, "a", encoding="utf-8") as more:
        more.write(ended(3) + ended(1) + ended(2))
    assert look(home, cache).cadences["work"].runs == 5


def test_only_days_that_are_asked_for_are_told(home: Path, journal: Path, tmp_path: Path) -> None:
    """Neither earlier ones nor what is no day."""
    for name in ("2026-11-20", "2026-11-22", "2026-11-22 (copy)", "notes"):
        journal.with_name(f"{name}.jsonl").write_text(ended(1))
    days = rollups.daily(Home(str(home)), DAY, {"XDG_CACHE_HOME": "relative", "HOME": str(tmp_path)})
    assert [day.day for day in days] == ["2026-11-22"]
    assert [path.name for path in (tmp_path / ".cache" / "cadencebus").rglob("*.json")] == ["2026-11-22.json"]


def test_a_fact_that_stands_twice_counts_once(home: Path, cache: Path, journal: Path) -> None:
    """Also where the first of the two was summed up before."""
    journal.write_text(ended(1) + ended(1))
    assert look(home, cache).cadences["work"].runs == 1
    with open(journal, "a", encoding="utf-8") as more:
        more.write(ended(1) + ended(2))
    assert look(home, cache).cadences["work"].runs == 2


@pytest.mark.parametrize("rubbish", ["", "{torn", "[]", '{"version": 1}', "\x00\xff"])
def test_a_cache_that_is_rubbish_is_made_anew(home: Path, cache: Path, journal: Path, rubbish: str) -> None:
    """It is only a cache."""
    journal.write_text(ended(1))
    look(home, cache)
    (file,) = cache.rglob("*.json")
    file.write_text(rubbish, encoding="latin-1")
    assert look(home, cache).cadences["work"].runs == 1


@pytest.mark.parametrize("change", [('"offset": ', '"offset": -'), ('"sum": ', '"sum": 1e999, "": ')])
def test_a_cache_of_impossible_numbers_is_made_anew(
    home: Path, cache: Path, journal: Path, change: tuple[str, str]
) -> None:
    """An offset before the beginning, a sum beyond every number."""
    journal.write_text(ended(1))
    look(home, cache)
    (file,) = cache.rglob("*.json")
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    assert look(home, cache).cadences["work"].runs == 1


def test_a_cache_of_another_version_is_made_anew(home: Path, cache: Path, journal: Path) -> None:
    """Whatever stands in it."""
    journal.write_text(ended(1))
    look(home, cache)
    (file,) = cache.rglob("*.json")
    told = file.read_text().replace('"turns": 2', '"turns": 9')
    for version, turns in ((1, 9), (0, 2)):
        file.write_text(told.replace('"version": 1', f'"version": {version}'))
        assert look(home, cache).cadences["work"].turns == turns


def test_a_journal_that_was_replaced_begins_anew(home: Path, cache: Path, journal: Path) -> None:
    """Restored from a backup, cut short, written over."""
    journal.write_text(ended(1) + ended(2) + ended(3))
    look(home, cache)
    journal.write_text(ended(9, "crash"))
    assert dict(look(home, cache).cadences["work"].classes) == {"crash": 1}


def test_no_cache_folder_is_no_trouble(
    home: Path, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nowhere to remember, or a file in the way: it takes longer, no more."""
    journal.write_text(ended(1))
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    for environ in ({}, {"XDG_CACHE_HOME": str(blocked)}, {"XDG_CACHE_HOME": "relative", "HOME": "here"}):
        (day,) = rollups.daily(Home(str(home)), DAY, environ)
        assert day.cadences["work"].runs == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing is written where one stands"


def test_lines_that_are_no_facts_are_passed_over(home: Path, cache: Path, journal: Path) -> None:
    """Whatever stands in them."""
    odd = '{"event": "run.ended"}\n["run.ended"]\n"run.ended"\n'
    odd += '{"event": "run.ended", "run": "x", "seconds": []}\n'
    journal.write_bytes(
        odd.encode() + b'\xff"run.ended"\n' + b"[" * 100_000 + b'"run.ended"\n' + ended(1).encode()
    )
    told = look(home, cache).cadences
    assert told["work"].runs == 1
    assert told["None"].runs == 1
    assert (told["None"].turns, told["None"].usd, told["None"].seconds.total) == (0, 0.0, 0.0)
