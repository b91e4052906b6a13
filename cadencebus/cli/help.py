"""`cadence help`: the documents, in the terminal."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
from keyword import iskeyword
from typing import TYPE_CHECKING

from cadencebus.desk.nearest import meant
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import NoSuch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context

EXAMPLES = """  cadence help               what there is to read
  cadence help producers     docs/producers.md
  cadence help wait          the same as `cadence wait --help`
  cadence help rate_limited  what the tables say of a word of the bus"""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Installed, the documents lie in the package; in a checkout beside it.
PLACES = (os.path.join(_PACKAGE, "docs"), os.path.join(os.path.dirname(_PACKAGE), "docs"))


def main(words: list[str], context: Context) -> int:
    """Print a document, or a verb's own help; without a topic, list them."""
    parser = Parser("help", "The same texts as docs/.", EXAMPLES)
    parser.add_argument("topic", nargs="?", help="a document, a verb, a key, a class, an event")
    asked = parser.parse_args(words)
    out, known = Output(context), topics()
    if asked.topic is None:
        if out.json:
            out.document(sorted(known))
            return 0
        for name in sorted(known):
            out.line(f"{name:<16}{_title(known[name])}")
        out.hint("`cadence help TOPIC`, or `cadence VERB --help`")
        return 0
    if not out.json:
        _tell(asked.topic, known, out, context)
        return 0
    with contextlib.redirect_stdout(io.StringIO()) as text:
        _tell(asked.topic, known, out, context)
    out.document({"topic": asked.topic, "text": text.getvalue()})
    return 0


def _tell(topic: str, known: dict[str, str], out: Output, context: Context) -> None:
    explained = explain(topic, context)
    if topic in known:
        if explained:
            # A verb with a page of its own: first how it is typed, then the rest.
            out.line("")
        out.page(_text(known[topic]))
    elif not (explained or _tell_of(topic, known, out, 1) or _tell_of(topic, known, out)):
        hint = meant(topic, (*known, *_verbs()))
        raise NoSuch(f"no help on {topic[:80]!r}{hint}", next_step="cadence help")


def _tell_of(word: str, known: dict[str, str], out: Output, cells: int | None = None) -> bool:
    """What the tables say of a word in their first `cells` (default: in any); False where none has it."""
    pages = []
    for name, path in sorted(known.items()):
        if name == "architecture":
            # Its words are of the code.
            continue
        # Several words may share a row: | `auth`, `billing` | …
        told = [row for row in _rows(_text(path)) if any(f"`{word}`" in said for _, said in row[:cells])]
        for (_, first), *others in told:
            rest = (f"{heading}: {said}" for heading, said in others if said not in {"", "–"})
            out.line(" · ".join((f"{name}: {first}", *rest)).replace("`", ""))
        pages += [name] * bool(told)
    if pages:
        out.hint(f"all of it: cadence help {pages[0]}")
    return bool(pages)


def _rows(text: str) -> Iterator[list[tuple[str, str]]]:
    """The rows of the tables whose first cell is a word of the bus, each cell with its heading."""
    headings: list[str] = []
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if below.startswith("| -"):
            headings = cells
        elif headings and line.startswith("| `"):
            yield list(zip(headings, cells, strict=False))


def topics() -> dict[str, str]:
    """The documents by name."""
    for place in reversed(PLACES):
        if os.path.isfile(os.path.join(place, "cli.md")):
            return {
                name.removesuffix(".md"): os.path.join(place, name)
                for name in os.listdir(place)
                if name.endswith(".md")
            }
    return {}


def _verbs() -> list[str]:
    here = os.listdir(os.path.dirname(__file__))
    files = {name.removesuffix(".py") for name in here if name.endswith(".py")}
    return [name.rstrip("_") for name in sorted(files - {"__init__", "main"})]


def explain(name: str, context: Context) -> bool:
    """Let a verb explain itself; False where there is none of that name."""
    if name not in _verbs():
        return False
    module = importlib.import_module(f"cadencebus.cli.{name}{'_'[: iskeyword(name)]}")
    with contextlib.suppress(SystemExit):
        module.main(["--help"], context)
    return True


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _title(path: str) -> str:
    return next((line[2:] for line in _text(path).splitlines() if line.startswith("# ")), "")
