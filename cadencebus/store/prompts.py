"""The folder prompts/: one file a cadence, read anew whenever it changed."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any

from cadencebus.errors import NoSuch
from cadencebus.model.cadence_keys import KEYS, cadence_of
from cadencebus.model.keys import Wrong
from cadencebus.model.naming import is_cadence
from cadencebus.policy.timetable import cron_line
from cadencebus.store import badfile
from cadencebus.store.badfile import BadFile, Problem
from cadencebus.store.yamltext import BadYAML, Document, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.store.paths import Home

_LIMIT = 8 << 20
Mark = tuple[int, int, int]


class UnknownCadence(NoSuch):
    """No file defines it."""


class Prompts:
    """Reads cadences; a file that did not change costs one stat."""

    def __init__(self, home: Home, defaults: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._home = home
        self._defaults = defaults
        self._cache: dict[str, tuple[Mark, int, Cadence | BadFile]] = {}

    def names(self) -> list[str]:
        """The cadences that have a file; `_*.md` are parts of prompts."""
        with contextlib.suppress(FileNotFoundError):
            found = (
                name.removesuffix(".md") for name in os.listdir(self._home.prompts) if name.endswith(".md")
            )
            return sorted(name for name in found if is_cadence(name))
        return []

    def load(self, name: str) -> Cadence:
        """The cadence as its file reads now.

        UnknownCadence where there is no file, BadFile where it makes no sense, OSError for anything else.
        """
        path = self._home.prompt(name)
        try:
            at = os.stat(path)
        except FileNotFoundError:
            raise self._unknown(name) from None
        defaults = self._defaults()
        mark = (at.st_mtime_ns, at.st_size, at.st_ino)
        known = self._cache.get(name)
        if known is None or known[0] != mark or known[1] != id(defaults):
            known = self._cache[name] = (mark, id(defaults), self._read(name, path, defaults))
        if isinstance(known[2], BadFile):
            raise known[2]
        return known[2]

    def _unknown(self, name: str) -> UnknownCadence:
        near = difflib.get_close_matches(name, self.names(), 1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        return UnknownCadence(f"no cadence {name!r}{hint}", next_step=f"write prompts/{name}.md")

    def _read(self, name: str, path: str, defaults: Mapping[str, Any]) -> Cadence | BadFile:
        shown, data = f"prompts/{name}.md", b""
        try:
            data = _bytes(path)
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            return BadFile(
                Problem(file=shown, line=line, message=f"not UTF-8: byte {data[error.start]:#04x}")
            )
        except ValueError as error:
            return BadFile(Problem(file=shown, line=1, message=str(error)))
        try:
            matter, body = split(text)
            document = load(matter, first_line=2) if matter is not None else Document(value={})
        except BadYAML as error:
            return badfile.unreadable(shown, error)
        members = {} if document.value is None else document.value
        if not isinstance(members, dict):
            return BadFile(Problem(file=shown, line=2, message="front matter: not a map of keys"))
        try:
            digest = hashlib.sha256(data).hexdigest()[:16]
            cadence = cadence_of(name, merge(defaults, members), prompt=body, digest=digest)
            _check_schedule(cadence)
        except Wrong as fault:
            return badfile.wrong(shown, document, fault, KEYS)
        return cadence


def _check_schedule(cadence: Cadence) -> None:
    if cadence.schedule is None:
        return
    try:
        cron_line(cadence.schedule)
    except ValueError as error:
        raise Wrong(f"a cron line such as */5 8-19 * * mon-fri ({error})", "schedule") from None


def merge(defaults: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """The bus's defaults beneath a cadence's own keys; a map given in part keeps the others."""
    merged = dict(defaults)
    for key, value in members.items():
        below = merged.get(key)
        merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    if "command" in members and "runner" not in members:
        merged["runner"] = "command"
    return merged


def split(text: str) -> tuple[str | None, str]:
    """Front matter (None: there is none) and body."""
    if text.startswith("\ufeff"):
        raise BadYAML(1, "starts with a byte order mark: save it as plain UTF-8")
    text = text.replace("\r\n", "\n")
    if not (text.startswith("---\n") or text == "---"):
        return None, text
    lines = text.split("\n")
    for at, line in enumerate(lines[1:], 1):
        if line.rstrip() in {"---", "..."}:
            return "\n".join(lines[1:at]), "\n".join(lines[at + 1 :]).lstrip("\n")
    raise BadYAML(1, "front matter: opened with --- and never closed")


def _bytes(path: str) -> bytes:
    # A prompt may be a symbolic link (people keep dotfiles); a FIFO would hang, a device would not end.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not a regular file")
        data = bytearray()
        while chunk := os.read(fd, 1 << 16):
            data += chunk
            if len(data) > _LIMIT:
                raise ValueError(f"over {_LIMIT} bytes")
        return bytes(data)
    finally:
        os.close(fd)
