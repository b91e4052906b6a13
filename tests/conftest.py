"""What every test may ask for: a home, the command, patience with a deadline, a clock moved by hand.

Test modules can't import each other, but annotations may name what is defined here:
`if TYPE_CHECKING: from tests.conftest import Cadence, Eventually, FakeClock`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest
from hypothesis import settings

from cadencebus.session import life, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")
ELSEWHERE = Path(__file__).parent / "doubles" / "elsewhere"
TICKS_LIE_IN = ("inbox", "deferred", "claimed", "done", "dead", "tmp")
# An interpreter's start takes so many seconds where nothing else runs; twice that on an old machine.
QUIET_START = 0.05
BESIDE_THEM = ("runs", "keys", "holds", "cadences", "events")

# No example is held to a time: on a busy machine any of them may have to wait for its turn.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let commands, not the tests that start them, be where what only Linux has is missing."""
    parser.addoption("--elsewhere", action="store_true", help="run each `cadence` as on something like a Mac")


@pytest.fixture(autouse=True)
def outside_any_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the bus that this very test may be a session of: its home, its tick, its settings."""
    for name in list(os.environ):
        if name.startswith("CADENCE_") and not name.startswith("CADENCE_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make a fresh bus home by hand, as the contract lists it, whatever the umask is."""
    root = tmp_path / "home"
    state = root / "state"
    for folder in (root, root / "prompts", state, *(state / name for name in TICKS_LIE_IN + BESIDE_THEM)):
        folder.mkdir()
        folder.chmod(0o700)
    (state / "FORMAT").write_text("1\n")
    return root


@pytest.fixture
def nothing_runs_on(home: Path) -> Iterator[None]:
    """End what of this home still runs when the test is over: sessions outlive their consumer."""
    yield
    for run in set(reap.marked(str(home)).values()):
        for folder in (home / "state" / "runs").glob(f"*/{run}"):
            note = life.read_alive(str(folder))
            if note is not None and life.is_alive(str(folder)):
                # Who sweeps spares what its own home calls alive.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(note.shim, signal.SIGKILL)
        reap.sweep(run)
    assert not reap.marked(str(home))


@pytest.fixture
def environment(home: Path, pytestconfig: pytest.Config) -> dict[str, str]:
    """Build the environment of a bare login: no bus but this one, this interpreter's programs first."""
    kept = {name: os.environ[name] for name in ("TMPDIR", "USER", "LOGNAME") if name in os.environ}
    if pytestconfig.getoption("elsewhere"):
        kept["PYTHONPATH"] = str(ELSEWHERE)
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home.parent),
        "CADENCE_HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
    }


