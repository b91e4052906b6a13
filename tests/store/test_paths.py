"""state/FORMAT can't be read: a person's business, or the machine's."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import IOTrouble, Misconfigured
from cadencebus.store.paths import Home, check_layout

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_without_descriptors_is_tried_again(home: Path) -> None:
    """A supervisor parks a consumer that ends with 78: nobody has to look after what passes by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(IOTrouble, match="open files") as trouble:
            check_layout(Home(str(home)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert trouble.value.exit_code == os.EX_IOERR


def test_what_is_no_file_is_for_a_person_to_mend(home: Path) -> None:
    """A link, a folder: neither goes away by waiting."""
    layout = home / "state" / "FORMAT"
    layout.unlink()
    layout.symlink_to("/etc/hostname")
    with pytest.raises(Misconfigured):
        check_layout(Home(str(home)))
    layout.unlink()
    layout.mkdir()
    with pytest.raises(Misconfigured):
        check_layout(Home(str(home)))
