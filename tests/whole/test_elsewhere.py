"""The bus where there is no /proc, inotify, pidfd or subreaper: ticks run, are killed, adopted, stopped.

No Mac: `tests/doubles/elsewhere` says what of one it is. `pytest --elsewhere tests/whole tests/cli` has the
commands of all tests run so; the few tests that look at the same processes by themselves then see others.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Cadence, Eventually

ELSEWHERE = Path(__file__).parents[1] / "doubles" / "elsewhere"
QUICK = """\
defaults: {runner: command, backoff: [50ms], circuit: {failures: 0}, retries: 0}
settle: 100ms
max_sessions: 8
"""
UNTIL_TOLD = (
    "echo $$ >$CADENCE_HOME/long.$CADENCE_ATTEMPT; until test -e $CADENCE_HOME/go; do sleep 0.05; done"
)
# By its own word nobody can tell whose it is: it has a session of its own, and its environment is hidden.
HIDDEN_TOOL = "setsid sleep 60 & echo $! >$CADENCE_HOME/tool"


@pytest.fixture
def elsewhere(environment: dict[str, str]) -> dict[str, str]:
    """Have every command find itself there."""
    environment["PYTHONPATH"] = str(ELSEWHERE)
    return environment


def ended(home: Path) -> dict[str, dict[str, Any]]:
    """The ticks that are finished, by their cadence."""
    found = (*(home / "state" / "done").rglob("*.json"), *(home / "state" / "dead").glob("*.json"))
    ticks = [json.loads(path.read_text()) for path in found]
    return {tick["cadence"]: tick for tick in ticks}


def gone(pid: int) -> bool:
    """Whether there is no such process, or only its grave."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.usefixtures("elsewhere")
def test_a_day_elsewhere(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """One outcome each; a killed consumer is followed by one that adopts; nothing is left alive."""
    write("well", "cat")
    write("ill", "exit 3")
    write("late", HIDDEN_TOOL + "; sleep 60", timeout="300ms")
    write(
        "long",
        UNTIL_TOLD,
    )
    write("endless", "echo $$ >$CADENCE_HOME/endless; exec sleep 60")
    for name in ("well", "ill", "late", "long", "endless"):
        (home / "state" / "tmp" / name).write_text(json.dumps({"cadence": name}))
        (home / "state" / "tmp" / name).rename(home / "state" / "inbox" / f"{name}.json")
    first = consumer()
    eventually(lambda: {"well", "ill", "late"} <= ended(home).keys() and (home / "endless").exists())
    first.kill()
    first.wait()
    second = consumer()
    assert cadence("kill", "endless").returncode == 0
    eventually(lambda: "endless" in ended(home))
    (home / "go").touch()
    eventually(lambda: "long" in ended(home))
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0
    assert {
        name: (tick["outcome"]["class"], len(tick["attempts"])) for name, tick in ended(home).items()
    } == {
        "well": ("ok", 1),
        "ill": ("crash", 1),
        "late": ("timeout", 1),
        "long": ("ok", 1),
        "endless": ("killed", 1),
    }
    for file in ("tool", "long.1", "endless"):
        pid = int((home / file).read_text())
        eventually(lambda pid=pid: gone(pid), message=file)  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
def test_a_session_whose_shim_and_consumer_were_killed_is_swept_and_begun_anew(
    home: Path,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """A shell's mark is hidden there: without its group's number it would run beside its second attempt."""
    write(
        "long",
        UNTIL_TOLD,
    )
    (home / "state" / "inbox" / "one.json").write_text('{"cadence": "long"}')
    first = consumer()
    eventually((home / "long.1").exists)
    pid = int(eventually((home / "long.1").read_text))
    os.kill(os.getsid(pid), signal.SIGKILL)
    first.kill()
    first.wait()
    second = consumer()
    eventually(lambda: gone(pid))
    eventually(lambda: len(list((home / "state" / "runs").rglob("alive"))) == 2)
    (home / "go").touch()
    eventually(lambda: "long" in ended(home))
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0
