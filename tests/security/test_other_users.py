"""Another user reads, writes, locks and signals nothing of a bus; what may not be ended is owned up to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cadencebus
from cadencebus.session import life, reap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Eventually

OWNER, STRANGER = 61_111, 61_112
FOLDERS = (
    "inbox",
    "deferred",
    "claimed",
    "done",
    "dead",
    "tmp",
    "runs",
    "keys",
    "holds",
    "cadences",
    "events",
)
LIBRARY = os.pathsep.join([str(Path(cadencebus.__file__).parents[1]), *site.getsitepackages()])
# Starts itself again, as the consumer starts its launcher.
TRY = """
import subprocess, sys
import yaml, psutil, watchdog, cadencebus.cli.main
subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
"""
# A program of root's that anybody may start, and nobody may end: it goes when it is let go.
STAYS = """
import os, sys, time
os.setresuid(0, 0, 0)
print("stays", os.getuid(), flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
"""
# What a stranger can think of; it prints what the system said to each.
MEDDLES = """
import errno, fcntl, json, os, signal, sys
said = {}
def attempt(name, act):
    try:
        act()
    except OSError as error:
        said[name] = errno.errorcode[error.errno]
    else:
        said[name] = "done"
paths, pids = json.loads(sys.argv[1])
for path in paths:
    attempt(f"list {path}", lambda: os.listdir(path))
    attempt(f"lock {path}", lambda: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB))
    attempt(f"write {path}", lambda: os.open(path, os.O_WRONLY))
    attempt(f"make in {path}", lambda: os.open(f"{path}/5-x.json", os.O_WRONLY | os.O_CREAT, 0o600))
    attempt(f"rename {path}", lambda: os.rename(path, f"{path}.gone"))
    attempt(f"remove {path}", lambda: os.unlink(path))
