"""The sweep from outside: for runs whose shim was killed, and for systems without subreapers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import identity, launch, life, process_tree, reap

if TYPE_CHECKING:
    from tests.session.conftest import Start


@pytest.mark.parametrize("word", ["child", "setsid-child", "double-fork", "stopped-child"])
def test_a_run_without_a_shim_is_found_by_its_mark(start: Start, word: str) -> None:
    """The shim was killed; who bears the mark dies, the session first of all."""
    run = start(word, "60", "ignore-all", "say", "ready", "hang")
    left = run.pid_of(word)
    run.hears("ready")
    os.kill(run.shim, signal.SIGKILL)
    run.over()
    swept = reap.sweep(run.id)
    assert not swept.survivors
    assert left in [one.pid for one in swept.killed]
    assert not reap.find(run.id)


def test_who_lost_the_mark_is_found_by_its_parent(start: Start) -> None:
    """A child with an empty environment, as long as its parent lives."""
    run = start("unmarked-child", "60", "hang")
    left = run.pid_of("unmarked-child")
    os.kill(run.shim, signal.SIGKILL)
    assert left in [one.pid for one in reap.find(run.id)]
    assert not reap.sweep(run.id).survivors
    assert process_tree.look(left) is None


def test_another_runs_processes_are_left_alone(start: Start) -> None:
    """Its number is longer by a digit, or it is another tick's."""
    one, other = start("hang"), start("hang")
    os.kill(one.shim, signal.SIGKILL)
    reap.sweep(one.id)
    assert other.alive
    assert process_tree.look(other.pid) is not None


def test_who_sweeps_from_inside_a_run_lives_to_tell(start: Start) -> None:
    """`cadence gc` in a cadence: neither the caller nor its ancestors are touched."""
    code = (
        "import os, subprocess; from cadencebus.session import reap;"
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True);"
        "print(len(reap.sweep(os.environ['CADENCE_RUN_ID']).killed), child.wait())"
    )
    run = start(argv=(sys.executable, "-c", code), env={"PYTHONPATH": str(Path(launch.__file__).parents[2])})
    assert run.over() == "exit.0"
    assert run.said == "1 -9\n"


def test_the_marked_of_a_home_are_told_from_those_of_another(start: Start, tmp_path: Path) -> None:
    """`marked` is what a doctor asks."""
    run = start("hang")
    # Between two programs a process shows no environment.
    run.eventually(lambda: run.id in reap.marked(str(tmp_path)).values(), message="it is marked")
    assert run.id not in reap.marked(str(tmp_path.parent)).values()


def test_who_takes_long_to_die_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Still there when it is looked at after the blow, gone at the next look: killed, and not forgotten."""
    monkeypatch.setattr(reap, "_PAUSE", 0.0)
    # To give back so much memory takes the kernel some time.
    code = "block = b'x' * (96 << 20); print(flush=True); import time; time.sleep(60)"
    words, env = [sys.executable, "-ISc", code], {"CADENCE_RUN_ID": "slow.1"}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE) as large:
        assert large.stdout is not None
        large.stdout.readline()
        assert [one.pid for one in reap.sweep("slow.1").killed] == [large.pid]


def test_leaks_that_others_found_are_added_to_those_that_are_named(tmp_path: Path) -> None:
    """Each once; a note that is torn is written anew."""
    assert reap.leaks(str(tmp_path)) == []
    assert reap.survivors(str(tmp_path)) == []
    (tmp_path / "leaked.json").write_text('{"leaked": [{"pid": 7, "name": "a", "cmdline": "a b"}]}')
    with subprocess.Popen(["sleep", "60"], env={"CADENCE_RUN_ID": "tell.1"}) as child:
        swept = reap.sweep("tell.1")
        child.wait()
    reap.tell(str(tmp_path), reap.SweepResult((), swept.killed))
    assert reap.survivors(str(tmp_path)) == [child.pid], "unkillable, as it seems"
    reap.tell(str(tmp_path), swept)
    assert [one["pid"] for one in reap.leaks(str(tmp_path))] == [7, child.pid]
    assert reap.survivors(str(tmp_path)) == []
    (tmp_path / "leaked.json").write_text("{")
    assert reap.leaks(str(tmp_path)) == []


def test_who_does_not_die_is_named_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a dead disk's call it outlives even SIGKILL; here for as long as none is sent."""
    with monkeypatch.context() as patch:
        patch.setattr(process_tree, "send", lambda *_: False)
        patch.setattr(process_tree, "kill_group", lambda _: None)
        words, env = ["sleep", "60"], {"CADENCE_RUN_ID": "stays.1"}
        with subprocess.Popen(words, env=env, start_new_session=True) as stays:
            began = time.monotonic()
            swept = reap.sweep("stays.1", within=0.05)
            assert time.monotonic() - began < 5
            stays.kill()
    assert ([one.pid for one in swept.survivors], swept.killed) == ([stays.pid], ())


