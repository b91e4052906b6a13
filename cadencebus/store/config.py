"""cadence.yaml and what wins over it: flags > CADENCE_SET_<KEY> > the file > the defaults."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.errors import CadenceError
from cadencebus.model.duration import spell_duration
from cadencebus.model.keys import DURATION, Wrong
from cadencebus.model.settings_keys import KEYS, settings_of
from cadencebus.store import badfile, files
from cadencebus.store.badfile import BadFile, Problem
from cadencebus.store.yamltext import BadYAML, Document, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.keys import Key
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home

PREFIX = "CADENCE_SET_"
_LIMIT = 1 << 20


def load_settings(home: Home, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings in force; BadFile names the one value that is wrong."""
    document = _document(home)
    members: dict[str, Any] = document.value or {}
    try:
        settings_of(members)
    except Wrong as fault:
        raise badfile.wrong("cadence.yaml", document, fault, KEYS) from None
    merged = dict(members)
    for source, overrides in (("environment", _from_environment(environ)), ("flag", dict(flags))):
        for key, value in overrides.items():
            try:
                settings_of({key: value})
            except Wrong as fault:
                raise _wrong_override(source, key, value, fault) from None
        merged |= overrides
    settings = settings_of(merged)
    if environ.get("CADENCE_PREFER_SUBSCRIPTION") == "1":
        settings = replace(settings, auth="subscription")
    return settings


def _document(home: Home) -> Document:
    try:
        text = files.read(os.path.realpath(home.settings), _LIMIT).decode("utf-8")
        document = load(text)
    except FileNotFoundError:
        return Document(value={})
    except BadYAML as error:
        raise badfile.unreadable("cadence.yaml", error) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise BadFile(Problem(file="cadence.yaml", line=1, message=str(error))) from None
    if document.value is not None and not isinstance(document.value, dict):
        raise BadFile(Problem(file="cadence.yaml", line=1, message="not a map of keys"))
    return document


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    overrides = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower()
        try:
            overrides[key] = load(text).value
        except BadYAML as error:
            raise BadFile(Problem(file=name, line=1, message=error.message)) from None
    return overrides


def _wrong_override(source: str, key: str, value: object, fault: Wrong) -> BadFile:
    file = f"{PREFIX}{key.upper()}" if source == "environment" else f"--set {key}"
    return badfile.wrong(file, Document(value={key: value}), fault, KEYS)


class LiveSettings:
    """The settings of a running consumer: edits take effect live, a broken one keeps the last good."""

    def __init__(self, home: Home, *, flags: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self._home = home
        self._flags = flags
        self._environ = dict(environ)
        self._mark = self._look()
        self.current = load_settings(home, flags=flags, environ=environ)
        self.problem: str | None = None

    def refresh(self) -> str | None:
        """Read the file anew if it changed; the problem, once, where the edit is broken."""
        mark = self._look()
        if mark == self._mark:
            return None
        self._mark = mark
        try:
            self.current = load_settings(self._home, flags=self._flags, environ=self._environ)
        except (CadenceError, OSError) as error:
            self.problem = f"{error}; the last good settings stay in force"
            return self.problem
        self.problem = None
        return None

    def _look(self) -> tuple[int, int, int] | None:
        try:
            at = os.stat(self._home.settings)
        except OSError:
            return None
        return (at.st_mtime_ns, at.st_size, at.st_ino)


def commented_settings() -> str:
    """cadence.yaml as `cadence init` writes it: every key, commented, with its default."""
    lines = [
        "# Settings of this bus. Every key is commented and shows its default; edits take effect live.",
        "",
    ]
    for name, key in KEYS.items():
        lines += [f"# {key.help}", *_entry(name, key), ""]
    return "\n".join(lines)


def _entry(name: str, key: Key) -> list[str]:
    examples = {
        "retention": "{done: 14d, runs: 30d, events: 90d, dead: forever}",
        "runners": "{}",
        "gates": "{}",
        "notify": "[]",
        "defaults": "{}",
        "max_tick_bytes": "1MiB",
        "max_log_bytes": "64MiB",
    }
    if name in examples:
        return [f"# {name}: {examples[name]}"]
    value = key.default
    if key.kind is DURATION:
        value = spell_duration(value)
    return [f"# {name}: {'null' if value is None else value}"]
