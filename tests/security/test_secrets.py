"""What the bus makes only its owner reads, and no secret lies in what it writes itself."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from cadencebus.clock import day

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.conftest import Cadence
    from tests.security.conftest import Define

KEY = "sk-ant-api03-0123456789abcdefghijklmnop"
OTHER = "correct-horse-battery-staple"


def test_all_that_is_made_is_its_owners_alone(
    tmp_path: Path, cadence: Cadence, environment: dict[str, str]
) -> None:
    """Under umask 000, through a whole life: init, runs that end well and die, holds, gc, doctor."""
    root = tmp_path / "bus"
    environment["CADENCE_HOME"] = str(root)
    old = os.umask(0)
    try:
        assert cadence("init", root, cwd=tmp_path).returncode == 0
        (root / "cadence.yaml").write_text("retention: {done: 1d}\ndefaults: {retries: 0}\n")
        for name, script in (("good", "echo out; echo err >&2"), ("bad", "exit 3")):
            path = root / "prompts" / f"{name}.md"
            path.write_text(f"---\nrunner: command\ncommand: [sh, -c, '{script}']\n---\n")
            path.chmod(0o600)
        past = root / "state" / "done" / day(time.time() - 9 * 86400)
        past.mkdir(mode=0o700)
        (past / "5-20261101T000000.000000Z-good-00000001.json").write_text("{}")
        for words in (
            ["enqueue", "good", "--key", "k", "--payload", '{"a": 1}'],
            ["enqueue", "bad"],
            ["enqueue", "good", "--in", "1h"],
            ["pause", "good"],
            ["resume", "good"],
            ["run", "--once"],
            ["dead", "retry", "--all"],
            ["dead", "purge", "--all"],
            ["stop"],
            ["start"],
            ["gc"],
            ["doctor", "--fix"],
        ):
            assert cadence(*words, cwd=root).returncode in {0, 1}, words
    finally:
        os.umask(old)
    ours = {root / "cadence.yaml", past / "5-20261101T000000.000000Z-good-00000001.json"}
    found = [path for path in (root, *root.rglob("*")) if path not in ours and not path.is_symlink()]
    loose = {
        str(path): oct(path.stat().st_mode) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert not loose
    assert {path.name for path in (root / "state").iterdir()} >= {"dead-archive.jsonl", "archive", "gc.json"}


def test_no_secret_of_the_environment_is_written_down(home: Path, cadence: Cadence, define: Define) -> None:
    """Not in run.json, the tick, the journal or any note: of the environment only names are kept."""
    define("brief", "true", f"env: {{SOME_TOKEN: {OTHER}}}\n")
    assert cadence("enqueue", "brief").returncode == 0
    assert cadence("run", "--drain", env={"ANTHROPIC_API_KEY": KEY}).returncode == 0
    assert list((home / "state" / "done").rglob("*.json"))
    record = next((home / "state" / "runs").rglob("run.json")).read_text()
    assert "SOME_TOKEN" in record
    for path in (home / "state").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert KEY.encode() not in data, path
            assert OTHER.encode() not in data, path


def test_a_secret_in_a_log_goes_no_further(home: Path, cadence: Cadence, define: Define) -> None:
    """The session's own log has what the session printed; letter, journal and screen have not."""
    said = f"api_key: {KEY} password={OTHER} Authorization: Bearer {OTHER}x"
    (home / "say.sh").write_text(f"echo '{said}' >&2; echo so $VAULT_PASSWORD >&2; exit 3")
    define("brief", ". ./say.sh", f"retries: 0\nenv: {{VAULT_PASSWORD: {OTHER}}}\n")
    assert cadence("enqueue", "brief").returncode == 0
    cadence("run", "--drain")
    (letter,) = (home / "state" / "dead").glob("*.json")
    assert "[redacted]" in letter.read_text()
    logs = set((home / "state" / "runs").rglob("*.log"))
    for path in set((home / "state").rglob("*")) - logs:
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
            assert OTHER.encode() not in path.read_bytes(), path
    for words in (["dead", "show", "--all"], ["show", letter.name], ["status"], ["history"], ["doctor"]):
        told = cadence(*words)
        assert KEY not in told.stdout + told.stderr, words
        assert OTHER not in told.stdout + told.stderr, words


def test_a_key_is_in_no_command_line(home: Path, cadence: Cadence, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ps` shows argv to everybody: the run's own, and its shim's, name no value of the environment."""
    monkeypatch.setenv("SECRET_OF_MINE", KEY)
    (home / "prompts" / "brief.md").write_text(
        '---\nrunner: command\ncommand: [sh, -c, \'cat /proc/*/cmdline | tr "\\\\0" " " > seen; true\']\n'
        f"env: {{ANTHROPIC_API_KEY: {KEY}}}\n---\n{OTHER}\n"
    )
    assert cadence("enqueue", "brief").returncode == 0
    assert cadence("run", "--drain").returncode == 0
    seen = (home / "seen").read_bytes()
    assert seen
    assert KEY.encode() not in seen
    assert OTHER.encode() not in seen
