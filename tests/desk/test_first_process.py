"""A container's first process, in a namespace of processes of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACES = ("unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
CADENCE = Path(sys.executable).with_name("cadence")
# A gate whose command leaves somebody behind who dies at once; a cadence that looks whether he was buried.
SETTINGS = "gates: {usage: {command: [sh, -c, '(sleep 0 >&- 2>&- & echo $! >orphan); echo 1'], every: 60s}}\n"
LOOK = """---
command: [sh, -c, "cd $CADENCE_HOME; while [ -e /proc/$(cat orphan)/stat ]; do sleep 0.01; done; echo buried"]
timeout: 20s
---
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture
def container(home: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A consumer that is the first process of a namespace."""
    (home / "cadence.yaml").write_text(SETTINGS)
    (home / "prompts" / "look.md").write_text(LOOK)
    pipe = subprocess.PIPE
    with subprocess.Popen([*SPACES, CADENCE, "run"], env=environment, stderr=pipe, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            if said.startswith("unshare:"):
                pytest.skip(f"no namespaces to be had here: {said}")
            assert "consuming" in said
            yield process
        finally:
            process.kill()


def test_a_consumer_that_comes_first_buries_whom_others_left_behind(
    home: Path, environment: dict[str, str], container: subprocess.Popen[str]
) -> None:
    """They would stay in the table of processes until it is full. SIGTERM is handed on, and so is the end."""
    words = [str(CADENCE), "fire", "look", "--wait", "--timeout", "20s"]
    fired = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert "buried" in fired.stdout, fired.stderr
    (first,) = psutil.Process(container.pid).children()
    first.send_signal(signal.SIGTERM)
    assert container.wait(10) == 0
    assert not (home / "state" / "consumer.json").exists()


def test_it_ends_as_the_consumer_does(container: subprocess.Popen[str]) -> None:
    """A container's exit code says how."""
    (first,) = psutil.Process(container.pid).children()
    # The eldest: whom the gate's command has left behind is a child of the first one, too.
    consumer = min(first.children(), key=lambda child: child.pid)
    consumer.kill()
    assert container.wait(10) == 128 + signal.SIGKILL
