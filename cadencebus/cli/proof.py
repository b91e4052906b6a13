"""`cadence proof`: called from inside a run, it says that the work is done, and what was done."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import BadData, Misconfigured
from cadencebus.model import strictjson
from cadencebus.store import files

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence proof "wrote out/triage.md: 12 messages, 3 need an answer"

Needed by cadences that say `expect: {proof: true}`; welcome in any other."""
_MOST = 1 << 16


def main(words: list[str], context: Context) -> int:
    """Write the proof durably into the run's own folder; a later one replaces it."""
    parser = Parser("proof", "From inside a run: the work is done.", EXAMPLES)
    parser.add_argument("text", help="what was done, in a line")
    asked = parser.parse_args(words)
    folder = os.environ.get("CADENCE_RUN_DIR", "")
    if not folder or not os.path.isfile(f"{folder}/run.json"):
        raise Misconfigured(
            "proof: this is no run: CADENCE_RUN_DIR names no run's folder",
            next_step="call it from inside a cadence's run",
        )
    if not asked.text.strip():
        raise BadData("proof: says nothing", next_step='cadence proof "what was done"')
    note = {"text": asked.text[:_MOST], "at": rfc3339(time.time())}
    try:
        data = strictjson.dumps(note)
    except ValueError:
        raise BadData("proof: the text is not UTF-8") from None
    files.replace(f"{folder}/.proof.{os.getpid()}", f"{folder}/proof", data)
    out = Output(context)
    if out.json:
        out.document(note)
    return 0
