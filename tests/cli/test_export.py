"""`cadence export` and `import`: a home's queue moves house, whole, once, and never out of bounds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.errors import CantCreate, IOTrouble
from cadencebus.model.strictjson import MAX_DEPTH
from cadencebus.store import files
from cadencebus.store.packing import pack
from cadencebus.store.paths import Home
from cadencebus.store.unpacking import Taken, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Witness

ID = "20261121T023000.123456Z-7f3k9q2m"
FILE = "5-20261121T023000.123456Z-work-7f3k9q2m.json"
LETTER = "5-20261121T023000.123456Z-work-7f3k9q2n.json"
AT = "2026-11-21T02:30:00Z"
HEAD = {"cadencebus": "export", "format": 1, "layout": 1}
MIGRATE = Path(__file__).parents[2] / "scripts" / "migrate-maestro"


def tree(home: Path) -> dict[str, bytes]:
    """Take down the names and contents of what may be taken along."""
    parts = ("inbox", "deferred", "dead", "cadences", "keys", "holds", "claimed", "tmp")
    found = {}
    for part in parts:
        for path in sorted((home / "state" / part).rglob("*")):
            name = str(path.relative_to(home / "state"))
            found[name] = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
    return found


def export(*lines: dict[str, Any], end: bool = True) -> str:
    """Write an export by hand."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["in"]] = counts.get(line["in"], 0) + 1
    whole = [HEAD, *lines, *([{"end": counts}] if end else [])]
    return "".join(json.dumps(line) + "\n" for line in whole)


@pytest.fixture
def full(home: Path, define: Define, enqueue: Callable[..., str]) -> Path:
    """Fill a home with one of each."""
    state = home / "state"
    define("work")
    enqueue("work", "--priority", "2", "--set", "week=48")
    enqueue("work", "--in", "1h", "--key", "k")
    (state / "dead" / LETTER).write_text(json.dumps({"cadence": "work", "outcome": {"status": "dead"}}))
    (state / "dead" / f"{LETTER}.raw").write_bytes(b"\xff\x00not a tick")
    (state / "inbox" / "mine.json").write_text('{"cadence": "work"}')
    (state / "inbox" / FILE.replace("2m", "2p")).write_text("{torn")
    (state / "deferred" / f"20991231T000000.000000Z~{FILE.replace('2m', '2r')}").write_text("{torn")
    deepest = f'{{"cadence": "work", "payload": {{"a": {"[" * (MAX_DEPTH - 2)}{"]" * (MAX_DEPTH - 2)}}}}}'
    (state / "inbox" / FILE.replace("2m", "2s")).write_text(deepest)
    (state / "inbox" / ".staging").write_text("x")
    (state / "cadences" / "work.json").write_text('{"failures": 2}\n')
    os.symlink(ID, state / "keys" / ("ab" * 32))
    os.utime(state / "keys" / ("ab" * 32), (1.5e9, 1.5e9), follow_symlinks=False)
    (state / "holds" / "cadence-work.paused.json").write_text(
        '{"scope": "cadence-work", "reason": "paused", "since": "2026-11-21T02:30:00Z", "until": null}\n'
    )
    return home


