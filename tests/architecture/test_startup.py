"""A producer starts every few minutes, for years: `cadence enqueue` loads nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

# Each costs the start more than everything that enqueue does: measured with `python -X importtime`.
DEAR = {
    *("argparse", "asyncio", "concurrent.futures", "ctypes", "dataclasses", "datetime", "email", "enum"),
    *("functools", "hashlib", "importlib.metadata", "inspect", "json", "logging", "multiprocessing"),
    *("pathlib", "random", "re", "secrets", "shutil", "signal", "socket", "subprocess", "tempfile"),
    *("threading", "typing", "urllib", "uuid", "zoneinfo"),
    *("cronsim", "psutil", "rich", "tenacity", "watchdog", "yaml"),
}


@pytest.fixture
def hello(home: Path) -> Path:
    """Give the home a cadence to enqueue."""
    (home / "prompts" / "hello.md").write_text("---\nrunner: command\ncommand: [echo, hello]\n---\n")
    return home


def loaded(environment: Mapping[str, str], *words: str) -> set[str]:
    """List what an interpreter has imported by the time it ends."""
    command = [sys.executable, "-X", "importtime", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


def loaded_by_enqueue(environment: Mapping[str, str], *words: str) -> set[str]:
    """List what the installed command imports beyond what a bare interpreter has anyway."""
    program = str(Path(sys.executable).with_name("cadence"))
    return loaded(environment, program, "enqueue", "hello", *words) - loaded(environment, "-c", "pass")


def test_enqueue_loads_nothing_dear(hello: Path, environment: dict[str, str]) -> None:
    """The plain form has neither `json` nor `argparse`, nor any of the libraries."""
    seen = loaded_by_enqueue(environment)
    assert "cadencebus.cli.enqueue" in seen, "the list is of something else"
    assert not seen & DEAR, sorted(seen & DEAR)
    assert list((hello / "state" / "inbox").iterdir()), "nothing was enqueued"


def test_enqueue_takes_the_stairs_down(hello: Path, environment: dict[str, str]) -> None:
    """Of the house itself it visits the ground floors and the disk, a handful of rooms: no rule, no loop."""
    seen = {module for module in loaded_by_enqueue(environment) if module.startswith("cadencebus")}
    folders = {".".join(module.split(".")[:2]) for module in seen}
    below = {"cadencebus", "cadencebus.clock", "cadencebus.errors", "cadencebus.model", "cadencebus.store"}
    assert folders <= below | {"cadencebus.cli", "cadencebus.desk"}
    assert len(seen) <= 15, sorted(seen)


def test_a_payload_costs_no_more_than_reading_it(hello: Path, environment: dict[str, str]) -> None:
    """JSON is read by what is written in C: `json` would bring `re` along, and that one `enum`."""
    seen = loaded_by_enqueue(environment, "--payload", '{"week": 47}', "--set", "day=friday")
    assert "_json" in seen, "the list is of something else"
    assert not seen & DEAR, sorted(seen & DEAR)


def test_naming_the_package_costs_nothing(environment: dict[str, str]) -> None:
    """`import cadencebus` alone loads nothing of the house."""
    bare = {module for module in loaded(environment, "-c", "import cadencebus") if "cadencebus" in module}
    assert bare == {"cadencebus"}
