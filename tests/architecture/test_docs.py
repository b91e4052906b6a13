"""What the documents show is true: their blocks are run.

How a block is tagged says what becomes of it:

    sh, python       run, in order, in one shell that starts in an empty folder; `cd` and variables last
    yaml, json       parsed
    markdown         a cadence file, where it begins with front matter: it must pass `cadence check`
    text and others  shown only (a console's output, a crontab, a plist)
"""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cadence

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = {"sh", "python"}
# Tags that colour a shell's text as well as `sh` does, and would keep it from being run.
LOOK_ALIKES = {"bash", "console", "py", "shell", "shell-session", "zsh"}


class Block(NamedTuple):
    """A fenced block, and where it stands."""

    where: str
    tag: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """List the fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for fence in re.finditer(r"^```(\S*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, fence.start()) + 1
        yield Block(f"{document.relative_to(ROOT)}:{line}", fence[1], fence[2])


ALL_BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def tagged(*tags: str) -> list[Block]:
    """Pick blocks by their tags."""
    return [block for block in ALL_BLOCKS if block.tag in tags]


def as_script(document: Path) -> str:
    """Put the blocks to run of a document behind each other, each announced by its place."""
    script = ["set -eu"]
    for block in blocks(document):
        if block.tag in RUN:
            script.append(f"echo {shlex.quote(f'--- {block.where}')}")
            script.append(block.text if block.tag == "sh" else f"python - <<'# end'\n{block.text}# end\n")
    return "\n".join(script)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if RUN & {block.tag for block in blocks(document)}],
    ids=lambda path: path.name,
)
def test_what_a_document_shows_can_be_run(
    document: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Every sh and python block runs, in order, for a person with nothing but the command installed."""
    folder = tmp_path / "empty"
    folder.mkdir()
    del environment["CADENCE_HOME"]
    ended = subprocess.run(
        ["sh", "-c", as_script(document)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=150,
        check=False,
    )
    assert ended.returncode == 0, f"exit {ended.returncode} in the last block of:\n{ended.stdout}"


def test_the_readme_shows_something_to_run() -> None:
    """A README whose blocks are all tagged `text` would pass every test, and mean nothing."""
    assert len([block for block in tagged("sh") if block.where.startswith("README.md")]) >= 2


def test_no_block_escapes_by_its_tag() -> None:
    """A shell block is tagged `sh` and run, or `text` and shown; nothing between."""
    assert not tagged(*LOOK_ALIKES)


@pytest.mark.parametrize("block", tagged("yaml", "json"), ids=lambda block: block.where)
def test_data_in_a_document_can_be_read(block: Block) -> None:
    """A yaml or json block is what it says it is."""
    assert (yaml.safe_load if block.tag == "yaml" else json.loads)(block.text)


@pytest.mark.parametrize("block", tagged("markdown"), ids=lambda block: block.where)
def test_a_cadence_in_a_document_passes_check(block: Block, home: Path, cadence: Cadence) -> None:
    """A cadence file that a reader may copy has no mistake in it."""
    if block.text.startswith("---\n"):
        (home / "prompts" / "shown.md").write_text(block.text, encoding="utf-8")
        ended = cadence("check", "prompts/shown.md")
        assert ended.returncode == 0, ended.stderr
        # With a real agent it would end well, and have written nothing.
        assert "permits nothing" not in ended.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_leads_somewhere(document: Path) -> None:
    """Every relative link of a document names a file that is there."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert not [link for link in relative if not (document.parent / link).exists()]


def test_what_is_made_from_the_code_is_published() -> None:
    """`scripts/reference` has been run since the key tables or the modules changed."""
    made = runpy.run_path(str(ROOT / "scripts" / "reference"))["documents"]()
    stale = [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    assert not stale, f"run scripts/reference: {stale}"


def test_the_map_leads_to_modules_that_exist() -> None:
    """Who looks up where something is done finds the module there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where do I find")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z]+/[a-z_]+)`", table)
    assert len(named) > 50, "the table is gone"
    assert not [name for name in named if not (ROOT / "cadencebus" / f"{name}.py").is_file()]
