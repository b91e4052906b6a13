"""`cadence run`: the consumer, in the foreground."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import time_of_day
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.loop import Mode, run
from cadencebus.desk.options import Parser, a_count, a_duration
from cadencebus.desk.output import safe
from cadencebus.desk.stdio import to_stderr
from cadencebus.errors import TryLater, Usage
from cadencebus.model.wording import count
from cadencebus.store import fitness, make_home
from cadencebus.store.lock import ConsumerLock
from cadencebus.store.yamltext import BadYAML, load

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence run               until SIGTERM; sessions go on, and are adopted
  cadence run --drain       until nothing waits that could still run (cron, CI)
  cadence run --once -v     what may start now, to its end, with its stderr
  cadence run --set max_sessions=4 --set 'defaults={timeout: 5m}'"""


class _Loop(asyncio.SelectorEventLoop):
    """The usual loop, made to come and go quietly where descriptors or threads are lacking."""

    def __del__(self) -> None:
        # asyncio's would close what is not there, and leave a traceback; one that was made is closed by now.
        return

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - theirs
        """Wait for its threads here, where nothing else runs: asyncio takes one more thread for that."""
        if self._default_executor is not None:  # type: ignore[attr-defined]
            self._default_executor.shutdown()  # type: ignore[attr-defined]


def main(words: list[str], context: Context) -> int:
    """Consume; the exit code."""
    asked = _parse(words)
    home = context.home

    def say(text: str) -> None:
        # The reader is gone, or the log's disk is full: no reason to stop working.
        if not context.quiet:
            to_stderr(f"{time_of_day(time.time())} {safe(text)}")

    make_home.furnish(home)
    fitness.check(home)
    fitness.check_machine()
    with ConsumerLock(home) as lock:
        gear = assemble(home, flags=_flags(asked), say=say, verbose=asked.verbose)
        gear.lost = lock.lost
        mode: Mode = "once" if asked.once else "drain" if asked.drain else "forever"
        slots, interactive = gear.settings.current.max_sessions, sys.stdin.isatty()
        greeting = _greeting(home, slots, interactive=interactive) if mode == "forever" else ""
        with asyncio.Runner(loop_factory=_Loop) as runner:
            stuck = runner.run(run(gear, mode, duration=asked.duration, greeting=greeting))
    if mode == "drain" and stuck:
        for name, why in sorted(stuck.items()):
            to_stderr(f"{name}: {safe(why)}")
        return TryLater.exit_code
    if mode == "once" and not context.quiet and _some_wait(home):
        to_stderr("some ticks still wait: cadence status says why")
    return 0


def _some_wait(home: Home) -> bool:
    with os.scandir(home.inbox) as entries:
        return any(entry.name.endswith(".json") and entry.name[0] != "." for entry in entries)


def _greeting(home: Home, slots: int, *, interactive: bool) -> str:
    """What a foreground consumer says first: silence would look like a hang."""
    how = "; Ctrl-C waits for the sessions" if interactive else ""
    return f"consuming {home.root} in {count(slots, 'slot')}{how}"


def _parse(words: list[str]) -> Namespace:
    parser = Parser("run", "The consumer, in the foreground.", EXAMPLES)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="start what may start now and see it to its end")
    how.add_argument("--drain", action="store_true", help="go on until nothing waits that could still run")
    how.add_argument(
        "--for", dest="duration", type=a_duration, metavar="D", help="stop after that time as on SIGTERM"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="the runs' stderr as it comes")
    parser.add_argument(
        "--max-sessions", type=a_count, metavar="N", help="session slots; 0 starts nothing new"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, over file and environment"
    )
    return parser.parse_args(words)


def _flags(asked: Namespace) -> dict[str, Any]:
    """The settings of the command line, which win over all others."""
    flags: dict[str, Any] = {}
    for pair in asked.set:
        key, equals, text = pair.partition("=")
        if not equals:
            raise Usage(f"--set {pair}: wants KEY=VALUE")
        try:
            flags[key] = load(text).value
        except BadYAML as error:
            raise Usage(f"--set {pair}: {error.message}") from None
    if asked.max_sessions is not None:
        flags["max_sessions"] = asked.max_sessions
    return flags
