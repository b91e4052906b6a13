"""Broken homes: the first screen says what is wrong, and what to type."""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.checkup.home import file_system
from cadencebus.checkup.patient import Patient
from cadencebus.clock import day, rfc3339, stamp
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.checkup.conftest import Doctor

ID = "20261121T023000.123456Z"
NAME = f"5-{ID}-brief-7f3k9q2m.json"
DAY = 86400.0


def write(path: Path, text: str, *, days: float = 0.0) -> Path:
    """Write a file, as if some days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def prompt(home: Path, matter: str, name: str = "brief") -> Path:
    """Write a cadence."""
    return write(home / "prompts" / f"{name}.md", f"---\n{matter}\n---\nDo it.\n")


def hold(home: Path, name: str, **more: object) -> None:
    """Hold something."""
    members = {"since": rfc3339(time.time()), "until": None, "detail": "see there", **more}
    write(home / "state" / "holds" / f"{name}.json", json.dumps(members))


def ended(home: Path, seconds: float, times: int, **more: object) -> Path:
    """Tell the journal of some runs."""
    return told(home, times, event="run.ended", cadence="brief", seconds=seconds, **more)


def told(home: Path, times: int = 1, **event: object) -> Path:
    """Tell the journal of an event."""
    line = {"at": rfc3339(time.time()), **event}
    return write(home / "state" / "events" / f"{day(time.time())}.jsonl", f"{json.dumps(line)}\n" * times)


def letter(home: Path, days: float) -> None:
    """A dead letter."""
    at = time.time() - days * DAY
    tick = {
        "cadence": "brief",
        "outcome": {"status": "dead", "class": "timeout", "reason": "too slow", "finished_at": rfc3339(at)},
    }
    write(home / "state" / "dead" / f"5-{stamp(at)}-brief-7f3k9q2m.json", json.dumps(tick))


def supervisor(home: Path, state: str) -> None:
    """A supervisor that is no more."""
    gone = {"pid": 4194305, "started": 1.0, "boot": "0", "since": ""}
    said: dict[str, object] = {
        "supervisor": gone,
        "consumer": None,
        "state": state,
        "reason": "exit 78",
        "until": None,
        "deaths": [],
    }
    write(home / "state" / "supervisor.json", json.dumps(said))


def in_the_way(home: Path, folder: str) -> Path:
    """Take a folder away, so that something else may lie there."""
    path = home / "state" / folder
    path.rmdir()
    return path


COMMAND = "runner: command\ncommand: ['true']"

# What was done to the home, the finding that must be there, its level, and what to type.
BROKEN: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "a folder was removed": (
        lambda home: (home / "state" / "inbox").rmdir(),
        "home.folder_missing", "ill", "cadence doctor --fix",
    ),
    "state is the world's": (
        lambda home: (home / "state").chmod(0o777),
        "home.permissions", "ill", "cadence doctor --fix",
    ),
    "state may be read": (lambda home: (home / "state").chmod(0o755), "home.open", "warn", "--fix"),
    "prompts are the world's": (
        lambda home: (home / "prompts").chmod(0o777),
        "prompts.writable", "ill", "cadence doctor --fix",
    ),
    "a link for a folder": (
        lambda home: os.symlink(home, in_the_way(home, "keys")),
        "home.link", "ill", "real folder",
    ),
    "a file for a folder": (
        lambda home: write(in_the_way(home, "dead"), ""),
        "home.not_folder", "ill", "move it away",
    ),
    "a later layout": (
        lambda home: write(home / "state" / "FORMAT", "9\n"),
        "home.format", "ill", "upgrade cadencebus",
    ),
    "stopped": (lambda home: write(home / "state" / "STOP", ""), "stop.on", "ill", "cadence start"),
    "nobody runs it": (
        lambda home: (prompt(home, COMMAND), write(home / "state" / "inbox" / NAME, '{"cadence": "brief"}')),
        "consumer.none", "ill", "cadence up",
    ),
    "crashed": (
        lambda home: write(home / "state" / "consumer.json", '{"pid": 4194305}'),
        "consumer.crashed", "ill", "cadence up",
    ),
    "parked": (lambda home: supervisor(home, "parked"), "consumer.parked", "ill", "cadence up"),
    "a supervisor killed": (lambda home: supervisor(home, "up"), "supervisor.stale", "note", "cadence up"),
    "a claim left": (
        lambda home: write(home / "state" / "claimed" / NAME, '{"cadence": "brief"}'),
        "claim.waiting", "warn", "cadence up",
    ),
    "a torn tick": (
        lambda home: write(home / "state" / "claimed" / NAME, '{"cade'),
        "tick.unreadable", "ill", "cadence up",
    ),
    "twice": (
        lambda home: [write(home / "state" / place / NAME, "{}") for place in ("inbox", "dead")],
        "tick.twice", "warn", "cadence restart",
    ),
    "set aside": (
        lambda home: write(home / "state" / "cadences" / f"brief.json.corrupt-{ID}", "{"),
        "state.corrupt", "warn", "less ",
    ),
    "what stood in the journal's place": (
        lambda home: os.symlink("x", home / "state" / "events" / f"2026-11-21.jsonl.corrupt-{ID}"),
        "state.corrupt", "warn", "less ",
    ),
    "a torn memory": (
        lambda home: write(home / "state" / "cadences" / "brief.json", "{"),
        "state.torn", "warn", "cadence doctor --fix",
    ),
    "an odd name": (lambda home: write(home / "state" / "runs" / "mine", ""), "name.odd", "note", "move"),
    "old leftovers": (
        lambda home: write(home / "state" / "tmp" / NAME, "{", days=3),
        "tmp.stale", "note", "cadence gc",
    ),
    "a torn journal": (
        lambda home: write(home / "state" / "events" / f"{day(time.time())}.jsonl", "{}\n{torn\n{}\n"),
        "journal.torn", "note", "nothing",
    ),
    "a journal of tomorrow": (
        lambda home: write(
            home / "state" / "events" / f"{day(time.time() + DAY)}.jsonl",
            json.dumps({"at": rfc3339(time.time() + 2 * DAY), "event": "x.y"}) + "\n",
        ),
        "clock.behind", "warn", "date",
    ),
    "broken settings": (
        lambda home: write(home / "cadence.yaml", "max_sesions: 2\n"),
        "settings.broken", "ill", "cadence check",
    ),
    "a broken cadence": (lambda home: prompt(home, "retires: 2"), "cadence.broken", "ill", "cadence check"),
    "a prompt missing": (
        lambda home: write(home / "state" / "inbox" / NAME, '{"cadence": "brief"}'),
        "cadence.unknown", "ill", "prompts/brief.md",
    ),
    "an odd prompt": (
        lambda home: write(home / "prompts" / "My Brief.md", ""),
        "prompt.odd_name", "warn", "rename",
    ),
    "an unknown runner": (
        lambda home: prompt(home, "runner: cluade"),
        "runner.unknown", "ill", "cadence check",
    ),
    "an unknown follow-up": (
        lambda home: prompt(home, f"{COMMAND}\nthen: nobody"),
        "follow_up.unknown", "warn", "cadence check",
    ),
    "no program": (
        lambda home: prompt(home, "runner: command\ncommand: [no-such-program]"),
        "program.missing", "ill", "PATH",
    ),
    "no program that tells": (
        lambda home: write(home / "cadence.yaml", "notify: [{command: [./tell-me]}]"),
        "notice.missing", "warn", "PATH",
    ),
    "a notice that nobody got": (
        lambda home: (
            write(home / "cadence.yaml", "notify: [{command: [sh, -c, exit 3]}]"),
            told(home, event="notice.failed", reason="sh ended with exit 3: no mailbox"),
        ),
        "notice.failing", "warn", "by hand",
    ),
    "no key": (
        lambda home: prompt(home, "auth: api-key"),
        "credentials.missing", "ill", "ANTHROPIC_API_KEY",
    ),
    "no login": (lambda home: prompt(home, "env: {}"), "credentials.none", "warn", "log in"),
    "the key of another program": (
        lambda home: prompt(home, "runner: codex\nenv: {OPENAI_API_KEY: sk-proj-4f8a1b}"),
        "credentials.none", "warn", "log in",
    ),
    "a placeholder": (
        lambda home: prompt(home, "env: {ANTHROPIC_API_KEY: your-key-here}"),
        "credentials.placeholder", "warn", "unset",
    ),
    "credentials held": (
        lambda home: hold(home, "credentials-anthropic.auth"),
        "hold.lasting", "ill", "cadence resume --credentials anthropic",
    ),
    "paused": (lambda home: hold(home, "bus.paused"), "hold.paused", "note", "cadence resume"),
    "a torn hold": (
        lambda home: write(home / "state" / "holds" / "bus.paused.json", "{"),
        "hold.unreadable", "ill", "rm ",
    ),
    "an open circuit": (
        lambda home: hold(home, "cadence-brief.circuit_open", until=rfc3339(time.time() + 600)),
        "circuit.open", "ill", "cadence circuit reset brief",
    ),
    "a fresh letter": (lambda home: letter(home, 0.1), "dead.fresh", "ill", "cadence dead show 7f3k9q2m"),
    "an old letter": (lambda home: letter(home, 9), "dead.old", "note", "cadence dead"),
    "nearly too slow": (
        lambda home: (prompt(home, f"{COMMAND}\ntimeout: 100s"), ended(home, 90.0, 3)),
        "timeout.near", "warn", "raise timeout in prompts/brief.md",
    ),
    "leaks": (
        lambda home: (
            ended(home, 1.0, 3, run=f"{ID}-7f3k9q2m.1"),
            write(
                home / "state" / "runs" / "2026-11-21" / f"{ID}-7f3k9q2m.1" / "run.json",
                '{"leaked": [{"pid": 1}]}',
            ),
        ),
        "run.leaks", "warn", "wait for its children",
    ),
    "disabled": (
        lambda home: (
            prompt(home, f"{COMMAND}\nenabled: false"),
            write(home / "state" / "inbox" / NAME, '{"cadence": "brief"}'),
        ),
        "cadence.disabled", "note", "enabled: true",
    ),
    "an empty prompt": (
        lambda home: write(home / "prompts" / "brief.md", "---\nmodel: x\n---\n"),
        "prompt.empty", "warn", "what is to be done",
    ),
    "backing off": (
        lambda home: hold(home, "cadence-brief.backoff", until=rfc3339(time.time() + 60)),
        "hold.passing", "note", "cadence holds",
    ),
    "a unit of a program that is gone": (
        lambda home: write(
            home / "state" / "installed.json",
            json.dumps({"by": "systemd", "program": ["/no/such/cadence"], "path": "/usr/bin"}),
        ),
        "unit.stale", "warn", "cadence install systemd",
    ),
    "a home that was moved": (
        lambda home: (
            write(
                home / "state" / "installed.json",
                json.dumps({"by": "systemd", "program": ["/bin/true"], "path": "/bin", "started": True}),
            ),
            write(home / "state" / "producers.json", '{"by": "systemd", "cadences": ["brief"]}'),
        ),
        "producers.lost", "warn", "cadence install systemd, or cadence uninstall",
    ),
    "a clock in doubt": (
        lambda home: write(
            home / "state" / "gc.json",
            json.dumps({
                "at": rfc3339(time.time()), "steady": 1e9, "boot_id": "another",
                "doubted_at": rfc3339(time.time()), "doubt": "the clock jumped 9 days ahead",
            }),
        ),
        "clock.jumped", "warn", "cadence gc --trust-clock",
    ),
    "never tidied": (
        lambda home: (home / "state" / "done" / day(time.time() - 40 * DAY)).mkdir(),
        "retention.late", "warn", "cadence gc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_home_is_told_from_a_sound_one(home: Path, call: Doctor, name: str) -> None:
    """What is wrong, how bad it is, and what to type; the worst stands first; looking changes nothing."""
    harm, kind, level, cure = BROKEN[name]
    harm(home)
    tree = {path: path.lstat().st_mtime_ns for path in home.rglob("*")}
    told = call()
    assert tree == {path: path.lstat().st_mtime_ns for path in home.rglob("*")}
    its = [one for one in told["findings"] if one["kind"] == kind]
    assert its, told["screen"]
    assert its[0]["level"] == level
    assert cure in its[0]["cure"]
    assert told["code"] == (1 if any(one["level"] == "ill" for one in told["findings"]) else 0)
    ranks = [("ill", "warn", "note").index(one["level"]) for one in told["findings"]]
    assert ranks == sorted(ranks)
    assert f"{its[0]['what']}  →  {its[0]['cure']}" in told["screen"]
    assert "check.cant_tell" not in {one["kind"] for one in told["findings"]}


def test_a_sound_home_is_well(home: Path, call: Doctor) -> None:
    """Exit 0, and no finding but what one may want to know."""
    prompt(home, COMMAND)
    told = call()
    assert told["code"] == 0
    assert {(one["kind"], one["level"]) for one in told["findings"]} <= {
        ("consumer.none", "note"),
        ("home.forgetful", "warn"),
    }


def test_what_is_within_bounds_is_nothing_to_tell_of(home: Path, call: Doctor) -> None:
    """Each of these is a finding a step further."""
    now = time.time()
    prompt(home, f"{COMMAND}\ntimeout: 100s")
    state, run = home / "state", f"{ID}-7f3k9q2m.1"
    write(state / "runs" / "2026-11-21" / run / "run.json", '{"leaked": [{"pid": 1}]}')
    lines: list[dict[str, Any]] = [
        *({"event": "run.ended", "cadence": "brief", "seconds": 80.0} for _ in range(3)),
        *({"event": "run.ended", "cadence": "brief", "seconds": 80.1, "run": run} for _ in range(2)),
        {"event": "x.y", "at": rfc3339(now + 290)},
    ]
    text = "".join(f"{json.dumps({'at': rfc3339(now), **line})}\n" for line in lines)
    write(state / "events" / f"{day(now)}.jsonl", text)
    failed = {"at": rfc3339(now - 1.01 * DAY), "event": "notice.failed", "reason": "no mailbox"}
    write(state / "events" / f"{day(now - 1.01 * DAY)}.jsonl", f"{json.dumps(failed)}\n")
    write(home / "cadence.yaml", "notify: [{command: [sh, -c, exit 3]}]", days=3)
    write(state / "tmp" / NAME, "{", days=0.99)
    write(state / "inbox" / "mine.json", '{"cadence": "brief"}')
    write(state / "inbox" / ".staging", "")
    (state / "done" / day(now - 16 * DAY)).mkdir()
    (state / "runs" / day(now - 32 * DAY)).mkdir()
    told = call()
    kinds = {one["kind"] for one in told["findings"]}
    assert kinds <= {"consumer.none", "home.forgetful"}, told["screen"]


def test_what_a_finder_leaves_behind_is_nothing_to_tell_of(home: Path, call: Doctor) -> None:
    """A Mac writes .DS_Store into each folder that somebody looks at, and ._x beside x on foreign disks."""
    prompt(home, COMMAND)
    for folder in (home, home / "prompts", home / "state", *(home / "state").iterdir()):
        if folder.is_dir():
            (folder / ".DS_Store").write_bytes(b"Bud1")
            (folder / "._brief.md").write_bytes(b"\0\5\x16\7")
    kinds = {one["kind"] for one in call()["findings"]}
    assert kinds <= {"consumer.none", "home.forgetful"}


FIXED = (
    "a folder was removed",
    "state is the world's",
    "state may be read",
    "prompts are the world's",
    "crashed",
    "a supervisor killed",
    "a torn memory",
    "old leftovers",
)


def test_fix_mends_what_is_safe_and_looks_again(home: Path, call: Doctor) -> None:
    """All at once; nothing that anybody wrote is lost."""
    prompt(home, COMMAND)
    for name in FIXED:
        BROKEN[name][0](home)
    (home / "state").chmod(0o777)
    told = call("--fix")
    kinds = {one["kind"] for one in told["findings"]}
    assert kinds <= {"consumer.none", "state.corrupt", "home.forgetful"}, told["findings"]
    assert told["code"] == 0
    assert {one["kind"] for one in told["fixed"]} >= {BROKEN[name][1] for name in FIXED} - {"home.open"}
    assert told["not_fixed"] == []
    assert [path.read_text() for path in (home / "state" / "cadences").iterdir()] == ["{"]


def test_a_check_that_falls_over_keeps_no_other_from_being_made(
    home: Path, call: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told of as something nobody can tell."""

    def fall(_: object) -> str:
        raise RuntimeError("oh\x1b[31m dear")

    monkeypatch.setattr("cadencebus.checkup.machine.day", fall)
    write(home / "state" / "STOP", "")
    told = call()
    assert "can't tell about the clock: RuntimeError: oh dear" in told["screen"]
    assert told["findings"][0]["kind"] == "stop.on"


