"""`cadence run`: the consumer, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.loop import Mode, run
from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration
from cadencebus.store import fitness
from cadencebus.store.lock import ConsumerLock

if TYPE_CHECKING:
    from cadencebus.cli.context import Context

EXAMPLES = """examples:
  cadence run                     until SIGTERM; the sessions go on, the next consumer adopts them
  cadence run --drain             until nothing waits that could still run (cron, CI, a demo)
  cadence run --once -v           start what may start now, see it to its end, with its stderr
"""


def main(words: list[str], context: Context) -> int:
    """Consume; the exit code."""
    asked = _parse(words)
    home = context.home

    def say(text: str) -> None:
        # Whoever read along has gone, or the log's disk is full: no reason to stop working.
        with contextlib.suppress(OSError):
            if not context.quiet:
                sys.stderr.write(f"{rfc3339(time.time())[11:19]} {text}\n")

    fitness.check(home)
    with ConsumerLock(home):
        gear = assemble(home, flags=_flags(asked.set), say=say, verbose=asked.verbose)
        mode: Mode = "once" if asked.once else "drain" if asked.drain else "forever"
        stuck = asyncio.run(run(gear, mode, duration=asked.duration))
    if mode == "drain" and stuck:
        for name, why in sorted(stuck.items()):
            sys.stderr.write(f"{name}: {why}\n")
        return 75
    return 0


def _parse(words: list[str]) -> Any:  # noqa: ANN401
    parser = argparse.ArgumentParser(
        prog="cadence run",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="start what may start now and see it to its end")
    how.add_argument("--drain", action="store_true", help="go on until nothing waits that could still run")
    how.add_argument(
        "--for", dest="duration", type=_duration, metavar="D", help="stop after that time as on SIGTERM"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="the runs' stderr as it comes")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, over file and environment"
    )
    try:
        return parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise Usage(str(error), next_step="cadence run --help") from None


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _flags(pairs: list[str]) -> dict[str, Any]:
    from cadencebus.store.yamltext import BadYAML, load  # noqa: PLC0415 - only where something is set

    flags = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise Usage(f"--set {pair}: wants KEY=VALUE")
        try:
            flags[key] = load(text).value
        except BadYAML as error:
            raise Usage(f"--set {pair}: {error.message}") from None
    return flags
