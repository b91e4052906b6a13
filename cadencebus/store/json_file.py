"""Small JSON objects on disk: read, replaced whole, and set aside where they can't be read."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from cadencebus.clock import stamp
from cadencebus.errors import BadData
from cadencebus.model import strictjson
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.store.paths import Home


def load_object(path: str, limit: int = 1 << 22) -> dict[str, Any]:
    """Read one JSON object; ValueError where the file holds something else."""
    try:
        value = strictjson.loads(files.read(path, limit))
    except BadData as error:
        raise ValueError(str(error)) from None
    except OSError as error:
        # Where this is no trouble of the disk, an OSError would be waited out for ever, by the whole bus.
        if error.errno != errno.ELOOP:
            raise
        raise ValueError("a symbolic link, not a file") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - to the caller it is bad content like any other
    return value


def save_object(home: Home, path: str, members: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write one JSON object in place of what was there; readers see the old or the new."""
    temporary = f"{home.tmp}/{os.path.basename(path)}.{os.getpid()}.{os.urandom(4).hex()}"
    files.replace(temporary, path, strictjson.dumps(dict(members)), durable=durable)


def set_aside(path: str, now: float) -> str | None:
    """Rename an unreadable file to `*.corrupt-<stamp>`; its new name, or None where it vanished."""
    aside = f"{path}.corrupt-{stamp(now)}"
    try:
        files.move(path, aside)
    except FileNotFoundError:
        return None
    files.sync_folder(os.path.dirname(path))
    return os.path.basename(aside)
