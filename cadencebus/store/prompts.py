"""The folder prompts/: one file a cadence, read anew whenever it changed; and the tasks of HEARTBEAT.md."""

from __future__ import annotations

import contextlib
import difflib
import errno
import hashlib
import os
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cadencebus.clock import in_calendar
from cadencebus.errors import NoSuch
from cadencebus.model.front_matter import cadence_of, laid_over
from cadencebus.model.keys import Fault, Wrong
from cadencebus.model.naming import is_cadence
from cadencebus.policy.timetable import cron_line
from cadencebus.store import files
from cadencebus.store.badfile import BadFile, Problem, problems_of
from cadencebus.store.glance import Glance, glance, unchanged
from cadencebus.store.heartbeat_md import HeartbeatFile
from cadencebus.store.yamltext import BadYAML, Document, load

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.store.paths import Home

_LIMIT = 8 << 20
_NO_DEFAULTS: Mapping[str, Any] = MappingProxyType({})


class UnknownCadence(NoSuch):
    """No file defines it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What came of reading a file: a cadence, or what is wrong with it."""

    at: Glance
    defaults: Mapping[str, Any]
    data: bytes = b""
    cadence: Cadence | None = None
    problems: tuple[Problem, ...] = ()


class Prompts:
    """Reads cadences; a file that did not change costs one stat."""

    def __init__(self, home: Home, defaults: Callable[[], Mapping[str, Any]] = lambda: _NO_DEFAULTS) -> None:
        self._home = home
        self._defaults = defaults
        self._known: dict[str, _Read] = {}
        self.heartbeat = HeartbeatFile(home)

    def names(self) -> list[str]:
        """The cadences that have a file (`_*.md` are parts of prompts), and those of HEARTBEAT.md."""
        return sorted({*self.in_folder(), *self.heartbeat.read().names})

    def in_folder(self) -> list[str]:
        """The cadences that have a file of their own."""
        with contextlib.suppress(FileNotFoundError):
            found = (
                name.removesuffix(".md") for name in os.listdir(self._home.prompts) if name[-3:] == ".md"
            )
            return sorted(name for name in found if is_cadence(name))
        return []

    def defined(self, name: str) -> bool:
        """Whether something defines this cadence, well or badly."""
        return is_cadence(name) and (
            files.exists(self._home.prompt(name)) or name in self.heartbeat.read().names
        )

    def written(self, name: str) -> float | None:
        """When its file was written, or brought to this home; None where it has none."""
        with contextlib.suppress(OSError):
            # A copy may keep the stamps of files that were written long before their home was made.
            stamps = (os.stat(path).st_mtime for path in (self._home.prompt(name), self._home.format))
            return in_calendar(max(stamps))
        return None

    def load(self, name: str) -> Cadence:
        """The cadence as its file reads now.

        UnknownCadence where there is no file, BadFile where it makes no sense, OSError for anything else.
        """
        try:
            return self.current(name)
        except UnknownCadence:
            raise self._unknown(name) from None

    def current(self, name: str) -> Cadence:
        """As `load`, for the loops: nobody reads there which of all names an unknown one was meant for."""
        at = glance(self._home.prompt(name)) if is_cadence(name) else None
        defaults = self._defaults()
        if at is None:
            beating = self.heartbeat.load(name, defaults) if is_cadence(name) else None
            if beating is None:
                self._look_for_the_folder()
                raise UnknownCadence(f"no cadence {name!r}")
            return beating
        known = self._known.get(name)
        if known is None or known.defaults is not defaults or not unchanged(known.at, at):
            known = self._known[name] = self._read(name, at, defaults, known)
        # Each time a new error: one that is raised again and again grows by a traceback each time.
        if known.cadence is None:
            raise BadFile(*known.problems)
        return known.cadence

    def _look_for_the_folder(self) -> None:
        # Moved away, or on a disk that is not mounted: no cadence is gone by that, and no tick may die of it.
        if not os.path.isdir(self._home.prompts):
            raise NotADirectoryError(errno.ENOTDIR, "the folder prompts/ is not there")

    def unknown_runner(self, cadence: Cadence, known: Collection[str]) -> Problem:
        """What is wrong with a cadence whose runner nobody knows: that is no fault of its file alone."""
        document = Document(value={}, lines={(): 0})
        with contextlib.suppress(OSError, ValueError):
            text = files.read(os.path.realpath(self._home.prompt(cadence.name)), _LIMIT).decode()
            document = load(split(text)[0] or "", first_line=2)
        wrong = Wrong(Fault(path=("runner",), allowed=f"one of {', '.join(known)}", known=tuple(known)))
        inherited = {"runner": cadence.runner}
        return problems_of(wrong, file=cadence.path, document=document, inherited=inherited)[0]

    def _unknown(self, name: str) -> UnknownCadence:
        if name in (names := self.names()):
            return UnknownCadence(f"prompts/{name}.md leads to no file", next_step=f"ls -l prompts/{name}.md")
        near = difflib.get_close_matches(name, names, 1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        return UnknownCadence(f"no cadence {name!r}{hint}", next_step=f"write prompts/{name}.md")

    def _read(self, name: str, at: Glance, defaults: Mapping[str, Any], known: _Read | None) -> _Read:
        data = b""
        try:
            data = self._content(name, at)
            if known is not None and known.defaults is defaults and known.data == data:
                # Written so lately that its stamp says nothing: read again, but not taken apart again.
                return replace(known, at=at)
            cadence = read_cadence(name, data, defaults)
        except BadFile as error:
            return _Read(at=at, defaults=defaults, data=data, problems=error.problems)
        return _Read(at=at, defaults=defaults, data=data, cadence=cadence)

    def _content(self, name: str, at: Glance) -> bytes:
        try:
            # A prompt may be a symbolic link (people keep dotfiles); a FIFO would hang, a device not end.
            if at.regular:
                return files.read(os.path.realpath(self._home.prompt(name)), _LIMIT)
            why = "not a regular file"
        except FileNotFoundError:
            raise UnknownCadence(f"no cadence {name!r}") from None
        except ValueError as error:
            why = str(error)
        raise BadFile(Problem(file=f"prompts/{name}.md", message=why))


def read_cadence(name: str, data: bytes, defaults: Mapping[str, Any]) -> Cadence:
    """The cadence behind the bytes of its file; BadFile says everything that is wrong with them."""
    file = f"prompts/{name}.md"
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        said = f"not UTF-8: byte {data[error.start]:#04x}"
        raise BadFile(Problem(file=file, line=line, message=said)) from None
    try:
        matter, body = split(text)
        document = Document(value={}) if matter is None else load(matter, first_line=2)
    except BadYAML as error:
        raise BadFile(Problem(file=file, line=error.line, message=error.message)) from None
    own = {} if document.value is None else document.value
    if not isinstance(own, dict):
        raise BadFile(Problem(file=file, line=2, message="front matter: not a map of keys"))
    try:
        cadence = cadence_of(name, own, defaults, prompt=body, digest=hashlib.sha256(data).hexdigest()[:16])
        _check_schedule(cadence)
    except Wrong as wrong:
        inherited = laid_over(own, defaults)
        raise BadFile(*problems_of(wrong, file=file, document=document, inherited=inherited)) from None
    # `~` means the same in every path of a cadence: the user's own folder.
    paths = tuple(os.path.expanduser(path) for path in cadence.expect.file)
    return replace(cadence, expect=replace(cadence.expect, file=paths))


def _check_schedule(cadence: Cadence) -> None:
    if cadence.schedule is None:
        return
    try:
        cron_line(cadence.schedule)
    except ValueError as error:
        why = str(error).removeprefix("schedule: ")
        raise Wrong(
            Fault(path=("schedule",), allowed=f"a cron line such as */5 8-19 * * mon-fri ({why})")
        ) from None


def split(text: str) -> tuple[str | None, str]:
    """Front matter (None: there is none) and body."""
    if text.startswith("\ufeff"):
        raise BadYAML(1, "starts with a byte order mark: save it as plain UTF-8")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        return None, "\n".join(lines)
    for at, line in enumerate(lines[1:], 1):
        if line.rstrip() in {"---", "..."}:
            return "\n".join(lines[1:at]), "\n".join(lines[at + 1 :]).lstrip("\n")
    raise BadYAML(1, "front matter: opened with --- and never closed")
