"""What the documents name exists, and what exists is named: anchors, verbs, options, keys."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.cli.main import VERBS, all_verbs, main
from cadencebus.desk.context import GLOBALS
from cadencebus.model import cadence_keys, settings_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
SPOKEN = re.compile(r"`cadence ([^`]+)`")
# At the beginning of a line of a block, behind a prompt, a pipe, another command.
TYPED = re.compile(r"(?:^|[$|;&(]) *cadence +([a-z-][^`\n]*)", re.MULTILINE)
# In the texts of the program: what a whole text, or what stands in backticks, has a person type.
STEP = re.compile(r"(?:^|`)cadence ([a-z]+)(?=[ `,]|$)")
TOLD = re.compile(r"cadence ([a-z]+)((?: +[^\s`,;:()|&]+)*)")
PLACE = re.compile(r"(tests|scripts|docs|cadencebus)/[\w/.*-]+$")
FLOORS = sorted(path.name for path in (ROOT / "cadencebus").iterdir() if (path / "__init__.py").exists())
MODULE = re.compile(rf"((?:{'|'.join(FLOORS)})/[a-z_]+)((?:\.\w+)*)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# Where another command begins, or words about the command.
END = re.compile(r" {2,}|[|;&#>)]| — ")


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """Give the help of every verb."""
    told = {}
    for verb in VERBS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main([verb, "--help"]) == 0
        told[verb] = out.getvalue()
    return told


def text_of(document: Path) -> str:
    """Read a document."""
    return document.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """List the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_heading_that_is_there(document: Path) -> None:
    """`page.md#part` and `#part`: a heading that was renamed takes its links along."""
    missing = []
    for page, part in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text_of(document)):
        target = document if not page else (document.parent / page).resolve()
        if "://" not in page and part not in anchors(target):
            missing.append(f"{page}#{part}")
    assert not missing


def commands(text: str, blocks: str) -> Iterator[list[str]]:
    """List the words of each `cadence …` that a text shows, in its sentences and in its blocks."""
    for line in (*SPOKEN.findall(text), *TYPED.findall(blocks)):
        words = END.split(line)[0].split()
        # The global options stand before or after the verb.
        while words and words[0].startswith("-"):
            del words[: 2 if words[0] == "--home" else 1]
        if words and re.fullmatch(r"[a-z]+", words[0]):
            yield words


def unknown(text: str, blocks: str, helps: dict[str, str]) -> list[str]:
    """List what a text has a person type that the command does not know."""
    wrong = []
    for verb, *words in commands(text, blocks):
        if verb not in helps:
            wrong.append(f"cadence {verb}")
            continue
        known = {*OPTION.findall(helps[verb]), *GLOBALS, "-q"}
        wrong += [
            f"cadence {verb} {option}"
            for word in words
            if word != "-" and (option := word.partition("=")[0]).startswith("-") and OPTION.fullmatch(option)
            if option not in known
        ]
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_has_nobody_type_what_does_not_exist(document: Path, helps: dict[str, str]) -> None:
    """Every verb and every option, in sentences and in blocks."""
    text = text_of(document)
    assert not unknown(text, "\n".join(FENCED.findall(text)), helps)


def test_no_help_has_anybody_type_what_does_not_exist(helps: dict[str, str]) -> None:
    """Their examples are copied most of all."""
    assert not [wrong for text in (*helps.values(), all_verbs()) for wrong in unknown(text, text, helps)]


def test_no_message_has_anybody_type_what_does_not_exist(
    modules: dict[str, ast.Module], helps: dict[str, str]
) -> None:
    """What an error says to try is typed at three in the morning."""
    said = {
        node.value
        for module in modules.values()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "cadence " in node.value
    }
    wrong = [f"cadence {word}" for text in said for word in STEP.findall(text) if word not in helps]
    for text in said:
        for verb, words in TOLD.findall(text):
            known = {*OPTION.findall(helps.get(verb, "")), *GLOBALS, "--help", "--"}
            options = [word for word in words.split() if word.startswith("--")]
            wrong += [
                f"cadence {verb} {option}" for option in options if verb in helps and option not in known
            ]
    assert not wrong


def test_every_option_is_named_on_the_page_of_the_commands(helps: dict[str, str]) -> None:
    """docs/cli.md is where one looks whether there is such a thing."""
    page = text_of(ROOT / "docs" / "cli.md")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    missing = []
    for verb, told in helps.items():
        own = "\n".join(row for row in rows if re.search(rf"`{verb}[ `]", row))
        # `-v, --verbose`: one of the two will do.
        options = [set(OPTION.findall(line)) for line in re.findall(r"^ +(-.*?)(?:  |$)", told, re.MULTILINE)]
        named = {"-h", *OPTION.findall(own.replace("\\|", " "))}
        missing += [f"{verb} {' or '.join(sorted(spelled))}" for spelled in options if not spelled & named]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_no_file_and_no_module_that_is_gone(document: Path) -> None:
    """`tests/…`, `scripts/…`, `daemon/recovery._sync`: what was renamed is renamed there, too."""
    # What was measured tells of the commit above it.
    told = re.sub(r"<!-- figures.*<!-- end of figures -->", "", text_of(document), flags=re.DOTALL)
    named = re.findall(r"`([^`\s]+)`", FENCED.sub("", told))
    gone = [name for name in named if PLACE.match(name) and not any(ROOT.glob(name.rstrip("/")))]
    for name in named:
        found = MODULE.fullmatch(name)
        if found:
            module = ROOT / "cadencebus" / f"{found[1]}.py"
            words = (found[2] or "").strip(".").split(".")
            if not module.exists() or any(word not in module.read_text(encoding="utf-8") for word in words):
                gone.append(name)
    assert not gone


def test_every_key_is_explained() -> None:
    """In the tables of docs/cadence.md, which are made from the code."""
    table = text_of(ROOT / "docs" / "cadence.md")
    for key in (*cadence_keys.KEYS, *settings_keys.KEYS):
        assert f"\n| `{key}` |" in table
