"""Who may write the inbox can have cadences run, and nothing else: no paths, options, shells or bombs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model import strictjson
from cadencebus.store import files
from cadencebus.store.yamltext import BadYAML, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence
    from tests.security.conftest import Define

STAMP = "20261121T023000.123456Z"
ELSEWHERE = "the content of another file"


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Take down all that lies below a folder, and when it was changed."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(root.rglob("*"))}


def everything(root: Path) -> bytes:
    """All bytes of all regular files below a folder."""
    return b"\0".join(
        path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.is_symlink()
    )


def put(home: Path, number: int, **members: object) -> None:
    """Drop a file into the inbox as any producer may."""
    name = f"5-{STAMP}-brief-{number:08d}.json"
    (home / "state" / "inbox" / name).write_text(json.dumps({"cadence": "brief", **members}))


def test_names_and_links_lead_nowhere_outside(
    home: Path, cadence: Cadence, define: Define, tmp_path: Path
) -> None:
    """Neither a cadence's name, a key, an id nor a link reads or writes anything outside the home."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text(json.dumps({"cadence": "brief", "payload": {"a": ELSEWHERE}}))
    (outside / "evil.md").write_text("---\nrunner: command\ncommand: [touch, pwned]\n---\n")
    define("brief")
    inbox = home / "state" / "inbox"
    for at, name in enumerate(("../../outside/evil", "/etc/passwd", "..", "brief/../../x", "a\0b", "-rf")):
        put(home, at, cadence=name)
    put(home, 20, key="../../outside/key", source="../../x", then="../evil")
    put(home, 21, id="../../../outside/x")
    (inbox / "link.json").symlink_to(outside / "secret.json")
    (inbox / f"5-{STAMP}-brief-00000099.json").symlink_to(outside / "secret.json")
    (inbox / "folder.json").symlink_to(outside)
    os.mkfifo(inbox / "pipe.json")
    (home / "prompts" / "linked.md").symlink_to(outside / "evil.md")
    before = tree(outside)
    ended = cadence("run", "--drain")
    assert ended.returncode == 0, ended.stderr
    assert tree(outside) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "outside"]
    assert ELSEWHERE.encode() not in everything(home / "state")
    assert len(list((home / "state" / "dead").glob("*.json"))) == 11
    for word in ("../../outside/secret", "/etc/passwd", f"{STAMP}-../../x"):
        assert cadence("show", word).returncode == 66
        assert cadence("logs", word).returncode == 66


def test_a_folder_swapped_for_a_link_is_refused(home: Path, cadence: Cadence, tmp_path: Path) -> None:
    """By the consumer before it starts, and by who puts a tick in where the file is made."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "state" / "runs").rmdir()
    (home / "state" / "runs").symlink_to(elsewhere)
    refused = cadence("run", "--once")
    assert refused.returncode == 78
    assert "symbolic link" in refused.stderr
    target = tmp_path / "target"
    planted = home / "state" / "tmp" / "planted"
    planted.symlink_to(target)
    with pytest.raises(FileExistsError):
        files.write_new(str(planted), b"x")
    with pytest.raises(OSError, match="symbolic"):
        files.read(str(planted), 10)
    assert not target.exists()


def test_a_payload_is_data_and_never_a_word_of_a_command(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """No shell, no option, no placeholder, no variable sees it; it lies in files."""
    define("brief", 'printf "%s\\n" "$@" > args; env > env; cat > prompt')
    evil = '"; touch pwned; $(touch pwned) `touch pwned` {home} {model} --dangerously-skip-permissions'
    put(home, 1, payload={"$(touch pwned)": evil, "PATH": "/evil", "--model": "x"}, source=evil, key=evil)
    assert cadence("run", "--drain").returncode == 0
    assert len(list((home / "state" / "done").rglob("*.json"))) == 1
    assert not list(home.rglob("pwned"))
    assert (home / "args").read_text().strip() == ""
    assert "touch" not in (home / "env").read_text()
    assert "--dangerously-skip-permissions" in (home / "prompt").read_text()
    run: dict[str, Any] = json.loads(next((home / "state" / "runs").rglob("run.json")).read_bytes())
    assert "touch" not in json.dumps(run["argv"]).replace("> args", "")


@pytest.mark.parametrize("word", ["--help", "-rf", "--home=/", "--force"])
def test_a_word_that_looks_like_an_option_is_no_cadence(home: Path, cadence: Cadence, word: str) -> None:
    """Behind `--` it is a name, and no cadence has such a one."""
    refused = cadence("enqueue", "--", word)
    assert refused.returncode in {64, 65, 66}
    assert not list((home / "state" / "inbox").iterdir())


BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a tag that runs": "a: !!python/object/apply:os.system ['touch pwned']\n",
    "a tag that opens": "a: !!python/object/new:open ['pwned', 'w']\n",
    "a tag of its own": "a: !include /etc/passwd\n",
    "merging": "a: {x: 1}\nb: {<<: *a}\n",
    "deep": "a: " + "[" * 5000,
    "deep maps": "\n".join(" " * at + "a:" for at in range(200)),
    "large": "a: " + "x" * (2 << 20),
    "a long number": "a: " + "9" * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_neither_explodes_nor_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at once, or read as the text that it is."""
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    try:
        document = load(BOMBS[name])
    except BadYAML:
        pass
    else:
        assert name == "a long number"
        assert document.value == {"a": "9" * 100_000}
    assert time.process_time() - began < 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b'{"a":' * 200_000, b'{"a": 1e999}', b"9" * 1_000_000, b'{"a": 1, "a": 2}'],
    ids=["deep lists", "deep maps", "infinite", "long number", "a key twice"],
)
def test_json_that_is_huge_or_deep_is_refused(data: bytes) -> None:
    """Before the parser recurses."""
    with pytest.raises(strictjson.BadJSON):
        strictjson.loads(data)


def test_a_number_that_is_a_strangers_by_now_gets_no_signal(home: Path, cadence: Cadence) -> None:
    """run.json names a pid that somebody else has: neither kill, stop nor doctor touch him."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        tick = f"{STAMP}-7f3k9q2m"
        (home / "state" / "claimed" / f"5-{STAMP}-brief-7f3k9q2m.json").write_text('{"cadence": "brief"}')
        run = home / "state" / "runs" / "2026-11-21" / f"{tick}.1"
        run.mkdir(parents=True)
        note = {"pid": stranger.pid, "shim": stranger.pid, "started": 1.0, "boot_id": "x", "run": f"{tick}.1"}
        for name in ("run.json", "alive"):
            (run / name).write_text(json.dumps(note))
        for file in ("consumer.json", "supervisor.json"):
            process = {"pid": stranger.pid, "started": 1.0, "boot": "x", "since": ""}
            said = note | {"supervisor": process, "consumer": process, "state": "up", "reason": "",
                           "until": None, "deaths": []}  # fmt: skip
            (home / "state" / file).write_text(json.dumps(said))
        for words in (["kill", "7f3k9q2m"], ["stop", "--kill"], ["start"], ["down"], ["doctor", "--fix"]):
            cadence(*words)
        cadence("run", "--once")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