def test_a_home_moves_house_with_everything_that_waits_died_or_is_remembered(
    full: Path, cadence: Cadence, tmp_path: Path
) -> None:
    """Byte for byte but for one name; a second time everything is there already."""
    file = tmp_path / "bus.jsonl"
    ended = cadence("export", file)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"exported to {file}: 4 ready, 2 deferred, 2 dead, 1 memory, 1 key, 1 hold\n"
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert file.read_text().count('"bytes"') == 4, "two torn ones, a letter's, and one without a name of ours"
    assert cadence("init", tmp_path / "new").returncode == 0
    new = {"CADENCE_HOME": str(tmp_path / "new")}
    refused = cadence("import", file, env=new)
    assert (refused.returncode, "no such cadence here: work" in refused.stderr) == (66, True)
    (tmp_path / "new" / "prompts" / "work.md").write_text((full / "prompts" / "work.md").read_text())
    dry = cadence("import", file, "--dry-run", env=new)
    assert dry.stdout == ended.stdout.replace(f"exported to {file}", "would import")
    assert tree(tmp_path / "new") == {}
    assert cadence("import", file, env=new).returncode == 0
    before, after = tree(full), tree(tmp_path / "new")
    assert before.pop("inbox/mine.json") == after.pop(next(name for name in after if "imported-" in name))
    del before["inbox/.staging"]
    parsed = {name: json.loads(data) for name, data in after.items() if data.startswith(b'{"')}
    assert parsed == {name: json.loads(before[name]) for name in parsed}
    assert before.keys() == after.keys()
    assert {name: before[name] for name in before if name not in parsed} == {
        name: after[name] for name in after if name not in parsed
    }
    key = tmp_path / "new" / "state" / "keys" / ("ab" * 32)
    assert key.lstat().st_mtime == 1.5e9
    again = json.loads(cadence("import", file, "--json", env=new).stdout)
    assert (again["counts"], len(again["duplicates"]), len(again["kept"])) == ({}, 6, 4)


def test_a_pipe_is_as_good_as_a_file(full: Path, cadence: Cadence, tmp_path: Path) -> None:
    """What was exported and what came out at the other end run there."""
    piped = cadence("export", env={"LANG": "C"})
    assert piped.returncode == 0
    for prompt in (full / "prompts").iterdir():
        cadence("init", tmp_path / "new")
        (tmp_path / "new" / "prompts" / prompt.name).write_text(prompt.read_text())
    new = {"CADENCE_HOME": str(tmp_path / "new")}
    assert cadence("import", "-", stdin=piped.stdout, env=new).returncode == 0
    assert cadence("resume", "work", env=new).returncode == 0
    cadence("run", "--once", env=new)
    done = [json.loads(line) for line in cadence("ls", "done", "--json", env=new).stdout.splitlines()]
    assert [tick["payload"] for tick in done if tick["payload"]] == [{"week": 48}]


def test_what_is_there_is_never_overwritten(full: Path, cadence: Cadence, tmp_path: Path) -> None:
    """Neither a memory, nor a file of that name outside."""
    file = tmp_path / "bus.jsonl"
    assert cadence("export", file).returncode == 0
    (full / "state" / "cadences" / "work.json").write_text('{"failures": 7}\n')
    assert "kept as it is: state/cadences/work.json" in cadence("import", file).stdout
    assert (full / "state" / "cadences" / "work.json").read_text() == '{"failures": 7}\n'
    again = cadence("export", file)
    assert (again.returncode, "is there already" in again.stderr) == (73, True)
    assert not list(tmp_path.glob("*.part"))


