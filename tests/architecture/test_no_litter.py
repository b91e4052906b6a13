"""Nothing of the machine on which a file was written stays in it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Where checkouts and people live. A name that stands for anybody may stay, in documents and recordings.
SOMEBODYS = re.compile(
    rb"(?<![\w.})-])/(?:root|work|(?:home|Users)/(?!(?:user|you|me|alice)\b)[\w.-]+)/[\w./-]*"
)
TOO_BIG = 1 << 20


@pytest.fixture(scope="module")
def committed(root: Path) -> list[Path]:
    """List the files that git knows, as they lie in the checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = listed.stdout.decode().split("\0")
    return [root / name for name in names if name and (root / name).is_file()]


def test_no_file_names_a_folder_of_somebodys_machine(committed: list[Path], root: Path) -> None:
    """Neither the checkout in which something was written nor a person's home."""
    found = {path.relative_to(root): SOMEBODYS.search(path.read_bytes()) for path in committed}
    offences = [f"{path}: {place[0].decode()}" for path, place in found.items() if place]
    assert not offences, "\n".join(offences)


def test_nothing_that_a_run_leaves_behind_is_committed(committed: list[Path], root: Path) -> None:
    """No caches, no state of the demo home but its README, nothing huge."""
    names = {str(path.relative_to(root)) for path in committed}
    assert [name for name in names if name.startswith("state/")] == ["state/README.md"]
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig", ".rej"))]
    assert not [str(path) for path in committed if path.stat().st_size > TOO_BIG]


def test_a_program_can_be_started(committed: list[Path], root: Path) -> None:
    """What begins with `#!` is executable in git, wherever it is meant to be started."""
    listed = subprocess.run(["git", "ls-files", "-s", "-z"], cwd=root, capture_output=True, check=True)
    modes = {row.split("\t")[1]: row.split()[0] for row in listed.stdout.decode().split("\0") if row}
    scripts = [path for path in committed if path.read_bytes()[:2] == b"#!"]
    assert not [path for path in scripts if modes[str(path.relative_to(root))] != "100755"]
