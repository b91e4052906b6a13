"""The shim: leads a run, minds its time, records its end, whatever the run and the consumer do."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import life, process_tree, shim

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.session.launch import Launcher
    from tests.session.conftest import Start


@pytest.mark.parametrize(
    ("words", "record"),
    [
        (("ok",), "exit.0"),
        (("exit", "3"), "exit.3"),
        (("exit", "255"), "exit.255"),
        (("signal", "11"), "exit.sig11"),
        (("signal", "15"), "exit.sig15"),
        (("signal", "9"), "exit.sig9"),
    ],
)
def test_the_end_is_told_by_the_name_of_the_record(start: Start, words: tuple[str, ...], record: str) -> None:
    """An exit code, or the number of a signal; what it cost is a bonus inside."""
    run = start(*words, wait=False)
    assert run.over() == record
    end = life.exit_record(str(run.folder))
    assert end is not None
    assert (end.code, end.signal) == ((None, int(record[8:])) if "sig" in record else (int(record[5:]), None))
    assert end.peak_rss is not None
    assert end.peak_rss > 1 << 20
    assert end.monotonic is not None
    assert abs(end.monotonic - time.monotonic()) < 20
    assert (note := life.read_alive(str(run.folder))) is not None
    assert note.swept


def test_a_run_reads_its_prompt_and_writes_its_logs_by_itself(start: Start) -> None:
    """Standard input is the prompt's file, output and error are the logs: nobody pumps."""
    run = start("echo-stdin", "complain", "oh", stdin="Grüße".encode() * 50_000)
    assert run.over() == "exit.0"
    assert run.said == "Grüße" * 50_000
    assert (run.folder / "stderr.log").read_text() == "oh\n"
    assert start("echo-stdin").over() == "exit.0", "without a prompt there is nothing to wait for"


def test_a_child_gets_three_descriptors_and_every_signal_as_at_birth(start: Start) -> None:
    """Neither `alive`, whose lock is the run's life, nor the line to the consumer reaches it."""
    run = start("print-fds")
    run.over()
    assert sorted(json.loads(run.said)) == ["0", "1", "2"]
    status = start("ok", argv=("cat", "/proc/self/status"))
    status.over()
    told = dict(line.split(":\t") for line in status.said.splitlines() if ":\t" in line)
    # 32 and 33 are the C library's own: its posix_spawn ignores them.
    ours = ~(0b11 << 31)
    assert [int(told[name], 16) & ours for name in ("SigBlk", "SigIgn", "SigCgt")] == [0, 0, 0]


def test_a_child_leads_a_group_inside_the_session_of_its_shim(start: Start, tmp_path: Path) -> None:
    """And works in the folder that was asked for."""
    run = start("print-place")
    run.over()
    place = json.loads(run.said)
    assert place["group"] == place["pid"]
    assert place["session"] == run.shim
    assert place["cwd"] == str(tmp_path)


def test_the_lock_is_the_life_and_no_descendant_holds_it(start: Start) -> None:
    """A daemon that was left behind would hold the run alive for ever; the sweep comes first, too."""
    run = start("double-fork", "30", "setsid-child", "30", "sleep", "0.2")
    assert run.alive
    run.over()
    assert not run.alive


def test_the_ladder_is_taken_by_deadline_not_by_event(start: Start) -> None:
    """One that hears every signal and obeys none is gone when the last step's time has come."""
    ladder = (("SIGINT", 0.2), ("SIGTERM", 0.2), ("SIGKILL", 5.0))
    run = start("tell-signals", "hang", timeout=0.3, ladder=ladder)
    assert run.over() == "exit.sig9"
    heard = [line.split() for line in run.said.splitlines() if line.startswith("heard")]
    assert [line[1] for line in heard] == ["SIGINT", "SIGTERM"]
    assert float(heard[1][2]) - float(heard[0][2]) == pytest.approx(0.2, abs=0.15)


def test_a_time_out_needs_no_consumer(start: Start, launcher: Launcher) -> None:
    """Nobody is up; the shim writes down why, then ends the run and all that it started."""
    run = start("ignore-term", "setsid-child", "60", "hang", timeout=0.4)
    left = run.pid_of("setsid-child")
    launcher.close()
    assert run.over() == "exit.sig9"
    note = run.note("ending.json")
    assert (note["class"], note["by"], note["requeue"]) == ("timeout", "shim", False)
    assert process_tree.look(left) is None


def test_the_first_reason_stands(start: Start, launcher: Launcher) -> None:
    """A time-out after the operator's kill is still the operator's kill."""
    run = start("ignore-term", "say", "ready", "hang", timeout=0.3, ladder=(("SIGTERM", 0.5), ("SIGKILL", 5)))
    run.hears("ready")
    launcher.close()
    (run.folder / "ending.json").write_text('{"class": "killed"}')
    assert life.request_end(str(run.folder))
    assert run.over() == "exit.sig9"
    assert run.note("ending.json") == {"class": "killed"}


