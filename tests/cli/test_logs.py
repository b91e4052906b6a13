"""`cadence logs`: what a run printed, while it runs and afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence, Eventually


def test_a_run_is_named_by_tick_cadence_or_number(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Its last run unless another is asked for; without a name, the latest of all."""
    define("work", "echo out $CADENCE_ATTEMPT; echo err >&2; exit 1", retries=1, backoff=[0])
    tick = enqueue("work")
    cadence("run", "--drain", "--quiet")
    for words in ([tick], [tick[-8:]], ["work"], []):
        assert cadence("logs", *words).stdout == "out 2\n", words
    assert cadence("logs", f"{tick[-8:]}.1").stdout == "out 1\n"
    assert cadence("logs", tick, "--stderr").stdout == "err\n"
    line = json.loads(cadence("logs", tick, "--json").stdout)
    assert line == {"run": f"{tick}.2", "stream": "stdout", "line": "out 2"}
    assert cadence("logs", f"{tick}.7").returncode == 66


def test_the_latest_run_is_the_one_that_ended_last(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Also of a tick that was made long ago, and had waited since."""
    for name in ("young", "old"):
        define(name, f"echo {name}")
    enqueue("young")
    cadence("run", "--drain", "--quiet")
    made = home / "state" / "inbox" / "5-20200101T000000.000000Z-old-00000001.json"
    made.write_text('{"cadence": "old"}')
    cadence("run", "--drain", "--quiet")
    assert cadence("logs").stdout == "old\n"


def test_what_never_ran_has_no_logs(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> None:
    """Exit 66; a run that said nothing is no error, and how it ended is told instead."""
    assert cadence("logs").returncode == 66
    define("quiet", "echo oops >&2; exit 3", retries=0)
    tick = enqueue("quiet")
    for words in ([tick], ["quiet"]):
        assert cadence("logs", *words).returncode == 66
    cadence("run", "--drain", "--quiet")
    ended = cadence("logs", tick)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == (
        f"{tick}.1 printed nothing to stdout, but something to stderr; "
        f"ended: crash (it failed: oops (exit 3)): cadence show {tick[-8:]}\n"
        "  | oops\n"
    )
    assert cadence("logs", tick, "--stderr").stderr == ""


def test_a_terminal_is_not_ordered_about(
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    screen: Screen,
    environment: dict[str, str],
) -> None:
    """Escapes are taken out; --raw gives a pipe every byte, and a terminal none that it would obey."""
    define("work", r"printf 'a\033[31mb\033]0;owned\007c\r\n\377d'")
    enqueue("work")
    cadence("run", "--drain", "--quiet")
    assert cadence("logs").stdout == "abc\n\ufffdd\n"
    for words in (["logs"], ["logs", "--raw"]):
        seen = screen(*words)
        assert "abc" in seen
        assert "\x1b" not in seen
    program = Path(sys.executable).with_name("cadence")
    raw = subprocess.run([program, "logs", "--raw"], env=environment, capture_output=True, check=True).stdout
    assert raw == b"a\x1b[31mb\x1b]0;owned\x07c\r\n\xffd"


def test_an_agents_stream_is_rendered(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """By the runner that the run had; --raw is the stream itself."""
    said = {"type": "assistant", "message": {"content": [{"type": "text", "text": "I did it."}]}}
    end = {"type": "result", "subtype": "success", "is_error": False, "result": "ok", "num_turns": 1}
    stream = f"{json.dumps(said)}\n{json.dumps(end)}\n"
    (home / "stream").write_text(stream)
    (home / "cadence.yaml").write_text(f"runners:\n  fake: {{argv: [cat, {home}/stream], stream: claude}}\n")
    (home / "prompts" / "agent.md").write_text("---\nrunner: fake\n---\nDo it.\n")
    enqueue("agent")
    cadence("run", "--drain", "--quiet")
    assert cadence("logs", "agent").stdout.startswith("I did it.\n= success, 1 turn")
    assert cadence("logs", "agent", "--raw").stdout == stream


def test_a_run_is_followed_to_its_end(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    environment: dict[str, str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """From before its start: what it prints is seen as it comes; when it is over, so is -f, and says how."""
    define("long", "echo one; while ! test -e go; do sleep 0.05; done; printf two")
    tick = enqueue("long")
    program = Path(sys.executable).with_name("cadence")
    with subprocess.Popen(
        [program, "logs", tick, "-f"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as follower:
        assert follower.stdout
        assert follower.stderr
        assert "has not started yet" in follower.stderr.readline()
        consumer()
        assert follower.stdout.readline() == "one\n"
        assert follower.poll() is None
        (home / "go").touch()
        assert follower.stdout.read() == "two\n"
        assert follower.stderr.read() == f"{tick}.1 ended: ok (the work is done)\n"
    assert follower.returncode == 0
