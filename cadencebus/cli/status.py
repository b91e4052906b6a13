"""`cadence status`: the whole bus on one screen."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from cadencebus.desk import health, status_screen
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, safe
from cadencebus.desk.overview import overview
from cadencebus.errors import CadenceError
from cadencebus.store.paths import find_home

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.desk.health import Verdict

EXAMPLES = """  cadence status
  cadence status --check     for a monitor: silent and 0 when well, else reasons
  cadence status --json | jq .queue
  cadence top                the same, live"""


def _say_which(context: Context, out: Output, verdict: Verdict) -> None:
    """Say which home is shown, where another is meant by what is typed here."""
    if context.home_flag:
        first = context.to_export()
        if first and (verdict.complaints or verdict.notes):
            out.hint(f"for the commands above: {first}")
    elif os.environ.get("CADENCE_HOME"):
        with contextlib.suppress(CadenceError):
            here = find_home(None, {}).root
            if os.path.realpath(here) != os.path.realpath(context.home.root):
                out.hint(f"CADENCE_HOME names that home; you are in {here}: `cadence --home . status`")


def main(words: list[str], context: Context) -> int:
    """Show who works, what runs, what waits and why, what is held, what died."""
    parser = Parser("status", "One screen: consumer, slots, queue, holds, circuits, dead letters.", EXAMPLES)
    parser.add_argument("--check", action="store_true", help="exit 1 and the reasons unless all is well")
    asked = parser.parse_args(words)
    out, now = Output(context), time.time()
    seen = overview(context.home, now)
    verdict = seen.verdict
    if out.json:
        out.document(seen.dump())
    elif asked.check:
        for one in verdict.complaints[: status_screen.MOST]:
            out.line(f"{verdict.health}: {safe(one)}")
        if more := len(verdict.complaints[status_screen.MOST :]):
            out.line(f"{verdict.health}: and {more} more")
    else:
        status_screen.draw(out, seen, now)
        _say_which(context, out, verdict)
    return 1 if asked.check and verdict.health != health.WELL else 0
