"""Whether it is still the same login, the same key, the same program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-ant-a-very-secret-key"


def marks(home: Path, salt: str = "salt", **env: str) -> dict[str, str]:
    """Take the marks of what Claude Code signs in with."""
    return fingerprint.of_credentials("anthropic", {"HOME": str(home), **env}, salt)


def test_a_mark_tells_a_change_and_not_the_secret(tmp_path: Path) -> None:
    """Salted anew for each hold; an empty key is none."""
    with_key = marks(tmp_path, ANTHROPIC_API_KEY=KEY)
    assert KEY not in str(with_key)
    assert with_key == marks(tmp_path, ANTHROPIC_API_KEY=KEY)
    assert with_key != marks(tmp_path, "pepper", ANTHROPIC_API_KEY=KEY)
    other = marks(tmp_path, ANTHROPIC_API_KEY=f"{KEY}2")
    assert fingerprint.changed(with_key, other) == "ANTHROPIC_API_KEY"
    assert fingerprint.changed(with_key, marks(tmp_path)) == "ANTHROPIC_API_KEY"
    assert marks(tmp_path) == marks(tmp_path, ANTHROPIC_API_KEY="")
    assert fingerprint.changed(with_key, dict(with_key)) is None


@pytest.mark.parametrize("moved", [False, True])
def test_signing_in_changes_a_mark(tmp_path: Path, moved: bool) -> None:
    """The file's time and size are enough, wherever the CLI keeps it; it is not read."""
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path / "elsewhere")} if moved else {}
    login = tmp_path / ("elsewhere" if moved else ".claude") / ".credentials.json"
    before = marks(tmp_path, **env)
    login.parent.mkdir()
    login.write_text("{}")
    login.chmod(0)
    after = marks(tmp_path, **env)
    assert fingerprint.changed(before, after) == str(login)
    os.utime(login, (1, 1))
    assert fingerprint.changed(after, marks(tmp_path, **env)) == str(login)


def test_another_version_is_another_file(tmp_path: Path) -> None:
    """Behind the same link; and one that was missing is found once it is there."""
    env = {"HOME": str(tmp_path), "PATH": str(tmp_path)}

    def of_program() -> dict[str, str]:
        return fingerprint.of_program(["agent-xyz", "-p"], env, str(tmp_path))

    assert of_program() == {"agent-xyz": "missing"}
    for version in ("1", "2"):
        program = tmp_path / f"agent-{version}"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "agent-xyz").symlink_to("agent-1")
    first = of_program()
    assert "agent-1" in first["agent-xyz"]
    (tmp_path / "agent-xyz").unlink()
    (tmp_path / "agent-xyz").symlink_to("agent-2")
    assert fingerprint.changed(first, of_program()) == "agent-xyz"
    assert fingerprint.of_program([], env, "/") == {"": "missing"}
