"""Text from strangers, made fit to show: no control bytes, no secrets, one line, bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Escape sequences first (colours, titles, cursor moves), then whatever control characters are left.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\n]*?(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]", re.MULTILINE
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_NAMES = "(?:(?:api|access|private)[_-]?key|token|secret|passw(?:or)?d|authorization|cookie|bearer)"
_OPTION = rf"(?<![\w-])--[a-z-]{{0,40}}{_NAMES} +"
_KEYED = rf"(?:{_NAMES}[\"']?\s*[:=]\s*|{_OPTION})"
# What the system says of a file whose name is like that of a secret.
_SYSTEM_SAYS = (
    "(?:permission denied|operation not (?:permitted|supported)|input/output error|read-only file system"
    "|invalid argument|directory not empty|device or resource busy|resource temporarily unavailable"
    r"|connection (?:refused|reset by peer|timed out)|network is unreachable)\b"
)
# What a key, a password or a token looks like; the first group is what may stay before it.
_KNOWN_KEYS = (
    r"\b(sk-ant-|sk-|xox[abeprs]-|gh[pousr]_|AIza|AKIA|github_pat_|glpat-|eyJ(?=[\w-]{6,}\.[\w-]{6,}\.))[\w.-]{6,}",
    r"\b(hf_|npm_)[A-Za-z0-9]{20,}",
    *(rf"({_KEYED}{quote})[^{quote}\n]{{6,}}(?={quote})" for quote in "\"'"),
    rf"({_OPTION})[^\s\"',;-][^\s\"',;]{{5,}}",
    rf"({_NAMES}[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)(?!{_SYSTEM_SAYS})[^\s\"',;]{{6,}}",
    r"(\b(?:bearer|basic)\s+)[\w.~+/-]{16,}=*",
    r"(://[^/\s:@]*:)[^/\s@]+(?=@)",
    r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\n?)[^-]{6,}",
)
_SECRETS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _KNOWN_KEYS)


def without(known: Iterable[str], text: str) -> str:
    """Text without the secrets that are known."""
    for value in known:
        text = text.replace(value, "[redacted]")
    return text


def redacted(text: str) -> str:
    """Text without keys, passwords and tokens, as far as they can be told by their looks."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[redacted]", text)
    return text


def clean(text: str) -> str:
    """Text without terminal escapes and control characters; tabs and line ends stay."""
    if text.isascii() and text.isprintable():
        # Most of what a table of a hundred thousand rows is made of.
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def escaped(file: str) -> str:
    """The name of a file, safe in a log, a terminal and JSON, whatever bytes it is made of."""
    text = file.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clip(text: str, limit: int) -> str:
    """Text of at most so many characters, with a sign where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int = 200) -> str:
    """Text as one clean line of at most so many characters."""
    # Cut first: a megabyte of tool output is shown as one line of it.
    return clip(" ".join(clean(text[: 8 * limit]).split()), limit)
