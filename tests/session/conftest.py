"""What the tests of one run share: a launcher of its own, a run's folder, the stand-in that misbehaves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cadencebus.session import life, reap
from cadencebus.session.launch import Launcher, LaunchRequest, Shim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Eventually

AGENT = Path(__file__).parents[1] / "doubles" / "agent.py"
LADDER = (("SIGTERM", 0.3), ("SIGKILL", 5.0))


@dataclass
class Session:
    """A run that was started: where it lies, and what it says."""

    folder: Path
    handle: Shim
    eventually: Eventually
    seen: list[int] = field(default_factory=list)

    @property
    def shim(self) -> int:
        """The process that leads it."""
        return self.handle.pid

    @property
    def id(self) -> str:
        """The mark that all of its processes bear."""
        return self.folder.name

    @property
    def said(self) -> str:
        """Its standard output so far."""
        log = self.folder / "stdout.log"
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether its shim lives."""
        return life.is_alive(str(self.folder))

    def hears(self, line: str) -> str:
        """Wait until it has printed a line that begins so, and give that line."""
        return self.eventually(
            lambda: next((said for said in self.said.splitlines() if said.startswith(line)), ""),
            message=f"it says {line!r}",
        )

    def pid_of(self, word: str) -> int:
        """Wait for the line of a word that starts others, and give the pid in it."""
        return int(self.hears(f"{word} ").split()[1])

    @property
    def pid(self) -> int:
        """The session itself, by its shim's word."""
        note = life.read_alive(str(self.folder))
        assert note is not None
        assert note.pid is not None
        return note.pid

    def freeze(self, pid: int) -> None:
        """Stop one of its processes, and wait until it is."""
        os.kill(pid, signal.SIGSTOP)
        self.frozen(pid)

    def frozen(self, pid: int) -> None:
        """Wait until a process sleeps on SIGSTOP."""
        stat = Path(f"/proc/{pid}/stat")
        self.eventually(lambda: " T " in stat.read_text(), message="it is stopped")

    def over(self, within: float = 10.0) -> str:
        """Wait until the shim is gone, and give the name of the exit record."""
        self.eventually(lambda: not self.alive, within=within, message="the run is over")
        names = [path.name for path in self.folder.glob("exit.*")]
        assert len(names) == 1, names
        return names[0]

    def note(self, name: str) -> dict[str, Any]:
        """Read one of its JSON files."""
        return json.loads((self.folder / name).read_text())  # type: ignore[no-any-return]

    @property
    def leaked(self) -> list[int]:
        """The pids that `leaked.json` names."""
        return [one["pid"] for one in self.note("leaked.json")["leaked"]]


class Start(Protocol):
    """Starts a run of the stand-in with these words, or of any other command line."""

    def __call__(
        self,
        *words: str,
        argv: tuple[str, ...] | None = None,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | None = None,
        timeout: float = 30.0,
        ladder: tuple[tuple[str, float], ...] = LADDER,
        wait: bool = True,
        listen: bool = False,
    ) -> Session:
        """Give the run as soon as its shim has said who it is, or is gone; `listen` keeps the line to it."""


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """Start shims, as the consumer does."""
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def start(tmp_path: Path, launcher: Launcher, eventually: Eventually) -> Iterator[Start]:
    """Start runs; whatever is left of them when the test is over is gone."""
    started: list[Session] = []
    numbers = itertools.count(1)

    def run(
        *words: str,
        argv: tuple[str, ...] | None = None,
        env: dict[str, str] | None = None,
        cwd: str | None = None,
        stdin: bytes | None = None,
        timeout: float = 30.0,
        ladder: tuple[tuple[str, float], ...] = LADDER,
        wait: bool = True,
        listen: bool = False,
    ) -> Session:
        folder = tmp_path / "runs" / f"{tmp_path.name}.{next(numbers)}"
        folder.mkdir(parents=True)
        (folder / "exit.pending").touch()
        if stdin is not None:
            (folder / "prompt.md").write_bytes(stdin)
        marks = {"CADENCE_RUN_ID": folder.name, "CADENCE_HOME": str(tmp_path)}
        request = LaunchRequest(
            run_dir=str(folder),
            argv=(sys.executable, "-S", "-E", str(AGENT), *words) if argv is None else argv,
            env={"PATH": os.environ["PATH"], **marks, **(env or {})},
            cwd=cwd or str(tmp_path),
            stdin="prompt.md" if stdin is not None else None,
            timeout_s=timeout,
            ladder=ladder,
        )
        alive = life.open_alive(str(folder))
        try:
            session = Session(folder, launcher.start(request, alive), eventually)
        finally:
            os.close(alive)
        started.append(session)
        if not listen:
            launcher.let_go(session.handle)
        if wait:
            eventually(lambda: not session.alive or ((read := life.read_alive(str(folder))) and read.pid))
        return session

    yield run
    for session in started:
        launcher.let_go(session.handle)
        if session.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(session.shim, signal.SIGKILL)
        reap.sweep(session.id, within=5.0)
