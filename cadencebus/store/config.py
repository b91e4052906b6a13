"""cadence.yaml and what wins over it: flags > CADENCE_SET_<KEY> > the file > the defaults."""

from __future__ import annotations

import contextlib
import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from cadencebus.errors import CadenceError
from cadencebus.model.keys import Wrong, over
from cadencebus.model.settings import Settings
from cadencebus.model.settings_keys import settings_of
from cadencebus.store import files
from cadencebus.store.badfile import BadFile, Problem, problems_of
from cadencebus.store.glance import Glance, glance, unchanged
from cadencebus.store.yamltext import BadYAML, Document, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cadencebus.store.paths import Home

FILE = "cadence.yaml"
PREFIX = "CADENCE_SET_"
PREFER_SUBSCRIPTION = "CADENCE_PREFER_SUBSCRIPTION"
_YES_OR_NO = {"1": True, "true": True, "": False, "0": False, "false": False}
_LIMIT = 1 << 20
_NO_FLAGS: Mapping[str, object] = MappingProxyType({})


class _Source(NamedTuple):
    """A place where settings come from, and what it says."""

    name: str
    document: Document


def load_settings(home: Home) -> Settings:
    """The settings in force; BadFile names every value that is wrong."""
    return _settings(_content(home), {}, os.environ)


def settings_or_default(home: Home) -> tuple[Settings, str | None]:
    """The settings, and what is wrong with them where the defaults have to stand in."""
    try:
        return load_settings(home), None
    except CadenceError as error:
        return Settings(), error.message


def _content(home: Home) -> bytes | None:
    """The bytes of cadence.yaml; None where there is no such file."""
    try:
        return files.read(os.path.realpath(home.settings), _LIMIT)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadFile(Problem(file=FILE, message=f"can't be read: {why}")) from None


def _settings(data: bytes | None, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    merged: dict[str, Any] = {}
    problems: list[Problem] = []
    # From the weakest to the strongest. What is right in each is right in all of them together: no setting
    # depends on another.
    for source in (*_in_file(data), *_in_environment(environ), *_in_flags(flags)):
        merged = over(source.document.value, merged)
        try:
            settings_of(source.document.value)
        except Wrong as wrong:
            problems += problems_of(wrong, file=source.name, document=source.document)
    if problems:
        raise BadFile(*problems)
    return settings_of(merged)


def _in_file(data: bytes | None) -> Iterator[_Source]:
    try:
        document = load((data or b"").decode())
    except UnicodeDecodeError as error:
        line = (data or b"").count(b"\n", 0, error.start) + 1
        raise BadFile(Problem(file=FILE, line=line, message="not UTF-8")) from None
    except BadYAML as error:
        raise BadFile(Problem(file=FILE, line=error.line, message=error.message)) from None
    if isinstance(document.value, dict):
        yield _Source(FILE, document)
    elif document.value is not None:
        raise BadFile(Problem(file=FILE, line=1, message="not a map of keys"))


def _in_environment(environ: Mapping[str, str]) -> Iterator[_Source]:
    for name, text in environ.items():
        if name.startswith(PREFIX):
            try:
                yield _said(name, name.removeprefix(PREFIX).lower(), load(text).value)
            except BadYAML as error:
                raise BadFile(Problem(file=name, message=error.message)) from None
    preferred = _YES_OR_NO.get(environ.get(PREFER_SUBSCRIPTION, "").lower())
    if preferred is None:
        raise BadFile(Problem(file=PREFER_SUBSCRIPTION, message="allowed is 1, or 0 or nothing"))
    if preferred:
        yield _said(PREFER_SUBSCRIPTION, "auth", "subscription")


def _in_flags(flags: Mapping[str, object]) -> Iterator[_Source]:
    for key, value in flags.items():
        yield _said(f"--set {key}", key, value)


def _said(name: str, key: str, value: object) -> _Source:
    # Line 0: it has none.
    return _Source(name, Document(value={key: value}, lines={(): 0}))


class LiveSettings:
    """Settings that are kept at hand: edits take effect live, a broken one keeps the last good.

    Where none was good yet, that is an error; `lenient`: the defaults stand in.
    """

    def __init__(
        self,
        home: Home,
        *,
        flags: Mapping[str, object] = _NO_FLAGS,
        environ: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
        lenient: bool = False,
    ) -> None:
        self._home = home
        self._flags = dict(flags)
        self._environ = dict(environ)
        self._monotonic = monotonic
        self._at: Glance | None = None
        self._data: bytes | None = None
        self._missed_since: float | None = None
        # What can't be looked at can't be read either, and then that is said.
        with contextlib.suppress(OSError):
            self._at = glance(home.settings)
        try:
            self._data = _content(home)
            self.current = _settings(self._data, self._flags, self._environ)
        except BadFile:
            if not lenient:
                raise
            self.current = Settings()
        self.problem: str | None = None

    def refresh(self) -> str | None:
        """Read the file anew if it changed; what a person should be told of it, once."""
        try:
            at = glance(self._home.settings)
            if unchanged(self._at, at):
                return None
            data = _content(self._home)
            if self._vanished(data):
                return None
            self._at = at
            if data == self._data:
                return None
            self._data = data
            current = _settings(data, self._flags, self._environ)
        except (CadenceError, OSError) as error:
            return self._tell(f"{error}; the last good settings stay in force")
        if current != self.current:
            self.current = current
        return self._tell(f"{FILE} is gone: the defaults are in force" if data is None else None)

    def _vanished(self, data: bytes | None) -> bool:
        """Whether the file is away or empty only for the moment that an editor takes to write it."""
        if data or not self._data:
            self._missed_since = None
            return False
        if self._missed_since is None:
            self._missed_since = self._monotonic()
        return self._monotonic() - self._missed_since < self.current.settle

    def _tell(self, problem: str | None) -> str | None:
        told, self.problem = self.problem, problem
        return problem if problem != told else None
