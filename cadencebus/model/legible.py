"""Text from strangers, made fit to show: no control bytes, one line, bounded."""

from __future__ import annotations

import re

# Escape sequences first (colours, titles, cursor moves), then whatever control characters are left.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\n]*?(?:\x1b\\|\x07|$)|\x1b[ -/]*[0-~]", re.MULTILINE
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Text without terminal escapes and control characters; tabs and line ends stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def clip(text: str, limit: int) -> str:
    """Text of at most so many characters, with a sign where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int = 200) -> str:
    """Text as one clean line of at most so many characters."""
    # Cut first: a megabyte of tool output is shown as one line of it.
    return clip(" ".join(clean(text[: 8 * limit]).split()), limit)
