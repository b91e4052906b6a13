"""A run's life as its folder tells it, and what of a folder that somebody scribbled in is believed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import rfc3339
from cadencebus.session import life

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTE = {"shim": 4711, "pid": 4712, "monotonic": 7.5, "swept": False}


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[int]:
    """Lead a run."""
    fd = life.open_alive(str(tmp_path))
    yield fd
    os.close(fd)


def note(folder: Path, text: str) -> life.AliveNote | None:
    """Write what a shim writes of itself, and read it as others do."""
    with open(folder / "alive", "r+b") as file:
        file.write(text.encode().ljust(200))
    return life.read_alive(str(folder))


@pytest.mark.usefixtures("alive")
def test_alive_has_room_for_the_note_and_is_its_owners(tmp_path: Path) -> None:
    """A full disk must not make a run nameless; a folder that was a run is not led again."""
    at = (tmp_path / "alive").stat()
    assert (at.st_size, at.st_mode & 0o777) == (256, 0o600)
    with pytest.raises(FileExistsError):
        life.open_alive(str(tmp_path))


def test_only_the_lock_says_that_a_run_lives(tmp_path: Path, alive: int) -> None:
    """Whatever is in the file, and however many ask at once."""
    assert life.is_alive(str(tmp_path))
    assert note(tmp_path, json.dumps(NOTE | {"swept": True}))
    assert life.is_alive(str(tmp_path))
    fcntl.flock(alive, fcntl.LOCK_UN)
    with open(tmp_path / "alive") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not life.is_alive(str(tmp_path))


def test_who_only_asks_does_not_keep_a_run_from_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He looked in the moment in which the file was made: that is waited for."""
    whole = fcntl.flock
    asked: list[Any] = []

    def flock(fd: int, how: int) -> None:
        if not asked:
            asked.append(open(tmp_path / "alive"))  # noqa: SIM115 - it is held
            whole(asked[0], fcntl.LOCK_SH)
            threading.Timer(0.02, asked[0].close).start()
        whole(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    os.close(life.open_alive(str(tmp_path)))
    assert asked


@pytest.mark.usefixtures("alive")
def test_a_note_says_who_leads(tmp_path: Path) -> None:
    """And, when it is over, that nothing of it was left; the session's pid comes later."""
    assert life.read_alive(str(tmp_path)) is None
    assert note(tmp_path, json.dumps(NOTE)) == life.AliveNote(4711, 4712, 7.5)
    read = note(tmp_path, json.dumps(NOTE | {"pid": None, "swept": True}))
    assert read == life.AliveNote(4711, None, 7.5, swept=True)


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", "null", '{"shim": 4711}'),
        *(
            f'{{"shim": {shim}, "pid": 4712, "monotonic": 7.5}}'
            for shim in ("-1", "0", "1", '"x"', "null", "[]")
        ),
    ],
)
def test_a_note_that_no_shim_wrote_names_nobody(tmp_path: Path, text: str) -> None:
    """Of all numbers, -1, 0 and 1 are no shim's: who signals them hits everybody, himself, or the system."""
    assert note(tmp_path, text) is None
    assert not life.request_end(str(tmp_path))


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("pid", [-1, 0, 1, "4712", True, 1.5, []])
def test_a_session_is_a_number_or_not_known(tmp_path: Path, pid: object) -> None:
    """The shim that wrote nonsense of it still leads."""
    read = note(tmp_path, json.dumps(NOTE | {"pid": pid}))
    assert read is not None
    assert read.pid is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("exit.0", {"code": 0}),
        ("exit.255", {"code": 255}),
        ("exit.-1", {"code": -1}),
        ("exit.sig9", {"signal": 9}),
        ("exit.spawn-ENOENT", {"spawn_error": "ENOENT", "spawn_what": "binary"}),
        ("exit.cwd-ENOENT", {"spawn_error": "ENOENT", "spawn_what": "cwd"}),
        ("exit.nonsense", {"spawn_error": "EIO", "spawn_what": "nonsense"}),
        ("exit.sigX", {"spawn_error": "EIO", "spawn_what": "sigX"}),
        ("exit.\N{SUPERSCRIPT TWO}", {"spawn_error": "EIO", "spawn_what": "\N{SUPERSCRIPT TWO}"}),
        ("exit.sig\N{SUPERSCRIPT TWO}", {"spawn_error": "EIO", "spawn_what": "sig\N{SUPERSCRIPT TWO}"}),
        ("exit.--5", {"spawn_error": "-5", "spawn_what": ""}),
    ],
)
def test_a_records_name_says_how_it_ended(tmp_path: Path, name: str, wanted: dict[str, Any]) -> None:
    """What stands in it is a bonus: none of it, or all."""
    (tmp_path / "exit.pending").touch()
    assert life.exit_record(str(tmp_path)) is None
    (tmp_path / name).write_text("torn")
    assert life.exit_record(str(tmp_path)) == life.ExitRecord(**wanted)
    at = time.time()
    facts = {"at": rfc3339(at), "monotonic": 7, "peak_rss": 4096, "cpu_s": 0.5}
    (tmp_path / name).write_text(json.dumps(facts))
    end = life.exit_record(str(tmp_path))
    assert end is not None
    assert (end.monotonic, end.peak_rss, end.cpu_s) == (7.0, 4096, 0.5)
    assert end.ended_at == pytest.approx(at, abs=1e-5)
    odd = {"peak_rss": "much", "cpu_s": float("nan"), "monotonic": float("inf"), "at": "lately"}
    scribbles = [json.dumps(facts | {key: value}) for key, value in odd.items()]
    for scribble in (*scribbles, "[" * 4000, "[]", json.dumps(facts | {"cpu_s": 10**400})):
        (tmp_path / name).write_text(scribble)
        assert life.exit_record(str(tmp_path)) == life.ExitRecord(**wanted), "none of it"
    (tmp_path / name).write_text(json.dumps(facts | {"at": at}))
    end = life.exit_record(str(tmp_path))
    assert end is not None
    assert end.ended_at == at, "as the first shims wrote it"


