"""`cadence fire`: run a cadence now, or say why not."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cadencebus.bus import Maker
from cadencebus.cli import wait
from cadencebus.desk import enqueue_checks, estimate, following, reasons
from cadencebus.desk.options import Parser, a_duration
from cadencebus.desk.output import Output
from cadencebus.desk.payload import payload_of
from cadencebus.errors import TryLater, Usage
from cadencebus.model import strictjson
from cadencebus.model.duration import spell_duration
from cadencebus.policy.admit import Wait
from cadencebus.store import inlet

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context

EXAMPLES = """  cadence fire brief
  cadence fire brief --wait && less out/brief.md
  cadence fire brief --force       past holds and full slots, never past a stop"""


def main(words: list[str], context: Context) -> int:
    """Enqueue at the very front if it can start at once; else exit 75 with the reason, nothing enqueued."""
    parser = Parser(
        "fire", "Run a cadence now; exit 75 and the reason where it would have to wait.", EXAMPLES
    )
    parser.add_argument("name", help="the cadence")
    parser.add_argument("--force", action="store_true", help="pass caps and holds; the journal says so")
    parser.add_argument(
        "--wait",
        action="store_true",
        help="its log as it grows, until it is finished; exit as `cadence wait`",
    )
    parser.add_argument(
        "--timeout", type=a_duration, metavar="D", help="with --wait: give up after that time"
    )
    parser.add_argument("--payload", metavar="JSON|@FILE|-", help="an object, handed to the run as data")
    parser.add_argument("--set", action="append", metavar="k=v", help="one member of the payload")
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    if asked.timeout is not None and not asked.wait:
        raise Usage("fire: --timeout goes with --wait")
    deadline = None if asked.timeout is None else time.monotonic() + asked.timeout
    enqueue_checks.check_cadence(home, asked.name)
    most = enqueue_checks.most_bytes(home)
    name, data, _ = Maker("fire", os.environ).make(_members(asked, most))
    inlet.check_size(data, most)
    _refuse(context, asked)
    inlet.put(home, name, data)
    if out.json:
        out.line_of_json({"id": name.id, "cadence": asked.name})
    else:
        out.line(name.id)
    if not asked.wait:
        return 0
    if not context.quiet:
        following.follow(home, name, out, deadline=deadline)
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    return wait.until_finished(home, [name.id], context, timeout=left)


def _refuse(context: Context, asked: Namespace) -> None:
    """What would keep a new tick at the front from starting now, as an error with the expected wait."""
    now = time.time()
    snapshot = reasons.Reasons(context.home, now)
    cadence = snapshot.prompts.load(asked.name)
    found = None if cadence.enabled else Wait("disabled", f"prompts/{asked.name}.md says so")
    found = found or snapshot.would_start(cadence, force=asked.force)
    if found is None:
        return
    likely = estimate.expected(snapshot, asked.name, found)
    left = "" if likely is None else f" (in {likely.how}{_spelled(likely.seconds)})"
    way = f"cadence enqueue {asked.name}, which waits for it"
    if cadence.enabled and not asked.force and snapshot.would_start(cadence, force=True) is None:
        way += f", or cadence fire {asked.name} --force"
    raise TryLater(f"{asked.name} can't start now{left}: {reasons.spell(found, now)}", next_step=way)


def _spelled(seconds: float) -> str:
    return spell_duration(max(1.0, float(round(seconds))))


def _members(asked: Namespace, most: int) -> dict[str, Any]:
    members: dict[str, Any] = {"cadence": asked.name, "priority": 0}
    if asked.force:
        members["force"] = True
    if asked.payload is not None or asked.set:
        options = {"set": asked.set or []}
        if asked.payload is not None:
            options["payload"] = [asked.payload]
        members["payload"] = strictjson.loads(payload_of(options, most).encode())
    return members
