"""`cadence init`: make a home."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from cadencebus.desk.options import Parser, a_word
from cadencebus.desk.output import Output
from cadencebus.errors import CantCreate
from cadencebus.store import fitness, make_home
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence init my-bus
  cd my-bus && cadence enqueue hello && cadence run --drain"""


def main(words: list[str], context: Context) -> int:
    """Make what is missing, say what was made and what to type next."""
    parser = Parser("init", "Make a home; what exists is kept as it is, and nothing is enqueued.", EXAMPLES)
    parser.add_argument(
        "dir", nargs="?", type=a_word, help="the folder (default: --home, CADENCE_HOME or the current one)"
    )
    asked = parser.parse_args(words)
    root = asked.dir or context.home_flag or os.environ.get("CADENCE_HOME") or "."
    home, out = Home(os.path.abspath(os.path.expanduser(root))), Output(context)
    try:
        made = make_home.make(home)
    except PermissionError:
        raise
    except OSError as error:
        raise CantCreate(
            f"{error.filename or home.root}: {error.strerror}",
            next_step="name a folder that can be made there",
        ) from error
    fitness.check(home)
    if out.json:
        out.document({"home": home.root, "made": made})
        return 0
    out.line(f"{home.root} {'is a home now' if made else 'is a home already: nothing was changed'}")
    for name in made:
        # state/ stands for all that is in it
        if not name.startswith("state/") or name == "state/":
            out.line(f"  {name:<18} {_MEANING.get(name, '')}".rstrip())
    _next(out, home)
    return 0


_MEANING = {
    "prompts/": "a file here is a cadence: how it runs, and its prompt",
    "prompts/hello.md": "one that needs no agent, to copy from",
    "cadence.yaml": "settings, every one commented",
    "state/": "the queue, the logs, the journal: plain files",
}


def _next(out: Output, home: Home) -> None:
    if os.environ.get("CADENCE_HOME") and os.path.realpath(os.environ["CADENCE_HOME"]) == home.root:
        there = ""
    else:
        there = "" if os.path.realpath(os.getcwd()) == os.path.realpath(home.root) else home.root
    name = "hello" if os.path.exists(home.prompt("hello")) else "NAME"
    out.hint("next:")
    if there:
        out.hint(f"  cd {shlex.quote(there)}")
    out.hint(f"  cadence enqueue {name}")
    out.hint("  cadence run --drain")