@pytest.mark.parametrize("said", ['[{"pid": [1]}, {"pid": 7}]', '[7, {}, {"pid": 7}]', '{"pid": 7}'])
def test_leaks_that_make_no_sense_are_nobodys(tmp_path: Path, said: str) -> None:
    """The run's own processes may write there; what is told next is told all the same."""
    (tmp_path / "leaked.json").write_text(
        f'{{"leaked": {said}, "survivors": ["x", 8], "started": {{"8": "y"}}}}'
    )
    assert [one["pid"] for one in reap.leaks(str(tmp_path))] in ([7], [])
    assert reap.survivors(str(tmp_path)) == [8]
    assert reap.outlived(str(tmp_path)) == []
    reap.tell(str(tmp_path), reap.SweepResult((), ()))
    (tmp_path / "leaked.json").unlink()
    (tmp_path / "leaked.json").mkdir()
    reap.tell(str(tmp_path), reap.SweepResult((), ()))


def test_a_shim_killed_in_mid_sweep_has_not_swept(start: Start) -> None:
    """There is a record, and there are processes: only the shim's word ends the search."""
    run = start("setsid-child", "60", "sleep", "0.1")
    left = run.pid_of("setsid-child")
    # Stopped while it can't hear, its child dies; a killed shim then wrote no word.
    run.freeze(run.shim)
    (run.folder / "exit.pending").rename(run.folder / "exit.0")
    os.kill(run.shim, signal.SIGKILL)
    run.over()
    note = life.read_alive(str(run.folder))
    assert note is not None
    assert not note.swept
    assert left in [one.pid for one in reap.sweep(run.id).killed]


def test_who_forks_and_exits_is_caught_by_its_group(start: Start) -> None:
    """Gone at every second look: the newest are looked at first, and their group is hit at one blow."""
    run = start("hop", "20", "hang")
    run.hears("hop")
    os.kill(run.shim, signal.SIGKILL)
    run.over()
    assert not reap.sweep(run.id).survivors
    assert run.id not in [mark for _ in range(20) for mark in reap.marked().values()]


def test_a_look_under_which_somebody_was_gone_proves_little(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who forks and exits was missed twice in a row, on a busy machine, and taken for gone."""
    run = start("setsid-child", "60", "hang")
    left = run.pid_of("setsid-child")
    os.kill(run.shim, signal.SIGKILL)
    run.over()
    gone = subprocess.Popen(["true"])
    gone.wait()
    looks, everybody = iter(range(4)), process_tree.pids
    monkeypatch.setattr(
        process_tree, "pids", lambda: everybody() if next(looks, None) is None else [gone.pid]
    )
    assert left in [one.pid for one in reap.sweep(run.id).killed]


def test_what_lives_by_the_word_of_its_own_home_is_not_swept_for_a_copy_of_it(tmp_path: Path) -> None:
    """A consumer that is started on a copy of a home finds its runs dead, and their processes alive."""
    tick = "20261121T023000.123456Z-7f3k9q2m"
    folder = tmp_path / "state" / "runs" / "2026-11-21" / f"{tick}.1"
    folder.mkdir(parents=True)
    held = life.open_alive(str(folder))
    env = {"CADENCE_RUN_ID": f"{tick}.1", "CADENCE_HOME": str(tmp_path)}
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=True) as session:
        swept = reap.sweep(f"{tick}.1", within=0.1)
        assert (swept.killed, swept.survivors, session.poll()) == ((), (), None)
        os.close(held)
        assert [one.pid for one in reap.sweep(f"{tick}.1").killed] == [session.pid]


def test_who_outlived_sigkill_before_the_machine_was_restarted_is_somebody_else(tmp_path: Path) -> None:
    """Pid and start tell a process from all others of the same boot, not of another or another machine's."""
    with subprocess.Popen(["sleep", "60"], env={"CADENCE_RUN_ID": "boots.1"}) as child:
        reap.tell(str(tmp_path), reap.SweepResult((), reap.sweep("boots.1").killed))
        child.wait()
    for boot, known in ((identity.boot_id(), [child.pid]), ("another", []), (None, [])):
        (tmp_path / "run.json").write_text(json.dumps({"boot_id": boot}))
        assert [one.pid for one in reap.outlived(str(tmp_path))] == known