def test_a_thousand_of_a_kind_are_four_lines(home: Path, call: Doctor) -> None:
    """One trouble is one trouble, however many files it has."""
    for number in range(100):
        write(home / "state" / "inbox" / f"5-{ID}-brief-{number:08d}.json", "{torn")
    told = call()
    assert told["screen"].count("inbox/5-") == 4
    assert "and 96 more of tick.unreadable" in told["screen"]


def test_agents_programs_tell_their_versions(
    home: Path, call: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers is listed; one that says nothing is a finding."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, script in (("claude", "echo 2.1.0"), ("codex", "exit 1")):
        write(tmp_path / name, f"#!/bin/sh\n{script}\n").chmod(0o700)
        prompt(home, f"runner: {name}", name)
    told = call("-v")
    assert told["programs"] == {f"{tmp_path}/claude": "2.1.0", f"{tmp_path}/codex": "?"}
    assert f"{tmp_path}/claude: 2.1.0" in told["screen"]
    silent = [one["what"] for one in told["findings"] if one["kind"] == "program.silent"]
    assert silent == [f"{tmp_path}/codex --version says nothing within 8 s"]


@pytest.mark.parametrize(
    ("runner", "login"),
    [
        ("claude", "moved/.credentials.json"),
        ("codex", "moved/auth.json"),
        ("gemini", ".config/gcloud/application_default_credentials.json"),
    ],
)
def test_a_login_is_found_wherever_its_agent_keeps_it(
    home: Path, call: Doctor, runner: str, login: str
) -> None:
    """In a folder that the cadence's own environment names, too."""
    moved = home.parent / "moved"
    prompt(home, f"runner: {runner}\nenv: {{CLAUDE_CONFIG_DIR: {moved}, CODEX_HOME: {moved}}}")
    assert "credentials.none" in {one["kind"] for one in call()["findings"]}
    write(home.parent / login, "{}")
    assert "credentials.none" not in {one["kind"] for one in call()["findings"]}


MIB = 1 << 20


@pytest.mark.parametrize(
    ("room", "inodes", "flags", "told"),
    [
        ((32 * MIB - 1, 1 << 42), 10**6, 0, ("disk.full", "ill")),
        ((32 * MIB, 1 << 42), 10**6, 0, ("disk.low", "warn")),
        ((512 * MIB - 1, 1 << 42), 10**6, 0, ("disk.low", "warn")),
        ((512 * MIB, 1 << 42), 10**6, 0, None),
        # A small disk of which a twentieth is free.
        ((50 * MIB, 1000 * MIB), 10**6, 0, None),
        ((50 * MIB - 1, 1000 * MIB), 10**6, 0, ("disk.low", "warn")),
        ((1 << 40, 1 << 42), 10_000, 0, None),
        ((1 << 40, 1 << 42), 9999, 0, ("inodes.few", "warn")),
        ((1 << 40, 1 << 42), 0, 0, ("inodes.few", "ill")),
        ((1 << 40, 1 << 42), 10**6, os.ST_RDONLY | os.ST_NOSUID, ("home.read_only", "ill")),
    ],
)
def test_a_disk_without_room_is_told(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: tuple[int, int],
    inodes: int,
    flags: int,
    told: tuple[str, str] | None,
) -> None:
    """Bytes and inodes, before the bus has to hold for want of them."""
    free, whole = room
    disk = SimpleNamespace(
        f_flag=flags, f_bavail=free, f_frsize=1, f_blocks=whole, f_files=10**7, f_favail=inodes
    )
    monkeypatch.setattr("cadencebus.checkup.home.os.statvfs", lambda _: disk)
    findings = file_system(Patient(Home(str(home)), time.time()))
    assert [(one.kind, one.level) for one in findings if one.kind != "home.forgetful"] == [told] * bool(told)
    # A file system that counts no inodes has none to run out of.
    disk.f_files = 0
    assert "inodes.few" not in {one.kind for one in file_system(Patient(Home(str(home)), time.time()))}
