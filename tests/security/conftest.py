"""What the security tests share: cadences, and every verb in one terminal for the price of a fork."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Imports once, then a child for each verb: what it writes lies between two marks.
_EACH = """
import importlib, json, os, pkgutil, sys
import cadencebus
from cadencebus.cli.main import main
for module in pkgutil.walk_packages(cadencebus.__path__, "cadencebus."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
for words in json.loads(sys.argv[1]):
    print("\\f", json.dumps(words), flush=True)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
        finally:
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else 1)
    os.waitpid(pid, 0)
"""


class Terminal(Protocol):
    """Runs verbs in one terminal."""

    def __call__(self, verbs: Sequence[Sequence[str]], home: str) -> dict[str, str]:
        """What each wrote, standard error included, by its words."""


@pytest.fixture
def terminal(environment: dict[str, str]) -> Terminal:
    """Run the verbs, each in a process of its own."""

    def run(verbs: Sequence[Sequence[str]], home: str) -> dict[str, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _EACH, json.dumps(verbs)],
            env=environment | {"TERM": "xterm-256color", "COLUMNS": "200", "CADENCE_HOME": home},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as reader:
            while chunk := reader.read(1 << 16):
                seen += chunk
        process.wait(timeout=30)
        parts = seen.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\f ")[1:]
        split = (part.partition("\n") for part in parts)
        return {" ".join(json.loads(words)): text for words, _, text in split}

    return run


class Define(Protocol):
    """Writes a prompt file that runs a piece of shell."""

    def __call__(self, name: str, script: str = "true", more: str = "") -> Path:
        """Give the file."""


@pytest.fixture
def define(home: Path) -> Define:
    """Define cadences of this home, each by a piece of shell."""

    def write(name: str, script: str = "true", more: str = "") -> Path:
        path = home / "prompts" / f"{name}.md"
        command = json.dumps(["sh", "-c", script])
        path.write_text(f"---\nrunner: command\ncommand: {command}\n{more}---\n", encoding="utf-8")
        return path

    return write
