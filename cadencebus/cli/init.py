"""`cadence init`: make a home."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cadencebus.cli import output
from cadencebus.cli.options import Parser
from cadencebus.store import fitness, making
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from cadencebus.cli.context import Context


def main(words: list[str], context: Context) -> int:
    """Make what is missing, say what was made and what to type next."""
    parser = Parser(
        "init",
        "Make a home; what exists is kept as it is.",
        "  cadence init my-bus\n  cd my-bus && cadence enqueue hello && cadence run --drain",
    )
    parser.add_argument(
        "dir", nargs="?", help="the folder (default: --home, CADENCE_HOME or the current one)"
    )
    asked = parser.parse_args(words)
    root = asked.dir or context.home_flag or os.environ.get("CADENCE_HOME") or "."
    home = Home(os.path.abspath(os.path.expanduser(root)))
    made = making.make(home)
    fitness.check(home)
    if context.json:
        output.emit_json({"home": home.root, "made": made})
        return 0
    sys.stdout.write(f"{home.root}: {'a home' if made else 'is a home already, nothing to do'}\n")
    for name in made:
        if name.count("/") < 2:  # noqa: PLR2004 - state/ stands for all that is in it
            sys.stdout.write(f"  {name}\n")
    here = os.path.abspath(os.getcwd()) == home.root
    output.hint(
        ("next:" if here else f"next: cd {root};") + " cadence enqueue hello; cadence run --drain",
        quiet=context.quiet,
    )
    return 0
