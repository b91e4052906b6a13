"""One consumer a home: who has the lock, who only asks, and whether the folder is still the one."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import TryLater
from cadencebus.store import lock
from cadencebus.store.lock import ConsumerLock, is_held, taken
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def asked(home: Path) -> Iterator[int]:
    """Hold the lock as somebody does who only asks."""
    fd = os.open(home / "state", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="no /proc/locks here")
def test_a_second_consumer_is_told_of_the_one_that_lives(home: Path) -> None:
    """Not of one that was killed, whose consumer.json lies there until the living one writes its own."""
    note = home / "state" / "consumer.json"
    with ConsumerLock(Home(str(home))):
        for said in (None, "{torn", json.dumps({"pid": 4711})):
            if said is not None:
                note.write_text(said)
            with pytest.raises(TryLater, match=f"pid {os.getpid()}\\b"), ConsumerLock(Home(str(home))):
                pass


def test_a_second_consumer_is_turned_away_and_told_of_the_first(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the pid that it has written, where the kernel does not say whose the lock is; later it is let in."""
    monkeypatch.setattr(lock, "holder", lambda _: None)
    at = Home(str(home))
    with ConsumerLock(at):
        assert is_held(at)
        with pytest.raises(TryLater, match=r"already runs on this home \("), ConsumerLock(at):
            pass
        (home / "state" / "consumer.json").write_text(json.dumps({"pid": 4711}))
        with pytest.raises(TryLater, match="pid 4711") as refused, ConsumerLock(at):
            pass
        assert refused.value.next_step
    assert not is_held(at)
    with ConsumerLock(at) as again:
        assert not again.lost()


def test_who_only_asks_is_waited_for(home: Path) -> None:
    """`status` must not keep a consumer from starting, nor hold two who ask for consumers."""
    at = Home(str(home))
    with asked(home) as fd:
        assert not is_held(at)
        let_go = threading.Timer(0.03, fcntl.flock, (fd, fcntl.LOCK_UN))
        let_go.start()
        with ConsumerLock(at) as lock:
            assert not lock.lost()
        let_go.join()


def test_who_has_it_for_good_is_not_waited_for_for_ever(home: Path) -> None:
    """A fifth of a second; the descriptor is not kept."""
    with asked(home):
        free = os.dup(0)
        os.close(free)
        fd = os.open(home / "state", os.O_RDONLY)
        assert not taken(fd)
        os.close(fd)
        with pytest.raises(TryLater), ConsumerLock(Home(str(home))):
            pass
        again = os.dup(0)
        os.close(again)
        assert again == free


def test_no_child_inherits_the_lock(home: Path) -> None:
    """A session that outlives its consumer must not keep the next one out."""
    at = Home(str(home))
    with ConsumerLock(at):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        assert not is_held(at)
    finally:
        child.kill()
        child.wait()


def test_a_home_put_in_the_place_of_ours_is_not_ours(home: Path) -> None:
    """Another folder, or none for good; one that was moved away may come back."""
    state, away = home / "state", home / "away"
    with ConsumerLock(Home(str(home))) as lock:
        state.rename(away)
        assert not lock.lost(), "it may come back"
        state.mkdir()
        assert lock.lost()
        state.rmdir()
        away.rename(state)
        assert not lock.lost()
        for path in sorted(state.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        state.rmdir()
        assert lock.lost()
    assert lock.lost(), "let go"
