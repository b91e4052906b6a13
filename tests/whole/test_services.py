"""Real managers: a user's systemd and a cron of their own, in namespaces where they can harm nobody.

They need root, `unshare` and a cgroup that may be written; where one is missing these tests are skipped.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK = "---\nrunner: command\ncommand: [sh, -c, 'until test -e {go}; do sleep 0.1; done']\n---\n"
TIMED = "---\nrunner: command\ncommand: ['true']\nschedule: '* * * * *'\ncatch_up: none\n---\n"
SYSTEMD = "/usr/lib/systemd/systemd"
# What a shell needs to wait for something; 30 s are long for all of it.
UNTIL = """
until_true() {
  n=0
  until eval "$1"; do n=$((n + 1)); [ $n -lt 300 ] || { echo "never: $1" >&2; exit 1; }; sleep 0.1; done
}
consumer() { cadence ps --json | sed 's/.*"consumer": {"pid": \\([0-9]*\\).*/\\1/'; }
"""


class Inside(Protocol):
    """Runs a shell script where its processes see none but their own."""

    def __call__(self, script: str) -> list[str]:
        """Run to the end; the lines that it printed."""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Make a control group of our own: a systemd takes the one it is in, and all in it, for its realm."""
    top = Path("/sys/fs/cgroup")
    mine = (top / "systemd" if (top / "systemd").is_dir() else top) / f"cadencebus-test-{os.getpid()}"
    try:
        mine.mkdir()
    except OSError as error:
        pytest.skip(f"no control group to be had: {error.strerror}")
    yield mine
    for folder, _, _ in os.walk(mine, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


@pytest.fixture
def inside(cgroup: Path, home: Path, environment: dict[str, str]) -> Inside:
    """Run scripts in namespaces for mounts and processes; when the first one of them ends, all do."""

    def run(script: str) -> list[str]:
        program = shutil.which("unshare")
        if program is None or os.getuid() != 0:
            pytest.skip("needs root and unshare")
        spaces = f"{program} -m -p -C --fork --kill-child --mount-proc"
        enter = f"echo $$ >{cgroup}/cgroup.procs && exec {spaces} sh -c"
        # Named like the one at the top, ours is the only one that is to be seen from inside.
        hide = f"mount --bind {cgroup} {cgroup.parent}"
        whole = shlex.quote(f"set -eu\n{hide}\n{UNTIL}\n{script}")
        ended = subprocess.run(
            ["sh", "-c", f"{enter} {whole}"],
            env=environment | {"XDG_RUNTIME_DIR": "/run/user/0"},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=150,
            check=False,
        )
        if ended.returncode and ended.stdout.startswith(("unshare:", "mount:", "sh: ")):
            pytest.skip(f"no namespaces to be had: {ended.stdout}")
        if "no manager" in ended.stdout.splitlines():
            pytest.skip("a systemd of one's own does not start here")
        assert ended.returncode == 0, ended.stdout
        return ended.stdout.splitlines()

    return run


@pytest.mark.slow
@pytest.mark.skipif(not os.access(SYSTEMD, os.X_OK), reason="no systemd on this machine")
def test_a_service_runs_again_after_a_crash_and_a_restart_and_its_session_never_stops(
    home: Path, inside: Inside
) -> None:
    """One command installs it, a real systemd keeps it up; one attempt, one outcome; then no trace."""
    (home / "prompts" / "work.md").write_text(WORK.format(go=home / "go"))
    (home / "prompts" / "mail.md").write_text(TIMED.replace("schedule: '* * * * *'", "every: 2s"))
    lines = inside(
        f"""
        mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/user/0
        {SYSTEMD} --user >{home}/systemd.log 2>&1 &
        (until_true 'systemctl --user show-environment >/dev/null 2>&1') || {{ echo "no manager"; exit; }}
        cadence install systemd --yes --quiet >/dev/null
        unit=$(cd ~/.config/systemd/user && ls cadencebus-*-mail.service)
        service=${{unit%-mail.service}}.service
        echo "active: $(systemctl --user is-active $service ${{unit%.service}}.timer | tr '\\n' ' ')"
        until_true 'test -n "$(cadence ls done --cadence mail --json)"'
        tick=$(cadence enqueue work)
        until_true 'cadence ps --json | grep -q "\\"cadence\\": \\"work\\""'
        first=$(consumer)
        kill -9 $first
        until_true 'test "$(consumer)" -gt 0 2>/dev/null && test "$(consumer)" != $first'
        second=$(consumer)
        systemctl --user restart $service
        until_true 'test "$(consumer)" -gt 0 2>/dev/null && test "$(consumer)" != $second'
        touch go
        cadence wait $tick
        cadence show $tick --json | grep -o '"n": [0-9]*' | tail -1
        echo "sources: $(cadence ls done --cadence mail --json | grep -o '"source": "[a-z]*"' | sort -u)"
        cadence install systemd | grep -c @@ || true
        cadence uninstall --yes --quiet >/dev/null
        echo "left: $(ls ~/.config/systemd/user | grep -c cadencebus || true)"
        echo "units: $(systemctl --user list-units --all --no-legend 'cadencebus*' | grep -c loaded || true)"
        """
    )
    assert "active: active active " in lines
    assert '"n": 1' in lines
    assert 'sources: "source": "systemd"' in lines, "the bus's own clock stands down"
    assert lines[-3:] == ["0", "left: 0", "units: 0"]


@pytest.mark.skipif(shutil.which("cron") is None, reason="no cron on this machine")
def test_a_real_cron_takes_the_lines_and_starts_the_consumer_at_boot(home: Path, inside: Inside) -> None:
    """`crontab` gives them back as they were; where CADENCE_TEST_MINUTE is set, a line is waited for, too."""
    (home / "prompts" / "mail.md").write_text(TIMED)
    minute = """
        n=0
        until cadence ls done --json | grep -q '"source": "cron"'; do
          n=$((n + 1)); [ $n -lt 130 ] || { echo "nothing fired"; exit 1; }; sleep 0.5
        done
    """
    lines = inside(
        f"""
        for folder in /var/spool/cron /etc/cron.d /run; do mount -t tmpfs tmpfs $folder; done
        mkdir -m 1730 /var/spool/cron/crontabs && chgrp crontab /var/spool/cron/crontabs
        mount --bind /dev/null /etc/crontab
        echo '0 4 * * * backup' | crontab -
        cron -f & cron=$!
        cadence install cron --yes --quiet >/dev/null
        echo "lines: $(crontab -l | grep -c cadence) $(crontab -l | head -1)"
        cadence down
        kill $cron; wait $cron || true; rm -f /run/crond.*
        cron -f &
        until_true 'cadence ps --json | grep -q "\\"supervisor\\": {{"'
        echo "up again: $(consumer)"
        {minute if os.environ.get("CADENCE_TEST_MINUTE") else ""}
        cadence uninstall --yes --quiet >/dev/null
        crontab -l
        """
    )
    assert "lines: 5 0 4 * * * backup" in lines
    assert any(line.startswith("up again: ") for line in lines)
    assert lines[-1] == "0 4 * * * backup"