for pid in pids:
    attempt(f"signal {pid}", lambda: os.kill(pid, signal.SIGTERM))
    attempt(f"environment of {pid}", lambda: open(f"/proc/{pid}/environ").close())
    attempt(f"descriptors of {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
print(json.dumps(said))
"""


@dataclass
class House:
    """A home that belongs to somebody who is not root, on a machine with others."""

    root: Path
    python: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The home."""
        return self.root / "home"

    @property
    def state(self) -> Path:
        """Its state."""
        return self.home / "state"

    def start(
        self, *argv: str, user: int = OWNER, env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a program as somebody."""
        bare = {"PATH": os.defpath, "PYTHONPATH": LIBRARY, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"}
        self.started.append(
            subprocess.Popen(
                argv,
                user=user,
                group=user,
                extra_groups=[],
                cwd="/",
                env=bare | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return self.started[-1]

    def cadence(self, *words: str, user: int = OWNER) -> subprocess.Popen[str]:
        """Start the command, as the owner unless another is named."""
        return self.start(self.python, "-m", "cadencebus", "--home", str(self.home), *words, user=user)

    def said(self, *words: str) -> str:
        """Run the command as the owner to its end, and give what it printed."""
        return self.cadence(*words).communicate(timeout=30)[0]

    def define(self, name: str, script: str, keys: str = "") -> None:
        """Define a cadence by a piece of shell."""
        command = json.dumps(["sh", "-c", script])
        text = f"---\nrunner: command\ncommand: {command}\nretries: 0\n{keys}---\n"
        (self.home / "prompts" / f"{name}.md").write_text(text)

    def ended(self, tick: str) -> dict[str, Any]:
        """The outcome of a tick, once it has one."""
        for path in [*self.state.glob("done/*/*.json"), *self.state.glob("dead/*.json")]:
            if tick.rpartition("-")[2] in path.name:
                return json.loads(path.read_bytes())["outcome"]  # type: ignore[no-any-return]
        return {}

    def log(self, tick: str, name: str = "stdout.log") -> str:
        """What a tick's first run has said so far."""
        path = next(self.state.glob(f"runs/*/{tick}.1/{name}"), None)
        return path.read_text() if path else ""


def _interpreter() -> str | None:
    """An interpreter that anybody may run, with the libraries of this one."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [python, "-c", TRY],
                user=OWNER,
                group=OWNER,
                extra_groups=[],
                cwd="/",
                env={"PATH": os.defpath, "PYTHONPATH": LIBRARY},
                capture_output=True,
                check=False,
            )
            if tried.returncode == 0:
                return python
    return None


@pytest.fixture
def house(eventually: Eventually) -> Iterator[House]:
    """Make a home for an owner of its own; only root can."""
    if not sys.platform.startswith("linux") or os.geteuid():
        pytest.skip("only root can act as several users")
    python = _interpreter()
    if python is None:
        pytest.skip("no interpreter with these libraries that anybody may run")
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    made = House(root, python)
    for folder in (made.home, made.home / "prompts", made.state, *(made.state / name for name in FOLDERS)):
        folder.mkdir(mode=0o700)
        os.chown(folder, OWNER, OWNER)
    (made.home / "cadence.yaml").write_text(
        "defaults: {runner: command, kill_grace: 100ms}\nmax_sessions: 2\n"
    )
    yield made
    (root / "go").touch()
    for process in made.started:
        process.kill()
        process.communicate()
    marked = reap.marked(str(made.home))
    for run in set(marked.values()):
        reap.sweep(run, within=5.0)
    eventually(lambda: not reap.marked(str(made.home)))
    shutil.rmtree(root)


def test_a_stranger_reads_writes_locks_and_ends_nothing(house: House, eventually: Eventually) -> None:
    """The home is its owner's, so are its processes; and a forged mark is nobody's concern."""
    house.define("waits", f"while ! [ -e {house.root}/go ]; do sleep 0.05; done")
    tick = house.said("enqueue", "waits").strip()
    consumer = house.cadence("run")
    run = house.state / "runs" / f"{tick[:4]}-{tick[4:6]}-{tick[6:8]}" / f"{tick}.1"
    note = eventually(lambda: read if (read := life.read_alive(str(run))) and read.pid else None)
    assert note is not None
    forger = house.start(
        "sleep", "60", user=STRANGER, env={"CADENCE_RUN_ID": run.name, "CADENCE_HOME": str(house.home)}
    )
    places = [house.home, house.state, house.state / "inbox", run, run / "alive", house.home / "cadence.yaml"]
    paths = [str(path) for path in (*places, *house.state.glob("events/*"))]
    told = json.dumps([paths, [consumer.pid, note.shim, note.pid]])
    meddler = house.start(house.python, "-c", MEDDLES, told, user=STRANGER)
    said = json.loads(meddler.communicate(timeout=30)[0])
    assert set(said.values()) <= {"EACCES", "EPERM", "EISDIR"}, said
    (house.root / "go").touch()
    assert eventually(lambda: house.ended(tick))["status"] == "ok"
    assert forger.poll() is None, "whom nobody may read bears no mark"
    assert json.loads((run / "run.json").read_text())["leaked"] == []
    consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(5) == 0


def test_a_stranger_is_told_that_he_is_not_permitted(house: House) -> None:
    """Exit 77 wherever the door is shut; that there is no home there nobody can say."""
    assert house.cadence("ls", user=STRANGER).wait(30) == 77
    house.home.chmod(0o700)
    os.chown(house.home, OWNER, OWNER)
    assert house.cadence("ls", user=STRANGER).wait(30) == 77
    house.said("pause")
    for folder in (house.home, house.state, house.state / "holds"):
        folder.chmod(0o755)
    assert house.cadence("resume", user=STRANGER).wait(30) == 77


@pytest.mark.slow
def test_what_may_not_be_ended_is_owned_up_to_until_it_goes(house: House, eventually: Eventually) -> None:
    """A tick keeps what outlives SIGKILL, its slot is free, status says so; it ends when that has gone."""
    helper = house.root / "helper"
    shutil.copy(os.path.realpath(sys.executable), helper)
    helper.chmod(0o4755)
    stays = f"{helper} -I -S -c '{STAYS}' {house.root}/go"
    house.define(
        "leaves", f"{stays} & while ! grep -q stays $CADENCE_RUN_DIR/stdout.log; do sleep 0.05; done"
    )
    house.define("is", f"exec {stays}", "timeout: 1s\n")
    house.define("plain", "true")
    stuck = [house.said("enqueue", name).strip() for name in ("leaves", "is")]
    consumer = house.cadence("run")
    eventually(lambda: all("stays" in house.log(tick) for tick in stuck))
    if any("stays 0" not in house.log(tick) for tick in stuck):
        pytest.skip("no program changes its user here: the folder for temporary files is mounted nosuid")
    plain = house.said("enqueue", "plain").strip()
    assert eventually(lambda: house.ended(plain), within=20)["status"] == "ok", "the slots are free"
    eventually(lambda: house.said("status").count("unkillable") >= 2, within=10)
    # Whoever comes next knows of them, too.
    consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(5) == 0
    house.cadence("run")
    again = house.said("enqueue", "plain").strip()
    assert eventually(lambda: house.ended(again), within=20)["status"] == "ok"
    assert len(list((house.state / "claimed").iterdir())) == 2
    (house.root / "go").touch()
    assert eventually(lambda: house.ended(stuck[0]), within=20)["status"] == "ok"
    assert eventually(lambda: house.ended(stuck[1]), within=20)["class"] == "timeout"
