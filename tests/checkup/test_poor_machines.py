"""The doctor on machines that lack something, for real: limits, mounts, packages, owners."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.checkup import machine
from cadencebus.checkup.patient import Patient
from cadencebus.clock import rfc3339, stamp
from cadencebus.daemon import supervision
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from tests.checkup.conftest import Doctor

SOMEBODY = 61_111
POOR = "echo 0 > /proc/sys/user/max_inotify_instances; ulimit -n 200; mount -t tmpfs none state/keys"
SEALED = "mount --bind . . && mount -o remount,bind,ro ."


def in_a_room_of_its_own(prepare: str, home: Path, environment: dict[str, str], words: str) -> str:
    """Let the command look where mounts and limits are its own; what it said."""
    program = Path(sys.executable).with_name("cadence")
    script = f"set -e; cd {home}; {prepare}; cd {home}; exec {program} {words}"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        pytest.skip(f"no namespaces to be had here: {done.stderr.strip()}")
    return done.stdout


def found(prepare: str, home: Path, environment: dict[str, str]) -> dict[str, str]:
    """What the doctor finds there, by kind."""
    said = in_a_room_of_its_own(prepare, home, environment, "doctor --json")
    return {one["kind"]: one["what"] for one in json.loads(said)["findings"]}


def package(folder: Path, name: str, version: str, *needs: str) -> None:
    """Let a package look installed."""
    about = folder / f"{name}-{version}.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    wants = "".join(f"Requires-Dist: {need}\n" for need in needs)
    about.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_a_machine_that_lacks_something_is_told(
    home: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Packages, descriptors, watches; folders of others or elsewhere; a consumer that dies and dies."""
    elsewhere = tmp_path / "elsewhere"
    package(elsewhere, "cadencebus", "9.0", "psutil>=5.9", "wanted-by-nobody-else")
    package(elsewhere, "psutil", "0.1")
    me = supervision.Process.of(os.getpid(), rfc3339(time.time()))
    assert me is not None
    died = supervision.Death(at=rfc3339(time.time() - 60), lived=1.0, code=-9)
    supervision.save(Home(str(home)), supervision.State(supervisor=me, deaths=[died] * 3))
    wanted = {"package.missing": "wanted-by-nobody-else", "package.old": "psutil 0.1"}
    wanted |= {"files.few": "200", "inotify.short": "inotify", "home.other_file_system": "state/keys"}
    wanted |= {"consumer.dies": "3 times", "cadence.none": ""}
    if not os.geteuid():
        os.chown(home / "state" / "dead", SOMEBODY, SOMEBODY)
        wanted["home.owner"] = "state/dead"
    with supervision.sole(Home(str(home))):
        said = found(POOR, home, environment | {"PYTHONPATH": str(elsewhere)})
    assert [kind for kind, words in wanted.items() if kind not in said or words not in said[kind]] == [], said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_a_disk_that_takes_no_writes_is_told(home: Path, environment: dict[str, str]) -> None:
    """Mounted read-only, as after an error of the disk; status does not wait for an old heartbeat."""
    told = found(SEALED, home, environment)
    assert "read-only" in told["home.read_only"]
    # No chmod would help.
    assert "home.permissions" not in told
    status = in_a_room_of_its_own(SEALED, home, environment, "status --check")
    assert status.startswith("ill: the disk is mounted read-only")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
@pytest.mark.parametrize(
    ("hide", "lacking"),
    [
        ("mount -t tmpfs none /proc", "/proc/self/stat"),
        ("mount -t tmpfs none /proc; mkdir /proc/self; touch /proc/self/stat", "/proc/stat"),
    ],
)
def test_where_processes_can_not_be_seen_no_consumer_starts(
    home: Path, environment: dict[str, str], hide: str, lacking: str
) -> None:
    """A chroot without /proc, a service with a part of it: said by each who is asked, not by a traceback."""
    assert lacking in found(hide, home, environment)["proc.missing"]
    said = in_a_room_of_its_own(hide, home, environment, "run --drain 2>&1")
    assert said.startswith(f"cadence: there is no {lacking}: ")
    assert said.endswith("mount -t proc proc /proc\n")
    assert lacking in in_a_room_of_its_own(hide, home, environment, "status --check")


def test_who_waits_for_room_for_an_hour_is_told(home: Path, call: Doctor) -> None:
    """One cadence has the only slot, and the other one's tick grows old."""
    (home / "cadence.yaml").write_text(
        "max_sessions: 1\ndefaults: {runner: command, command: [sleep, '60']}\n"
    )
    for name, folder, age in (("busy", "claimed", 60.0), ("hungry", "inbox", 2 * 3600.0)):
        (home / "prompts" / f"{name}.md").write_text("Do it.\n")
        file = f"5-{stamp(time.time() - age)}-{name}-7f3k9q2m.json"
        (home / "state" / folder / file).write_text(json.dumps({"cadence": name}))
    said = {"pid": os.getpid(), "heartbeat_at": rfc3339(time.time()), "slots": 1}
    (home / "state" / "consumer.json").write_text(json.dumps(said))
    fd = os.open(home / "state", os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        told = {one["kind"]: one["what"] for one in call()["findings"]}
    finally:
        os.close(fd)
    assert "hungry" in told["cadence.starving"], told


def test_a_clock_or_an_interpreter_of_another_age_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither can be had for a test: the one is told, the other believes that a newer one is needed."""
    patient = Patient(Home(str(home)), 0.0)
    assert [one.kind for one in machine.clock(patient)] == ["clock.insane"]
    monkeypatch.setattr(machine, "_PYTHON", (99, 0))
    assert "python.old" in [one.kind for one in machine.python(patient)]