class Cadence(Protocol):
    """Runs `cadence` with these words, on this test's home, and gives back what came of it."""

    def __call__(
        self,
        *words: str | os.PathLike[str],
        timeout: float = 30.0,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; `env` is added to a clean environment, `cwd` is the home unless given."""


@pytest.fixture
def installed(home: Path, environment: dict[str, str]) -> Cadence:
    """Run the installed command, as an operator or a crontab would."""
    program = Path(sys.executable).with_name("cadence")
    assert program.exists(), f"no {program}: scripts/test installs it"

    def run(
        *words: str | os.PathLike[str],
        timeout: float = 30.0,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words],
            env=environment | dict(env or {}),
            cwd=cwd or home,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return run


class Forked:
    """A command that the hothouse has started; of `subprocess.Popen` it has what tests ask for."""

    def __init__(self, told: int) -> None:
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115 - until the process has ended
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; a signal's number is told as a negative one."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("cadence", timeout or 0.0)
            with self._told:
                self.returncode = int(self._told.readline())
        return self.returncode

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to be gone."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Hothouse:
    """Keeps a `cadence` that has been started already; commands are forks of it, at a tenth of the cost."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self._asking = threading.Lock()
        with theirs:
            program = str(Path(__file__).parent / "doubles" / "hothouse.py")
            words = [sys.executable, program, str(theirs.fileno())]
            self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def run(
        self,
        *words: str | os.PathLike[str],
        env: Mapping[str, str],
        cwd: str | os.PathLike[str],
        stdin: str = "",
        timeout: float = 30.0,
        before: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Do what `subprocess.run` would; `before` is Python that the process runs before the command."""
        deadline = time.monotonic() + timeout
        pipes = [os.pipe() for _ in ("stdout", "stderr")]
        with tempfile.TemporaryFile() as file:
            file.write(stdin.encode())
            file.seek(0)
            files = (file.fileno(), *(theirs for _, theirs in pipes))
            process = self.start(*words, env=env, cwd=cwd, files=files, before=before)
        for _, theirs in pipes:
            os.close(theirs)
        heard, _ = _hear([ours for ours, _ in pipes], timeout)
        out, err = (bytes(said).decode().replace("\r\n", "\n") for said in heard)
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise subprocess.TimeoutExpired(list(words), timeout, out, err) from None
        return subprocess.CompletedProcess(list(words), code, out, err)

    def start(
        self,
        *words: str | os.PathLike[str],
        env: Mapping[str, str],
        cwd: str | os.PathLike[str],
        files: Sequence[int],
        before: str = "",
    ) -> Forked:
        """Begin a command with these files as standard input, output and error."""
        line = [os.fspath(word) for word in (Path(sys.executable).with_name("cadence"), *words)]
        request = {"words": line, "env": dict(env), "cwd": os.fspath(cwd), "before": before}
        ours, theirs = os.pipe()
        self._ask(request, [*files, theirs])
        os.close(theirs)
        return Forked(ours)

    def _ask(self, request: Mapping[str, object], files: list[int]) -> None:
        umask = os.umask(0o077)
        os.umask(umask)
        text = json.dumps({**request, "umask": umask}).encode() + b"\n"
        with self._asking:
            sent = socket.send_fds(self._line, [text], files)
            self._line.sendall(text[sent:])

    def close(self) -> None:
        """Let it go."""
        self._line.close()
        self._process.wait()


def _hear(pipes: list[int], timeout: float) -> tuple[list[bytearray], bool]:
    """What comes out of each until all are closed, and whether that was in time."""
    deadline = time.monotonic() + timeout
    heard = {pipe: bytearray() for pipe in pipes}
    still = set(pipes)
    while still:
        ready, _, _ = select.select(still, [], [], max(0.0, deadline - time.monotonic()))
        for pipe in ready:
            chunk = os.read(pipe, 1 << 16)
            heard[pipe] += chunk
            still -= set() if chunk else {pipe}
        if not ready:
            break
    for pipe in pipes:
        os.close(pipe)
    return list(heard.values()), not still


@pytest.fixture(scope="session")
def hothouse() -> Iterator[Hothouse]:
    """Start a `cadence`, once for all tests, that commands can be forked from."""
    house = Hothouse()
    yield house
    house.close()


# What an interpreter reads at its start, and never again.
READ_AT_START = ("LANG", "LC_", "PYTHON")


@pytest.fixture
def cadence(hothouse: Hothouse, home: Path, environment: dict[str, str], installed: Cadence) -> Cadence:
    """Run the command, without the start of an interpreter; `installed` is for where that matters."""

    def run(
        *words: str | os.PathLike[str],
        timeout: float = 30.0,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        if any(name.startswith(READ_AT_START) for name in env or ()):
            return installed(*words, timeout=timeout, stdin=stdin, env=env, cwd=cwd)
        whole = environment | dict(env or {})
        return hothouse.run(*words, env=whole, cwd=cwd or home, stdin=stdin, timeout=timeout)

    # A system that dislikes forks of a program with libraries in it; or what only a start reads.
    return installed if sys.platform == "darwin" or "PYTHONPATH" in environment else run


class Eventually(Protocol):
    """Waits until a predicate holds, and gives back the true thing that it said."""

    def __call__(self, predicate: Callable[[], T], within: float = 10.0, message: str = "") -> T:
        """Fail with the message, and with what the predicate said last, when the time is over."""


def _eventually(predicate: Callable[[], T], within: float = 10.0, message: str = "") -> T:
    deadline = time.monotonic() + within
    pause, extended = 0.001, False
    while True:
        last = predicate()
        if last:
            return last
        left = deadline - time.monotonic()
        if left <= 0 and not extended:
            # On a machine that is busy just now, everything takes longer.
            deadline, extended = deadline + within * (_slowness() - 1), True
        elif left <= 0:
            pytest.fail(f"not within {within:g} s: {message or predicate} (it said {last!r} at the end)")
        # The one place that sleeps: between two looks, never in the hope that something is ready by then.
        time.sleep(max(0.0, min(pause, left)))
        pause = min(pause * 1.5, 0.05)


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition with a deadline: `eventually(lambda: list(done.iterdir()))`."""
    return _eventually


@pytest.fixture
def slowness() -> Callable[[], float]:
    """How many times longer than on a quiet machine things take just now; bounds in seconds grow by it."""
    return _slowness


def _slowness() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    return max(1.0, (time.monotonic() - began) / QUIET_START)


class FakeClock:
    """Both clocks, moved by hand."""

    def __init__(self, wall: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass, as it does on both clocks."""
        assert seconds >= 0, "time does not pass backwards; `jump` sets the wall clock"
        self._wall += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP does."""
        self._wall += seconds


@pytest.fixture
def fake_clock() -> FakeClock:
    """Give a clock that stands still until told."""
    return FakeClock()


# A program's peak begins with the memory of whoever forked it: so somebody small has to.
_MEASURED = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
sys.stderr.write(f"{usage.ru_maxrss}\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def peak_kb(home: Path, environment: dict[str, str]) -> Callable[..., int]:
    """Run `cadence` with these words to a good end, and say how much memory it took at most."""
    program = Path(sys.executable).with_name("cadence")

    def measure(*words: str) -> int:
        command = [sys.executable, "-c", _MEASURED, str(program), *words]
        ended = subprocess.run(
            command,
            env=environment,
            cwd=home,
            check=True,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        peak = int(ended.stderr.split()[-1])
        return peak if sys.platform.startswith("linux") else peak // 1024

    return measure


# The calls that change a name, and which of their words is the name that appears.
NAMING = {"rename": 1, "link": 1, "symlink": 1}


class Witness:
    """Writes down each name that is given and each sync, in order, as `rename inbox/…` or `sync inbox`."""

    def __init__(self, state: Path, patch: pytest.MonkeyPatch) -> None:
        self._state = f"{state}/"
        self.seen: list[str] = []
        for call, word in NAMING.items():
            patch.setattr(os, call, self._watched(call, getattr(os, call), word))
        patch.setattr(os, "fsync", self._watched("sync", os.fsync, 0))

    def _watched(self, call: str, whole: Callable[..., Any], word: int) -> Callable[..., Any]:
        def watched(*words: Any, **more: Any) -> Any:
            what = words[word]
            path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
            done = whole(*words, **more)
            name = f"{path}/".removeprefix(self._state).rstrip("/")
            self.seen.append(f"{call} {name or 'state'}")
            return done

        return watched

    def at(self, what: str) -> int:
        """When it first happened; a word that ends with `…` is the beginning of it."""
        begins = what.endswith("…")
        found = [
            n for n, one in enumerate(self.seen) if (one.startswith(what[:-1]) if begins else one == what)
        ]
        assert found, f"never: {what}, in {self.seen}"
        return found[0]

    def in_order(self, *steps: str) -> bool:
        """Whether they first happened one after the other."""
        times = [self.at(step) for step in steps]
        return times == sorted(times)


@pytest.fixture
def witness(home: Path, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """See what becomes durable, and in which order; the calls themselves are the real ones."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("asks the kernel what a descriptor is of")
    return Witness(home / "state", monkeypatch)
