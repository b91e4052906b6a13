"""Making a home: folders only their owner enters, an example, and settings that explain themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.errors import Misconfigured
from cadencebus.model.key_reference import commented_settings
from cadencebus.store import files, fitness
from cadencebus.store.paths import FOLDERS, LAYOUT, check_layout

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

HELLO = """---
description: Says hello, and shows what a run is given
runner: command
command: [sh, -c, 'echo "hello from $CADENCE_NAME, attempt $CADENCE_ATTEMPT"; cat']
# schedule: "*/5 * * * *"
---
This is the prompt. An agent would be asked to do it; this cadence only reads it
aloud. Without the # in front of `schedule` it would do so every five minutes.

To make one of your own, copy this file to `prompts/NAME.md`, say `runner:
claude` (or `codex`, `gemini`), remove `command`, and write here what is to be
done. What an agent may do, and needs: `cadence help agents`; ten examples:
`cadence help cookbook`; all keys: `cadence help cadence`.
"""


def make(home: Home) -> list[str]:
    """Make what is missing of a home, overwriting nothing; what was made, relative to its root."""
    _refuse(home)
    _make_path(home.root)
    # state/ comes last of the two, complete: a home that is found is a home that works.
    made = [
        f"{os.path.relpath(folder, home.root)}/" for folder in _folders(home) if files.make_folder(folder)
    ]
    made += _write(home, home.format, f"{LAYOUT}\n")
    made += _write(home, home.settings, commented_settings())
    # A home with cadences needs no example, least of all one that was just removed.
    if not any(name.endswith(".md") for name in os.listdir(home.prompts)):
        made += _write(home, home.prompt("hello"), HELLO)
    files.sync_folders([home.prompts, home.state, home.root])
    return made


def furnish(home: Home) -> bool:
    """Make the folders of a home that came without any, as git keeps none; False where it has one."""
    if any(map(files.exists, (home.format, *_folders(home)[2:]))):
        return False
    _refuse(home)
    os.chmod(home.state, 0o700)
    for folder in _folders(home):
        files.make_folder(folder)
    _write(home, home.format, f"{LAYOUT}\n")
    files.sync_folders([home.state, home.root])
    return True


def _folders(home: Home) -> tuple[str, ...]:
    return (home.prompts, home.state, *(f"{home.state}/{name}" for name in FOLDERS))


def _refuse(home: Home) -> None:
    """Refuse before anything is made what would have to be refused afterwards."""
    if os.path.islink(home.state):
        raise Misconfigured(
            f"{home.state} is a symbolic link, where a folder belongs", next_step="put a real folder there"
        )
    kind = fitness.file_system(home.root)
    if kind in fitness.REFUSED:
        raise Misconfigured(
            f"{home.root} lies on {kind}: {fitness.REFUSED[kind]}; renames and locks can't be trusted there",
            next_step="make the home on a local disk",
        )
    check_layout(home)


def _make_path(path: str) -> None:
    """Make a folder and those above it, private whatever the umask; what exists stays as it is."""
    if path and not os.path.isdir(path):
        _make_path(os.path.dirname(path))
        if files.make_folder(path):
            files.sync_folder(os.path.dirname(path))


def _write(home: Home, path: str, text: str) -> list[str]:
    """Write a file that is not there, whole or not at all: half a FORMAT would be a home of no version."""
    if files.exists(path):
        return []
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.new")
    files.discard(temporary)
    try:
        files.write_new(temporary, text.encode())
        files.place(temporary, path)
    except FileExistsError:
        files.discard(temporary)
        return []
    return [os.path.relpath(path, home.root)]
