"""Writing what an operator did into the journal."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from cadencebus.desk.stdio import to_stderr
from cadencebus.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.store.paths import Home


def tell(home: Home, *events: Mapping[str, Any], at: float | None = None) -> None:
    """Write lines into the journal; what was done is done, even where they can't be written."""
    with contextlib.closing(Journal(home)) as journal:
        try:
            journal.write(time.time() if at is None else at, events, durable=True)
        except OSError as error:
            to_stderr(f"warning: the journal was not written: {error.strerror}")