TICK = {"in": "inbox", "file": FILE, "tick": {"cadence": "work"}}
HOSTILE = {
    "no export": ("{}\n", 65),
    "empty": ("", 65),
    "of another time": (json.dumps(HEAD | {"format": 2}) + "\n", 78),
    "cut off": (export(TICK, end=False), 65),
    "changed": (export(TICK).replace('"end": {"inbox": 1}', '"end": {"inbox": 2}'), 65),
    "more behind the end": (export(TICK) + json.dumps(TICK) + "\n", 65),
    "no JSON": (json.dumps(HEAD) + "\n{torn\n", 65),
    "a way out by a tick's name": (export(TICK | {"file": f"../../../{FILE}"}), 65),
    "a way out by a tick's cadence": (export(TICK | {"file": FILE.replace("work", "../work")}), 65),
    "a way out by a memory": (export({"in": "cadences", "cadence": "../../x", "memory": {}}), 65),
    "an option in disguise": (
        export({"in": "cadences", "cadence": "work", "memory": {"session_id": "--yolo"}}),
        65,
    ),
    "a memory that makes no sense": (
        export({"in": "cadences", "cadence": "work", "memory": {"failures": "many"}}),
        65,
    ),
    "a way out by a hold": (export({"in": "holds", "file": "../x.paused.json", "hold": {}}), 65),
    "a hold that no file can be called": (
        export({"in": "holds", "file": "bus.a\0b.json", "hold": {}}),
        65,
    ),
    "a hold of a name too long": (export({"in": "holds", "file": f"bus.{'x' * 300}.json", "hold": {}}), 65),
    "a way out by a key": (export({"in": "keys", "key": "../" + "a" * 61, "tick": ID, "at": AT}), 65),
    "a key that leads out": (export({"in": "keys", "key": "a" * 64, "tick": "/etc/passwd", "at": AT}), 65),
    "a way out by raw bytes": (export({"in": "dead", "file": "../x.json.raw", "bytes": "eA=="}), 65),
    "a key of no time": (export({"in": "keys", "key": "a" * 64, "tick": ID, "at": "x"}), 65),
    "no base64": (export({"in": "dead", "file": f"{LETTER}.raw", "bytes": "%"}), 65),
    "another folder": (export({"in": "events", "file": FILE, "tick": {}}), 65),
    "a folder that is none": (export(TICK | {"in": "../inbox"}), 65),
    "ready, with a time": (export(TICK | {"file": f"20991231T000000.000000Z~{FILE}"}), 65),
    "ready, as a letter's bytes": (export(TICK | {"file": f"{FILE}.raw"}), 65),
    "put off without a time": (export(TICK | {"in": "deferred"}), 65),
    "a name without a tick": (export({"in": "inbox", "file": FILE}), 65),
    "names that are none": (export(TICK | {"file": 7}), 65),
    "a tick of another cadence": (export(TICK | {"tick": {"cadence": "other"}}), 65),
    "a tick that is none": (export(TICK | {"tick": {"cadence": "work", "priority": "high"}}), 65),
    "twice": (export(TICK, TICK), 65),
    "no object": (json.dumps(HEAD) + "\n[]\n", 65),
    "a hold that is none": (
        export({"in": "holds", "file": "bus.paused.json", "hold": []}),
        65,
    ),
    "nested": (json.dumps(HEAD) + "\n" + "[" * 100_000 + "\n", 65),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_export_that_is_not_in_order_changes_nothing(
    what: str, home: Path, tmp_path: Path, define: Define, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong and where; not even what came before it was taken in."""
    from cadencebus.cli.main import main  # noqa: PLC0415 - in this process: two dozen starts would be dear

    define("work")
    text, code = HOSTILE[what]
    (tmp_path / "hostile.jsonl").write_text(text)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["--home", str(home), "import", str(tmp_path / "hostile.jsonl")]) == code
    said = capsys.readouterr().err
    assert said.startswith("cadence: ")
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_failure_half_way_takes_everything_back(home: Path) -> None:
    """A name that is taken at the last moment is found out after others were given."""
    bus = Home(str(home))
    memory = {"in": "cadences", "cadence": "work", "memory": {"failures": 1}}
    lines = export(memory, TICK).encode().splitlines(keepends=True)

    def be_faster(_: Taken) -> bool:
        (home / "state" / "inbox" / FILE).write_text("somebody else's")
        return True

    with pytest.raises(CantCreate, match="nothing was imported"):
        unpack(bus, lines, be_faster)
    assert tree(home) == {f"inbox/{FILE}": b"somebody else's"}


def test_what_ticks_need_has_its_name_before_they_have(home: Path, witness: Witness) -> None:
    """A consumer may be at work: keys and memories first, raw bytes before their letter, holds before all."""
    state = witness.seen
    lines = (
        TICK,
        {
            "in": "deferred",
            "file": f"20991231T000000.000000Z~{FILE.replace('2m', '2p')}",
            "tick": TICK["tick"],
        },
        {"in": "dead", "file": LETTER, "tick": TICK["tick"]},
        {"in": "dead", "file": f"{LETTER}.raw", "bytes": "eA=="},
        {"in": "holds", "file": "bus.paused.json", "hold": {"scope": "bus", "reason": "paused"}},
        {"in": "keys", "key": "ab" * 32, "tick": ID, "at": AT},
        {"in": "cadences", "cadence": "work", "memory": {"failures": 1}},
    )
    # What an import of that process number left behind when it was killed is in nobody's way.
    (home / "state" / "tmp" / f"import.{os.getpid()}.0").write_text("half")
    unpack(Home(str(home)), export(*lines).encode().splitlines(keepends=True))
    told = [one.partition(" ")[2] for one in state if not one.startswith("sync")]
    named = [name for name in dict.fromkeys(told) if not name.startswith("tmp/")]
    assert [name.partition("/")[0] for name in named] == [
        *("cadences", "keys", "holds", "dead", "dead", "deferred", "inbox")
    ]
    assert named[3] == f"dead/{LETTER}.raw"
    times = [at for at, one in enumerate(state) if one.endswith(tuple(named))]
    written = [one for one in state[: times[0]] if one.startswith("sync tmp/")]
    assert len(written) == 6, "all is written before one is named"
    assert {f"sync {name.partition('/')[0]}" for name in named} <= set(state[times[-1] :])
    assert os.listdir(home / "state" / "tmp") == []


def test_what_was_taken_up_before_a_failure_can_not_be_taken_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer had claimed it by then: nobody says that nothing was imported."""
    other = FILE.replace("2m", "2p")
    lines = export(TICK, TICK | {"file": other}).encode().splitlines(keepends=True)
    place = files.place

    def claimed_at_once(source: str, target: str) -> None:
        place(source, target)
        os.rename(target, home / "state" / "claimed" / FILE)

    def be_faster(_: Taken) -> bool:
        (home / "state" / "inbox" / other).write_text("somebody else's")
        return True

    monkeypatch.setattr(files, "place", claimed_at_once)
    with pytest.raises(IOTrouble, match="some of it is already in use"):
        unpack(Home(str(home)), lines, be_faster)
    assert sorted(tree(home)) == [f"claimed/{FILE}", f"inbox/{other}"]


CUT = """
import os, sys
from cadencebus.cli.main import main
from cadencebus.store import files

place, left = files.place, [int(sys.argv[1])]

def cut(source, target):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    place(source, target)

files.place = cut
sys.exit(main(["import", "bus.jsonl"]))
"""


@pytest.mark.parametrize("names_given", range(4))
def test_an_import_that_was_cut_off_is_simply_done_again(
    names_given: int, home: Path, cadence: Cadence, define: Define, environment: dict[str, str]
) -> None:
    """What has its name by then is whole; what has not comes with the second try, nothing twice."""
    define("work")
    more = [TICK | {"file": FILE.replace("2m", last)} for last in ("2p", "2q")]
    memory = {"in": "cadences", "cadence": "work", "memory": {"failures": 1}}
    (home / "bus.jsonl").write_text(export(TICK, *more, memory))
    ended = subprocess.run(
        [sys.executable, "-c", CUT, str(names_given)], cwd=home, env=environment, check=False
    )
    assert ended.returncode == 9
    named = [path for path in tree(home) if not path.startswith("tmp/")]
    assert len(named) == names_given
    assert all(json.loads(tree(home)[path]) for path in named)
    assert cadence("import", "bus.jsonl").returncode == 0
    assert len([path for path in tree(home) if not path.startswith("tmp/")]) == 4


def test_what_is_not_in_order_here_is_no_reason_to_stay_there(
    home: Path, cadence: Cadence, define: Define, tmp_path: Path
) -> None:
    """Whatever a home has in its folders: what was exported of it is imported, the rest was told of."""
    define("work")
    state = home / "state"
    for name in ("mine", "yours"):
        (state / "inbox" / f"{name}.json").write_text('{"cadence": "work"}')
    (state / "inbox" / FILE).write_text('{"cadence": "other"}')
    (state / "inbox" / FILE.replace("2m", "2p")).write_text('{"cadence": "work", "payload": []}')
    (state / "deferred" / FILE.replace("2m", "2q")).write_text('{"cadence": "work", "id": "later"}')
    (state / "dead" / "note.json").write_text("{}")
    (state / "dead" / f"{LETTER}.raw").write_text('{"cadence":"work"}')
    (state / "cadences" / "work.json").write_text('{"session_id": "--yolo"}')
    ended = cadence("export")
    for place in ("dead/note.json", "cadences/work.json"):
        assert f"state/{place} can't be read: it stays behind" in ended.stderr
    (tmp_path / "bus.jsonl").write_text(ended.stdout)
    assert cadence("init", tmp_path / "new").returncode == 0
    for _ in range(2):
        taken = cadence("--home", tmp_path / "new", "import", "bus.jsonl", "--unknown", cwd=tmp_path)
        assert taken.returncode == 0, taken.stderr
    after = tree(tmp_path / "new")
    assert sorted(after.values()) == sorted(tree(home)[name] for name in tree(home) if name not in {
        "dead/note.json", "cadences/work.json"
    })  # fmt: skip
    assert {f"inbox/{FILE}", f"dead/{LETTER}.raw"} < after.keys()


def test_what_stays_behind_is_told_of(home: Path, cadence: Cadence, define: Define) -> None:
    """What a consumer has in hand, unless it is asked for; and what can't be read."""
    define("work")
    (home / "state" / "claimed" / FILE).write_text('{"cadence": "work"}')
    (home / "state" / "inbox" / "link.json").symlink_to("/etc/passwd")
    (home / "state" / "cadences" / "torn.json").write_text("{")
    (home / "state" / "cadences" / "odd.json").write_text('{"failures": "many"}')
    (home / "state" / "keys" / "mine").symlink_to("elsewhere")
    for folder, name in (("holds", b"bus.\xff.json"), ("keys", b"\xff")):
        Path(os.fsdecode(os.fsencode(home / "state" / folder) + b"/" + name)).write_text("{}")
    ended = cadence("export")
    assert "1 claimed by a consumer: not in it" in ended.stderr
    odd = (r"holds/bus.\xff.json", r"keys/\xff", "keys/mine", "cadences/odd.json")
    for place in ("inbox/link.json", "cadences/torn.json", *odd):
        assert f"state/{place} can't be read: it stays behind" in ended.stderr
    assert len(ended.stdout.splitlines()) == 2
    assert FILE in cadence("export", "--claimed").stdout


@pytest.mark.parametrize(
    ("status", "begun_since", "taken_as"),
    [("ok", False, None), ("dead", False, "dead"), ("ok", True, "inbox"), (None, False, "inbox")],
)
def test_what_has_ended_and_was_not_moved_yet_is_not_taken_along_as_waiting(
    home: Path, status: str | None, taken_as: str | None, *, begun_since: bool
) -> None:
    """A consumer died between the two: there it would run once more. Unless it was run anew since."""
    tick_id = "20261121T023000.123456Z-7f3k9q2m"
    tick: dict[str, object] = {"cadence": "work", "attempts": [{"n": 1, "run": f"{tick_id}.1"}]}
    if status:
        tick["outcome"] = {"status": status, "class": "ok", "finished_at": "2026-11-21T02:30:00Z"}
    (home / "state" / "claimed" / FILE).write_text(json.dumps(tick))
    for number in range(1, 3 if begun_since else 2):
        Path(Home(str(home)).run(tick_id, number)).mkdir(parents=True)
    packed = pack(Home(str(home)), io.BytesIO(), 1_800_000_000.0, version="1", claimed=True)
    assert packed.counts == ({taken_as: 1} if taken_as else {})


def test_a_tick_that_becomes_due_meanwhile_is_taken_along_once(home: Path) -> None:
    """It is met in both folders; what is no hold, or gone when it is read, is nobody's business."""
    state = home / "state"
    for place in (f"inbox/{FILE}", f"deferred/20261121T023000.000000Z~{FILE}"):
        (state / place).write_text('{"cadence": "work"}')
    (state / "dead" / FILE).write_text('{"cadence": "work"}')
    (state / "holds" / "notes.txt").write_text("by hand")
    out = io.BytesIO()
    packed = pack(Home(str(home)), out, 1_800_000_000.0, version="1")
    assert (packed.counts, packed.unread) == ({"deferred": 1, "dead": 1}, [])
    head, *lines, end = map(json.loads, out.getvalue().splitlines())
    assert (head["at"], head["version"], end) == ("2027-01-15T08:00:00.000000Z", "1", {"end": packed.counts})
    assert [line["in"] for line in lines] == ["deferred", "dead"]


def migrate(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [sys.executable, MIGRATE, *words], capture_output=True, encoding="utf-8", check=False
    )


def test_an_older_spool_is_brought_over_once(
    tmp_path: Path, home: Path, cadence: Cadence, define: Define
) -> None:
    """A dry run first; waiting in the order of the files' times, dead letters with their reason, ids kept."""
    old = tmp_path / "old"
    for part in ("inbox", "claimed", "dlq"):
        (old / part).mkdir(parents=True)
    for at, (file, members) in enumerate(
        {
            "inbox/a.json": {"id": "a", "cadence": "Work", "source": "launchd", "attempts": 1, "note": "x"},
            "claimed/b.json": {"id": "b", "cadence": "work", "source": "cli", "attempts": [{"error": "no"}]},
            "dlq/c.json": {"id": "c", "cadence": "work", "attempts": 3, "error": "exit 1"},
            "inbox/d.json": {"id": "d", "cadence": "no way/out"},
        }.items()
    ):
        (old / file).write_text(json.dumps(members))
        os.utime(old / file, (1.7e9 - at, 1.7e9 - at))
    (old / "inbox" / "torn.json").write_text("{")
    define("work")
    dry = migrate(old, home)
    assert dry.returncode == 1
    assert "would bring over: 2 to wait, 1 dead letters; 0 were there already" in dry.stdout
    assert "left: inbox/d.json: cadence 'no way/out' can't name a cadence" in dry.stdout
    assert "left: inbox/torn.json" in dry.stdout
    assert "nothing was changed" in dry.stdout
    assert tree(home) == {}
    assert "brought over: 2 to wait, 1 dead" in migrate(old, home, "--go").stdout
    waiting = [json.loads(line) for line in cadence("ls", "inbox", "--json").stdout.splitlines()]
    assert [(tick["origin_id"], tick["origin_attempts"]) for tick in waiting] == [
        ("b", [{"error": "no"}]),
        ("a", 1),
    ]
    assert (waiting[1]["source"], waiting[1]["cadence"], waiting[1]["note"]) == ("launchd", "work", "x")
    letter = json.loads(cadence("dead", "--json").stdout)
    assert (letter["origin_id"], letter["outcome"]["reason"]) == ("c", "exit 1")
    assert (
        "brought over: 0 to wait, 0 dead letters; 3 were there already" in migrate(old, home, "--go").stdout
    )
    assert cadence("dead", "retry", "--all").returncode == 0
    assert cadence("run", "--drain").returncode == 0
    assert len(cadence("ls", "done", "--json").stdout.splitlines()) == 3


def test_a_spool_becomes_a_home_of_its_own(tmp_path: Path) -> None:
    """One that is not there yet is made, and the missing cadence is told of."""
    (tmp_path / "old" / "inbox").mkdir(parents=True)
    (tmp_path / "old" / "inbox" / "a.json").write_text('{"id": 7, "cadence": "mail"}')
    assert "would bring over: 1 to wait" in migrate(tmp_path / "old", tmp_path / "new").stdout
    assert not (tmp_path / "new").exists()
    ended = migrate(tmp_path / "old", tmp_path / "new", "--go")
    assert ended.returncode == 0, ended.stderr
    assert "write prompts/mail.md before a consumer starts" in ended.stdout
    assert len(list((tmp_path / "new" / "state" / "inbox").iterdir())) == 1
    assert migrate(tmp_path, tmp_path / "new").returncode == 66
