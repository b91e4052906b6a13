"""`cadence init`: a home that works, private, and nothing of anybody's overwritten."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import CantCreate, Misconfigured

if TYPE_CHECKING:
    from tests.conftest import Cadence


def test_the_next_commands_that_it_names_work(cadence: Cadence, tmp_path: Path) -> None:
    """Whoever types what init says sees the example run."""
    root = tmp_path / "my bus"
    made = cadence("init", root, env={"CADENCE_HOME": ""}, cwd=tmp_path)
    assert made.returncode == 0
    assert not list((root / "state" / "inbox").iterdir()), "nothing is enqueued by itself"
    lines = [shlex.split(line) for line in made.stderr.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == ["cd", "cadence", "cadence"]
    for _, *words in lines[1:]:
        ended = cadence(*words, env={"CADENCE_HOME": ""}, cwd=lines[0][1])
        assert ended.returncode == 0, ended.stderr
    assert len(list((root / "state" / "done").rglob("*.json"))) == 1


def test_whoever_has_cadences_gets_no_example(cadence: Cadence, tmp_path: Path) -> None:
    """A folder that is in use stays as its owner arranged it."""
    (tmp_path / "bus" / "prompts").mkdir(parents=True)
    (tmp_path / "bus" / "prompts" / "mine.md").write_text("Do it.\n")
    made = cadence("init", tmp_path / "bus", "--json")
    assert "prompts/hello.md" not in json.loads(made.stdout)["made"]
    assert [path.name for path in (tmp_path / "bus" / "prompts").iterdir()] == ["mine.md"]


def test_what_a_crash_left_out_is_made_by_the_next_init(cadence: Cadence, home: Path) -> None:
    """Only what is missing."""
    (home / "state" / "keys").rmdir()
    made = json.loads(cadence("init", "--json").stdout)["made"]
    assert made == ["state/keys/", "cadence.yaml", "prompts/hello.md"]
    assert json.loads(cadence("init", "--json").stdout)["made"] == []


def test_nothing_is_made_behind_a_symbolic_link(cadence: Cadence, tmp_path: Path) -> None:
    """A state folder that points elsewhere is refused before anything is written there."""
    (tmp_path / "bus").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bus" / "state").symlink_to(tmp_path / "elsewhere")
    refused = cadence("init", tmp_path / "bus")
    assert refused.returncode == 78
    assert "symbolic link" in refused.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_home_of_a_later_version_is_left_alone(cadence: Cadence, home: Path) -> None:
    """Exit 78, and not even what is missing is made."""
    (home / "state" / "FORMAT").write_text("2\n")
    (home / "state" / "keys").rmdir()
    refused = cadence("init")
    assert refused.returncode == 78
    assert "upgrade cadencebus" in refused.stderr
    assert not (home / "state" / "keys").exists()


@pytest.mark.parametrize("first", ["enqueue", "run"])
def test_a_home_that_came_without_its_folders_works(cadence: Cadence, tmp_path: Path, first: str) -> None:
    """Git keeps no empty folder: in a fresh clone `state/` has a README at most."""
    home = tmp_path / "clone"
    (home / "prompts").mkdir(parents=True)
    (home / "prompts" / "x.md").write_text("---\nrunner: command\ncommand: ['true']\n---\n")
    (home / "state").mkdir(mode=0o755)
    (home / "state" / "README.md").write_text("the queue")
    words = {"enqueue": ("enqueue", "x"), "run": ("run", "--once")}
    assert cadence("--home", str(home), *words[first]).returncode == 0
    assert (home / "state").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in home.iterdir()) == ["prompts", "state"]
    assert cadence("--home", str(home), *words["enqueue"]).returncode == 0
    assert cadence("--home", str(home), "run", "--drain").returncode == 0
    assert len(list((home / "state" / "done").glob("*/*.json"))) == (2 if first == "enqueue" else 1)


def test_a_home_that_lost_a_folder_is_not_made_whole_by_the_way(cadence: Cadence, home: Path) -> None:
    """A disk that is not mounted, a slip of the hand: somebody has to look first."""
    (home / "prompts" / "x.md").write_text("Do it.\n")
    (home / "state" / "tmp").rmdir()
    assert cadence("enqueue", "x").returncode == CantCreate.exit_code
    assert cadence("run", "--once").returncode == Misconfigured.exit_code
    assert not (home / "state" / "tmp").exists()


def test_a_home_whose_runs_would_have_no_room_for_names_is_refused(cadence: Cadence, tmp_path: Path) -> None:
    """At 4096 bytes the kernel takes no path any more: such a home took ticks, and could start none."""
    deep = f"{tmp_path}/deep"
    while len(deep) < 3900:
        deep += "/" + "d" * min(200, 3899 - len(deep))
    made = cadence("init", deep)
    assert (made.returncode, "is 3900 bytes long, 3800 at most" in made.stderr) == (78, True)
    assert not (tmp_path / "deep").exists()
    (Path(deep) / "state").mkdir(parents=True)
    (Path(deep) / "prompts").mkdir()
    assert cadence("--home", deep, "enqueue", "hello").returncode == 78
