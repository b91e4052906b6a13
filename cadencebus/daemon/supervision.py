"""state/supervisor.json: who keeps the consumer up, how it fares, and whether it was parked."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cadencebus.session import identity, process_tree
from cadencebus.store import files, lock
from cadencebus.store.json_file import load_object, save_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

LOG_MOST = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that can be told from every other, now and after a reboot."""

    pid: int
    started: float
    boot: str
    since: str = ""

    @classmethod
    def of(cls, pid: int, since: str) -> Self | None:
        """A living process; None where there is none of that number."""
        started = process_tree.started(pid)
        if started is None:
            return None
        return cls(pid=pid, started=started, boot=identity.boot_id(), since=since)

    def lives(self) -> bool:
        """Whether it still is who was meant."""
        return self.boot == identity.boot_id() and process_tree.started(self.pid) == self.started

    def send(self, number: int) -> bool:
        """Signal it, and nobody else."""
        return process_tree.send(self.pid, number, self.lives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """One end of a consumer."""

    at: str
    lived: float
    code: int | None

    @property
    def cause(self) -> str:
        """Of what it died, in words."""
        if self.code is None:
            return "something unknown"
        return f"signal {-self.code}" if self.code < 0 else f"exit {self.code}"


@dataclass(slots=True, kw_only=True)
class State:
    """What the supervisor says of itself."""

    supervisor: Process
    consumer: Process | None = None
    state: str = "starting"
    reason: str = ""
    until: str | None = None
    deaths: list[Death] = field(default_factory=list)

    @property
    def parked(self) -> bool:
        """Whether it gave up until a person has looked."""
        return self.state == "parked"


def path_of(home: Home) -> str:
    """Where the state lies."""
    return f"{home.state}/supervisor.json"


def log_of(home: Home) -> str:
    """Where the consumer's words go."""
    return f"{home.state}/consumer.log"


def load(home: Home) -> State | None:
    """What was said last, by a supervisor alive or dead; None where nothing can be read."""
    try:
        said = load_object(path_of(home))
        return State(
            supervisor=Process(**said["supervisor"]),
            consumer=Process(**said["consumer"]) if said["consumer"] else None,
            state=str(said["state"]),
            reason=str(said["reason"]),
            until=said["until"],
            deaths=[Death(**death) for death in said["deaths"]],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def alive(home: Home) -> State | None:
    """What the living supervisor says; None where none lives.

    One that lives, and does not hold the lock, is that of another home, of which this one is a copy.
    """
    said = load(home)
    return said if said is not None and said.supervisor.lives() and lock.is_locked(home.root) else None


def parked(home: Home) -> State | None:
    """What a supervisor said when it gave up; None where none did."""
    said = load(home)
    return said if said is not None and said.parked else None


def save(home: Home, state: State) -> None:
    """Say it; a disk that refuses keeps nobody from his work."""
    with contextlib.suppress(OSError):
        save_object(home, path_of(home), dump(state), durable=False)


def dump(state: State) -> dict[str, Any]:
    """The object of the file."""
    return asdict(state)


def forget(home: Home) -> None:
    """Nothing is kept up any more."""
    files.discard(path_of(home))


@contextlib.contextmanager
def sole(home: Home) -> Iterator[bool]:
    """Be the only supervisor of a home, by an flock on its root; False where there is one already."""
    fd = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield lock.taken(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def log(home: Home) -> Iterator[int]:
    """The log, open at its end; one that has grown large is put aside first, and one such is kept."""
    path = log_of(home)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(path).st_size > LOG_MOST:
                os.replace(path, f"{path}.1")
        fd = os.open(path, flags, files.FILE_MODE)
    except OSError:
        # A full disk keeps nobody from being kept up.
        fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