def test_who_asks_before_the_shim_has_said_who_it_is_asks_by_file(start: Start, tmp_path: Path) -> None:
    """`ending.json` was there first: the run ends as if it had been signalled."""
    folder = tmp_path / "runs" / f"{tmp_path.name}.1"
    folder.mkdir(parents=True)
    assert not life.request_end(str(folder))
    folder.rmdir()
    # The launcher is stopped between the fork of two runs: that is when nobody knows a pid.
    first = start("ok")
    first.over()
    run = start("hang", wait=False)
    (run.folder / "ending.json").write_text("{}")
    life.request_end(str(run.folder))
    assert run.over() == "exit.sig15"


def test_a_shim_shrugs_off_what_is_meant_for_everybody(start: Start) -> None:
    """A logout, a Ctrl-C, a session manager's broadcast must not take the recorder with it."""
    run = start("sleep", "0.2")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        os.kill(run.shim, number)
    assert run.over() == "exit.0"


def test_a_stopped_session_is_ended_all_the_same(start: Start) -> None:
    """Who sleeps on SIGSTOP is woken to hear what is said."""
    run = start("say", "ready", "stop", "hang", timeout=60)
    run.hears("ready")
    run.frozen(run.pid)
    assert life.request_end(str(run.folder))
    assert run.over() == "exit.sig15"


def test_a_stopped_shim_is_woken_by_who_wants_an_end(start: Start) -> None:
    """`cadence kill` must not wait for somebody who can't hear it."""
    run = start("hang", timeout=60)
    run.freeze(run.shim)
    assert life.request_end(str(run.folder))
    assert run.over() == "exit.sig15"


def test_a_record_that_somebody_took_away_is_made_anew(start: Start) -> None:
    """A run without a record would be begun again."""
    run = start("sleep", "0.2")
    (run.folder / "exit.pending").unlink()
    assert run.over() == "exit.0"


def test_a_killed_shim_leaves_no_record_and_no_lock(start: Start) -> None:
    """That is what `interrupted` looks like: nobody can say how it would have ended."""
    run = start("hang")
    os.kill(run.shim, signal.SIGKILL)
    assert run.over() == "exit.pending"
    assert life.exit_record(str(run.folder)) is None
    assert not life.request_end(str(run.folder)), "nobody is there to hear it"


def test_the_pid_is_written_where_run_json_has_room_for_it(start: Start) -> None:
    """And into `alive`, for whoever wants to know."""
    run = start("print-place")
    run.over()
    note = life.read_alive(str(run.folder))
    assert note is not None
    assert (note.shim, note.pid) == (run.shim, json.loads(run.said)["pid"])


def test_a_shell_that_waits_for_its_command_is_ended_at_once(start: Start) -> None:
    """The signal goes to the group, as a Ctrl-C does: a shell hears nothing while its command runs."""
    shell = "trap 'echo cleaned up; exit 3' TERM; (echo ready; exec sleep 60)"
    run = start(argv=("sh", "-c", shell), ladder=(("SIGTERM", 20.0), ("SIGKILL", 5.0)))
    run.hears("ready")
    (run.folder / "ending.json").write_text("{}")
    assert life.request_end(str(run.folder))
    assert run.over(within=5.0) == "exit.3"
    assert run.said == "ready\ncleaned up\n"


def test_a_session_that_left_its_group_is_still_heard_of(start: Start) -> None:
    """An interactive shell makes a group of its own."""
    run = start(argv=("setsid", "-w", "sleep", "60"), ladder=(("SIGTERM", 5.0), ("SIGKILL", 5.0)))
    assert life.request_end(str(run.folder))
    assert run.over(within=4.0) == "exit.sig15"


@pytest.mark.parametrize("name", ["exit.pending", "leaked.json"])
def test_a_shim_waits_for_no_pipe_that_its_session_made(start: Start, name: str) -> None:
    """In the place of a file that is to be written: the end is recorded, and what is left is swept."""
    script = f'cd "$CADENCE_HOME/runs/$CADENCE_RUN_ID"; rm -f {name}; mkfifo {name}; sleep 60 & exit 3'
    run = start(argv=("sh", "-c", script), wait=False)
    assert run.over() == "exit.3"


@pytest.mark.skipif(os.geteuid() == 0, reason="root is shut out of nothing")
def test_a_session_that_shuts_its_folder_has_its_end_recorded(start: Start) -> None:
    """Without a record its work would be done again, six times."""
    assert start(argv=("sh", "-c", 'chmod 500 "$PWD"/runs/*')).over() == "exit.0"


def test_a_shim_outlives_what_it_can_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It only wants to hold no mount: its session went on without it, and was begun again."""
    chdir = os.chdir

    def refuse(path: str) -> None:
        if path == "/":
            raise OSError(errno.ENOMEM, "refused")
        chdir(path)

    monkeypatch.setattr(os, "chdir", refuse)
    (tmp_path / "exit.pending").touch()
    request = {
        "run_dir": str(tmp_path),
        "argv": ["true"],
        "env": {"PATH": os.environ["PATH"]},
        "cwd": str(tmp_path),
        "timeout_s": 10.0,
        "ladder": (("SIGTERM", 1.0),),
    }
    if (leading := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            shim.set_up_signals()
            shim.stand_by()
            shim.Shim(request, life.open_alive(str(tmp_path)), first=True).run()
        os._exit(0)
    os.waitpid(leading, 0)
    assert (tmp_path / "exit.0").exists()
