"""`cadence gc`: old things go, archived; nothing that runs, waits or is spoken of does."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import day, rfc3339, stamp

if TYPE_CHECKING:
    from tests.cli.conftest import Define
    from tests.conftest import Cadence

DAY = 86400.0


class Past:
    """Puts things into a home that are some days old."""

    def __init__(self, home: Path) -> None:
        self.state = home / "state"
        self.count = 0

    def tick(self, folder: str, days: float) -> str:
        """A tick, and its id."""
        at, self.count = time.time() - days * DAY, self.count + 1
        name = f"5-{stamp(at)}-old-{self.count:08d}"
        where = self.state / (f"done/{day(at)}" if folder == "done" else folder)
        where.mkdir(exist_ok=True)
        due = f"{stamp(time.time() + DAY)}~" if folder == "deferred" else ""
        tick: dict[str, Any] = {"cadence": "old", "id": f"{stamp(at)}-{self.count:08d}"}
        if folder in {"done", "dead"}:
            tick["outcome"] = {"status": folder, "class": "crash", "finished_at": rfc3339(at)}
        (where / f"{due}{name}.json").write_text(json.dumps(tick))
        return str(tick["id"])

    def run(self, tick: str, days: float, number: int = 1) -> Path:
        """The folder of one of its runs."""
        folder = self.state / "runs" / f"{tick[:4]}-{tick[4:6]}-{tick[6:8]}" / f"{tick}.{number}"
        folder.mkdir(parents=True)
        for name in ("run.json", "exit.0", "alive"):
            (folder / name).write_text("")
        os.utime(folder, (time.time() - days * DAY,) * 2)
        return folder

    def key(self, tick: str, days: float) -> Path:
        """A key that it took."""
        link = self.state / "keys" / f"{self.count:064x}"
        link.symlink_to(tick)
        os.utime(link, (time.time() - days * DAY,) * 2, follow_symlinks=False)
        return link


@pytest.fixture
def past(home: Path) -> Past:
    """A home with a past."""
    return Past(home)


def archived(home: Path, stem: str) -> list[dict[str, Any]]:
    """Read all archives of this kind."""
    files = sorted((home / "state" / "archive").glob(f"{stem}-*.jsonl.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_old_things_go_and_their_story_stays(home: Path, past: Past, cadence: Cadence) -> None:
    """Finished ticks and the journal are archived; run folders, keys and leftovers just go."""
    old, young = past.tick("done", 20), past.tick("done", 2)
    gone, kept = past.run(old, 40), past.run(young, 2)
    link = past.key(old, 20)
    leftover = home / "state" / "tmp" / "5-x.json"
    leftover.write_text("{")
    os.utime(leftover, (time.time() - 2 * DAY,) * 2)
    events = home / "state" / "events" / f"{day(time.time() - 100 * DAY)}.jsonl"
    events.write_text('{"event": "tick.done"}\n')
    tree = set(home.rglob("*"))
    told = json.loads(cadence("gc", "--dry-run", "--json").stdout)
    assert set(home.rglob("*")) == tree, "a dry run touches nothing"
    assert {key: told[key] for key in ("done", "runs", "events", "keys", "tmp")} == {
        "done": 1, "runs": 0, "events": 1, "keys": 1, "tmp": 1
    }  # fmt: skip
    assert gone.exists(), "its run's folder lies under the day of its id, which is not old enough"
    older = past.tick("done", 45)
    gone = past.run(older, 40)
    ended = cadence("gc")
    assert ended.returncode == 0, ended.stderr
    assert [line["tick"]["id"] for line in archived(home, "done")] == [older, old]
    assert [line["event"] for line in archived(home, "events")] == ["tick.done"]
    assert not any(path.exists() for path in (gone, leftover, events))
    assert not link.is_symlink()
    assert kept.exists()
    assert young in cadence("ls", "done").stdout
    assert "gc.done" in (home / "state" / "events" / f"{day(time.time())}.jsonl").read_text()
    assert "nothing is old enough" in cadence("gc").stdout
    assert not list((home / "state" / "tmp").iterdir())


def test_what_is_needed_stays_however_old_it_is(home: Path, past: Past, cadence: Cadence) -> None:
    """Runs of ticks that wait, run or lie dead; a live run; the session of a cadence; keys of the waiting."""
    kept = [past.run(past.tick(folder, 60), 50) for folder in ("inbox", "deferred", "claimed", "dead")]
    link = past.key(kept[0].name[:-2], 60)
    living = past.run(past.tick("done", 60), 50)
    several = past.tick("done", 60)
    kept += [living, past.run(several, 50), past.run(several, 1, 2)]
    resumed = past.run(past.tick("done", 60), 50)
    (home / "state" / "cadences" / "old.json").write_text(json.dumps({"last_run": {"run": resumed.name}}))
    kept.append(resumed)
    with open(living / "alive") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        ended = cadence("gc")
    assert ended.returncode == 0, ended.stderr
    assert [path for path in kept if not path.exists()] == []
    assert link.is_symlink()
    cadence("gc")
    assert not living.exists()


def test_dead_letters_go_only_by_a_word(home: Path, past: Past, cadence: Cadence) -> None:
    """They stay forever unless cadence.yaml says otherwise; then each stands, whole, in the archive."""
    letter, fresh = past.tick("dead", 60), past.tick("dead", 1)
    cadence("gc")
    assert letter in cadence("ls", "dead").stdout
    (home / "cadence.yaml").write_text("retention: {dead: 30d}\n")
    assert cadence("gc").returncode == 0
    left = cadence("ls", "dead").stdout
    assert fresh in left
    assert letter not in left
    lines = (home / "state" / "dead-archive.jsonl").read_text().splitlines()
    assert [(json.loads(line)["letter"]["id"], json.loads(line)["why"]) for line in lines] == [
        (letter, "retention")
    ]


def test_a_clock_that_jumped_removes_nothing(home: Path, past: Past, cadence: Cadence) -> None:
    """Exit 75 and why; an operator who has looked may say that it is right."""
    past.tick("done", 20)
    (home / "state" / "gc.json").write_text(
        json.dumps(
            {
                "at": rfc3339(time.time() - 300 * DAY),
                "steady": time.clock_gettime(time.CLOCK_BOOTTIME) - 60,
                "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                "doubted_at": None,
                "doubt": "",
            }
        )
    )
    for _ in range(2):
        refused = cadence("gc")
        assert refused.returncode == 75
        assert "jumped 300 days ahead" in refused.stderr
        assert "--trust-clock" in refused.stderr
    assert list((home / "state" / "done").glob("*/*.json"))
    assert cadence("gc", "--trust-clock").returncode == 0
    assert not list((home / "state" / "done").glob("*/*.json"))
    assert cadence("gc").returncode == 0


def test_killed_at_any_point_it_loses_nothing(home: Path, past: Past, environment: dict[str, str]) -> None:
    """Each finished tick lies in done/ or stands in an archive, after every kill; the next one finishes."""
    ids = {past.tick("done", 20 + n % 3) for n in range(1200)}
    program = [str(Path(sys.executable).with_name("cadence")), "gc"]
    chance = random.Random(7)
    for _ in range(4):
        process = subprocess.Popen(program, env=environment, cwd=home, stdout=-3, stderr=-3)
        with_patience = 0.15 + chance.random() * 0.25
        try:
            process.wait(with_patience)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        left = {path.name[2:].replace("-old-", "-")[:-5] for path in (home / "state/done").glob("*/*.json")}
        assert ids <= left | {line["tick"]["id"] for line in archived(home, "done")}
    assert subprocess.run(program, env=environment, cwd=home, check=False, stdout=-3).returncode == 0
    assert not list((home / "state" / "done").iterdir())
    assert ids == {line["tick"]["id"] for line in archived(home, "done")}


def test_on_a_full_disk_it_makes_room(home: Path, past: Past, environment: dict[str, str]) -> None:
    """That is when it is asked for: what needs no room to go goes, what must be archived first stays."""
    run, finished = past.run(past.tick("done", 40), 40), past.tick("done", 41)
    # Whoever may write no byte into a file finds the disk full, whatever it has.
    words = ["sh", "-c", "ulimit -f 0; exec cadence gc --trust-clock"]
    ended = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "not removed: File too large\n" in ended.stderr
    assert not run.exists()
    assert len(list(past.state.glob(f"done/*/*{finished[-8:]}.json"))) == 1


def test_what_somebody_put_among_the_finished_stays(home: Path, past: Past, cadence: Cadence) -> None:
    """It is no tick: nobody archived it, so nobody removes it."""
    past.tick("done", 20)
    folder = next((home / "state" / "done").iterdir())
    (folder / "notes.txt").write_text("mine")
    (folder / "mine").mkdir()
    assert cadence("gc").returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mine", "notes.txt"]


def test_keys_stay_where_a_cadence_cannot_be_read(
    home: Path, past: Past, cadence: Cadence, define: Define
) -> None:
    """Its window may be a year."""
    link = past.key(past.tick("done", 3), 3)
    (home / "prompts" / "broken.md").write_text("---\n[\n---\n")
    cadence("gc")
    assert link.is_symlink()
    (home / "prompts" / "broken.md").unlink()
    define("long", dedupe_window="7d")
    cadence("gc")
    assert link.is_symlink()
    (home / "prompts" / "long.md").unlink()
    cadence("gc")
    assert not link.is_symlink()
