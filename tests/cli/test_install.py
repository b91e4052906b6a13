"""`cadence install` and `uninstall`: what is written, asked, run, kept and taken away again.

The managers are stand-ins that write down what they are told; real ones are in tests/whole/test_services.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import lock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

DOUBLE = Path(__file__).parents[1] / "doubles" / "servicemanager"


@pytest.fixture
def manager(tmp_path: Path, environment: dict[str, str], cadence: Cadence) -> Iterator[Path]:
    """Put the stand-ins first in PATH; the folder where they write."""
    folder = tmp_path / "manager"
    folder.mkdir()
    for name in ("systemctl", "launchctl", "loginctl", "crontab"):
        (folder / name).symlink_to(DOUBLE)
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    environment["MANAGER"] = str(folder)
    environment["USER"] = "ann"
    yield folder
    if lock.is_held(Home(environment["CADENCE_HOME"])):
        cadence("down")


@pytest.fixture
def units(tmp_path: Path, environment: dict[str, str]) -> Path:
    """Where systemd looks for the units of this test's user."""
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    return tmp_path / "config" / "systemd" / "user"


@pytest.fixture
def cron(tmp_path: Path) -> Iterator[None]:
    """Let a process be there that is called cron."""
    program = tmp_path / "cron"
    shutil.copy("/bin/sleep", program)
    process = subprocess.Popen([program, "60"])
    yield
    process.kill()
    process.wait()


