"""Making a home: folders only their owner enters, an example, and settings that explain themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.store import files
from cadencebus.store.config import commented_settings
from cadencebus.store.paths import FOLDERS, LAYOUT

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

HELLO = """---
description: An example that needs no agent, only a shell
command: [sh, -c, "cat; date"]
---
Hello from cadencebus. This text is the prompt: the command reads it on standard input.
"""


def make(home: Home) -> list[str]:
    """Make what is missing of a home, overwriting nothing; what was made, relative to its root."""
    made = []
    os.makedirs(home.root, mode=files.FOLDER_MODE, exist_ok=True)
    # state/ comes last of the two, complete: a home that is found is a home that works.
    folders = (home.prompts, home.state, *(f"{home.state}/{name}" for name in FOLDERS))
    made += [f"{os.path.relpath(folder, home.root)}/" for folder in folders if files.make_folder(folder)]
    made += _write(home, home.format, f"{LAYOUT}\n")
    made += _write(home, home.settings, commented_settings())
    if not any(name.endswith(".md") for name in os.listdir(home.prompts)):
        made += _write(home, home.prompt("hello"), HELLO)
    files.sync_folders([home.prompts, home.state, home.root])
    return made


def _write(home: Home, path: str, text: str) -> list[str]:
    try:
        files.write_new(path, text.encode())
    except FileExistsError:
        return []
    return [os.path.relpath(path, home.root)]
