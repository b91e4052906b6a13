"""Whether what a program starts from is still the same: told by marks, never by the secrets themselves."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from cadencebus.model.providers import PROVIDERS
from cadencebus.session.environment import search_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SALT_BYTES = 8


def new_salt() -> str:
    """A salt for the marks of one hold: the same key makes another mark in each."""
    return os.urandom(_SALT_BYTES).hex()


def of_credentials(credentials: str, env: Mapping[str, str], salt: str) -> dict[str, str]:
    """The marks of what a runner signs in with."""
    provider = PROVIDERS.get(credentials)
    if provider is None:
        return {}
    names = (*provider.keys, *provider.tokens, provider.base_url)
    marks = {name: _salted(env[name], salt) for name in names if env.get(name)}
    marks |= {path: of_file(path) for path in provider.login_files(env)}
    return marks


def of_program(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> dict[str, str]:
    """The marks of the program that a run starts: another version is another file."""
    path = search_path(env.get("PATH", ""), env.get("HOME", "/"))
    word = argv[0] if argv else ""
    found = shutil.which(os.path.join(cwd, word) if "/" in word else word, path=path) if word else None
    if found is None:
        return {word: "missing"}
    real = os.path.realpath(found)
    return {word: f"{real} {of_file(real)}"}


def of_file(path: str) -> str:
    """The mark of a file: a look at it is enough, it is not read."""
    try:
        at = os.stat(path)
    except OSError:
        return "missing"
    return f"{at.st_mtime_ns}:{at.st_size}"


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first thing that is not as it was; None: all of it is."""
    names = sorted({*before, *now})
    return next((name for name in names if before.get(name) != now.get(name)), None)


def _salted(value: str, salt: str) -> str:
    return hashlib.blake2b(
        value.encode("utf-8", "surrogateescape"), key=salt.encode(), digest_size=8
    ).hexdigest()