def told(manager: Path) -> list[str]:
    """What the stand-ins were told since the last look."""
    log = manager / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def test_systemd_is_given_a_service_and_a_timer_and_what_changes_is_shown(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """Twice is once; an edit restarts its timer alone; uninstall leaves no trace but others' files."""
    define("mail", schedule="*/5 * * * *")
    define("often", every="1h", max_firings=3)
    asked = cadence("install", "systemd")
    assert asked.returncode == 64
    assert "--yes" in asked.stderr
    assert "+OnCalendar=*-*-* *:00..55/5:00" in asked.stdout
    assert not units.exists()
    ended = cadence("install", "systemd", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "installed for systemd: the consumer is up" in ended.stdout
    assert "often: left to the bus's own clock: max_firings" in ended.stderr
    assert "enable-linger" in ended.stderr
    assert sorted(path.suffix for path in units.iterdir()) == [".service", ".service", ".timer"]
    assert json.loads((home / "state" / "producers.json").read_text()) == {
        "by": "systemd",
        "cadences": ["mail"],
    }
    first = told(manager)
    assert [line.split()[1] for line in first] == ["daemon-reload", "enable"]
    fired = json.loads((home / "state" / "producers.json").read_text())
    assert fired == {"by": "systemd", "cadences": ["mail"]}
    again = cadence("install", "systemd")
    assert again.returncode == 0, again.stderr
    assert "@@" not in again.stdout
    assert "restart" not in " ".join(told(manager))
    define("mail", schedule="*/6 * * * *")
    changed = cadence("install", "systemd", "--yes")
    assert "-OnCalendar=*-*-* *:00..55/5:00" in changed.stdout
    assert [line for line in told(manager) if "restart" in line] == [f"systemctl restart {_mail(units)}"]
    (home / "prompts" / "mail.md").write_text("---\nevry: 5m\n---\n")
    broken = cadence("install", "systemd")
    assert (broken.returncode, "mail: left as it is" in broken.stderr) == (0, True)
    assert json.loads((home / "state" / "producers.json").read_text()) == fired
    assert [line for line in told(manager) if "restart" in line] == []
    assert _mail(units)
    assert cadence("down").returncode == 0
    up = cadence("up")
    assert (up.returncode, "installed for systemd" in up.stderr) == (0, True)
    assert not (home / "state" / "supervisor.json").exists()
    assert told(manager) == [f"systemctl restart {_consumer(units)}"]
    foreign = units / "other.service"
    foreign.write_text("[Service]\n")
    gone = cadence("uninstall", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert [path.name for path in units.iterdir()] == ["other.service"]
    assert not lock.is_held(Home(str(home)))
    assert not list((home / "state").glob("*.json"))
    assert cadence("uninstall").stdout == "nothing is installed\n"


def _consumer(units: Path) -> str:
    return min((path.name for path in units.glob("*.service")), key=len)


def _mail(units: Path) -> str:
    return next(units.glob("*-mail.timer")).name


def test_where_nobody_listens_the_files_are_written_and_the_rest_is_told(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """Exit 75; the bus's own clock goes on until the timers are at work."""
    define("mail", schedule="*/5 * * * *")
    (manager / "refuse-show-environment").touch()
    ended = cadence("install", "systemd", "--yes")
    assert ended.returncode == 75
    assert "no systemd of yours listens here" in ended.stderr
    assert "  systemctl --user daemon-reload\n  systemctl --user enable --now " in ended.stdout
    assert "  cadence install systemd --yes\n" in ended.stdout
    assert len(list(units.iterdir())) == 3
    assert told(manager) == []
    assert not (home / "state" / "producers.json").exists()
    (manager / "refuse-show-environment").unlink()
    assert cadence("install", "systemd").returncode == 0
    assert (home / "state" / "producers.json").exists()


def test_an_order_that_fails_is_told_with_its_words(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """And the bus's own clock does not stand down."""
    define("mail", schedule="*/5 * * * *")
    (manager / "refuse-enable").touch()
    ended = cadence("install", "systemd", "--yes")
    assert ended.returncode == 74
    assert "enable --now" in ended.stderr
    assert "exit 1: Failed to enable: no bus" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (home / "state" / "producers.json").exists()


def test_a_person_at_a_terminal_is_asked(
    home: Path, environment: dict[str, str], define: Define, manager: Path, units: Path
) -> None:
    """`n`, and so does nothing at all, changes nothing; `y` goes ahead."""
    define("mail", schedule="*/5 * * * *")

    def answer(text: bytes) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("cadence"), "install", "systemd"],
            env=environment | {"TERM": "xterm"},
            cwd=home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, text)
        seen = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 1 << 16):
                seen += chunk
        os.close(ours)
        return process.wait(timeout=30), seen.decode()

    code, seen = answer(b"n\n")
    assert (code, units.exists()) == (1, False)
    assert "change 3 files and start it with systemd? [y/N]" in seen
    assert answer(b"\n")[0] == 1
    code, seen = answer(b"y\n")
    assert (code, len(list(units.iterdir()))) == (0, 3), seen


def test_what_stands_in_the_way_is_said_before_anything_is_changed(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """A stranger's file of our name, a consumer by hand, another manager, no manager."""
    named = cadence("install", "systemd", "--print").stdout.split()[1]
    units.mkdir(parents=True)
    (units / named).write_text("[Service]\nExecStart=/bin/true\n")
    ended = cadence("install", "systemd", "--yes")
    assert (ended.returncode, "was not made by" in ended.stderr) == (73, True)
    assert (units / named).read_text() == "[Service]\nExecStart=/bin/true\n"
    (units / named).unlink()
    assert cadence("up").returncode == 0
    ended = cadence("install", "systemd", "--yes")
    assert (ended.returncode, "cadence up" in ended.stderr) == (75, True)
    assert cadence("down").returncode == 0
    assert cadence("install", "systemd", "--yes").returncode == 0
    ended = cadence("install", "cron", "--yes")
    assert (ended.returncode, "installed for systemd" in ended.stderr) == (78, True)
    (manager / "launchctl").unlink()
    assert cadence("uninstall", "--yes").returncode == 0
    ended = cadence("install", "launchd", "--yes")
    assert (ended.returncode, "no launchctl" in ended.stderr) == (78, True)


def test_printing_and_a_dry_run_touch_nothing(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """Neither a file nor a manager; the dry run says what would be run."""
    define("mail", schedule="*/5 * * * *")
    for by in ("launchd", "systemd", "cron"):
        assert cadence("install", by, "--print").returncode == 0
    dry = cadence("install", "systemd", "--dry-run", "--json")
    assert json.loads(dry.stdout)["would_run"][0] == "systemctl --user daemon-reload"
    assert (told(manager), units.exists(), list((home / "state").glob("*.json"))) == ([], False, [])


def test_launchd_is_given_agents_that_it_understands(
    home: Path, cadence: Cadence, define: Define, manager: Path
) -> None:
    """Property lists that it can read; the log's folder is there."""
    define("mail", schedule="*/5 * * * *")
    ended = cadence("install", "launchd", "--yes", "--json")
    assert ended.returncode == 0, ended.stderr
    agents = [plistlib.loads(path.read_bytes()) for path in (home.parent / "Library/LaunchAgents").iterdir()]
    assert len(agents) == 2
    for agent in agents:
        assert Path(agent["StandardErrorPath"]).parent.is_dir()
    assert [line.split()[1] for line in told(manager)] == ["enable", "bootstrap"] * 2
    assert cadence("install", "launchd").returncode == 0
    assert [line.split()[1] for line in told(manager)] == ["enable", "enable"]
    assert json.loads(ended.stdout)["fires"] == ["mail"]
    assert cadence("restart").returncode == 0
    assert told(manager)[0].startswith("launchctl kickstart -k gui/")
    assert cadence("uninstall", "--yes").returncode == 0
    assert list((home.parent / "Library/LaunchAgents").iterdir()) == []


def test_a_crontab_keeps_every_line_that_is_not_ours(
    home: Path, cadence: Cadence, define: Define, manager: Path, cron: None, eventually: Eventually
) -> None:
    """`up` starts the consumer now, the @reboot line after the next boot; afterwards all is as it was."""
    mine = "MAILTO=ann\n# every day\n0 4 * * * backup --all\n"
    (manager / "tab").write_text(mine)
    define("mail", schedule="*/5 * * * *", catch_up="none")
    ended = cadence("install", "cron", "--yes")
    assert ended.returncode == 0, ended.stderr
    tab = (manager / "tab").read_text()
    assert tab.startswith(mine)
    assert "enqueue mail --source cron" in tab
    assert lock.is_held(Home(str(home)))
    assert cadence("install", "cron").returncode == 0
    assert (manager / "tab").read_text() == tab
    assert cadence("uninstall", "--yes").returncode == 0
    assert (manager / "tab").read_text() == mine
    eventually(lambda: not lock.is_held(Home(str(home))))


def test_a_crontab_whose_markers_are_torn_is_left_alone(
    home: Path, cadence: Cadence, manager: Path, cron: None
) -> None:
    """Guessing the other end could swallow lines that are somebody's."""
    (manager / "tab").write_text(f"# BEGIN cadencebus {home}\n0 4 * * * backup\n")
    ended = cadence("install", "cron", "--yes")
    assert (ended.returncode, "do not pair up" in ended.stderr) == (65, True)
    assert "Traceback" not in ended.stderr
    assert told(manager) == ["crontab -l"]


def test_the_consumer_alone_leaves_the_schedules_to_the_bus(
    home: Path, cadence: Cadence, define: Define, manager: Path, units: Path
) -> None:
    """And the timers of a former install go."""
    define("mail", schedule="*/5 * * * *")
    assert cadence("install", "systemd", "--yes").returncode == 0
    first = told(manager)
    assert "restart" not in " ".join(first)
    assert cadence("install", "systemd", "--consumer-only", "--yes").returncode == 0
    assert [path.suffix for path in units.iterdir()] == [".service"]
    assert not (home / "state" / "producers.json").exists()
    log = told(manager)
    assert any("disable --now" in line for line in log)
    # It must fire itself from now on, not only when it happens to look.
    assert log[-1] == f"systemctl restart {_consumer(units)}"