def test_where_there_is_no_folder_there_is_no_life(tmp_path: Path) -> None:
    """Removed under the consumer, or a file in its place, or a link that leads nowhere."""
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    for place in ("gone", "file", "circle"):
        at = str(tmp_path / place)
        assert not life.is_alive(at)
        assert life.read_alive(at) is None
        assert life.exit_record(at) is None
        assert not life.request_end(at)


def test_nobody_waits_for_what_a_session_put_in_the_place_of_a_record(tmp_path: Path) -> None:
    """A pipe has no other end, and whoever opened it would wait for one: the whole bus."""
    for name in ("alive", "exit.0"):
        os.mkfifo(tmp_path / name)
    assert not life.is_alive(str(tmp_path))
    assert life.read_alive(str(tmp_path)) is None
    assert life.exit_record(str(tmp_path)) == life.ExitRecord(code=0)


@pytest.mark.parametrize(("name", "mode"), [("alive", 0), (".", 0), (".", 0o600)])
def test_a_session_shuts_nobody_out_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int
) -> None:
    """The folder is ours: `chmod` held the whole bus, which could not say whether that run lives."""
    run = tmp_path / "run"
    run.mkdir()
    shim = life.open_alive(str(run))
    monkeypatch.chdir(tmp_path)
    root = os.geteuid() == 0
    for path in (tmp_path, run, run / "alive") if root else ():
        os.chown(path, 65534, 65534)
    (run / name).chmod(mode)
    if (asking := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            if root:
                # Who is shut out of nothing.
                os.setuid(65534)
            os._exit(0 if life.is_alive("run") else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(asking, 0)[1]) == 0
    os.close(shim)


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_lock_of_a_shim_is_no_life(tmp_path: Path, kind: str) -> None:
    """Nor a disk in trouble: one session must not hold the whole bus."""
    (tmp_path / "alive").mkdir() if kind == "folder" else (tmp_path / "alive").symlink_to("nowhere")
    assert not life.is_alive(str(tmp_path))
    assert life.read_alive(str(tmp_path)) is None
    assert not life.request_end(str(tmp_path))


def test_where_nobody_can_look_nobody_says_that_it_is_over(tmp_path: Path, alive: int) -> None:
    """Without a descriptor to be had, a run that lives would be begun a second time."""
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(alive)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, usual[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            life.is_alive(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert life.is_alive(str(tmp_path))


def test_a_lock_that_somebody_keeps_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made the file in our place keeps no thread of the consumer for ever."""
    monkeypatch.setattr(life, "_LOCK_WITHIN", 0.02)
    (tmp_path / "held").touch()
    with open(tmp_path / "held") as held, open(tmp_path / "held") as ours:
        fcntl.flock(held, fcntl.LOCK_SH)
        with pytest.raises(BlockingIOError):
            life._lock(ours.fileno())
