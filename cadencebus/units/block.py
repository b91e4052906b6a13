"""Our lines in somebody else's file: between two markers, everything around them kept to the letter."""

from __future__ import annotations

_BEGIN, _END = "# BEGIN cadencebus ", "# END cadencebus "


def block_in(text: str, home: str) -> str | None:
    """The lines between the markers of this home; None where there are none."""
    spans = _spans(text, home)
    if not spans:
        return None
    return "".join(text[slice(*spans[0])].splitlines(keepends=True)[1:-1])


def with_block(text: str, home: str, lines: str) -> str:
    """Put the lines where the old ones were, else at the end; twice is the same as once."""
    spans = _spans(text, home)
    block = f"{_BEGIN}{home}\n{lines}{_END}{home}\n"
    if not spans:
        # Without its line break the last foreign line would run into our marker.
        gap = "\n" if text and not text.endswith("\n") else ""
        return f"{text}{gap}{block}"
    (start, end), *others = spans
    for doubled in reversed(others):
        text = text[: doubled[0]] + text[doubled[1] :]
    return text[:start] + block + text[end:]


def without_block(text: str, home: str) -> str:
    """Take out what is ours and nothing else."""
    for start, end in reversed(_spans(text, home)):
        text = text[:start] + text[end:]
    return text


def _spans(text: str, home: str) -> list[tuple[int, int]]:
    """Where this home's blocks begin and end; ValueError where a marker has lost its other half."""
    spans: list[tuple[int, int]] = []
    began: int | None = None
    place = 0
    for line in text.splitlines(keepends=True):
        match line.rstrip("\r\n"):
            case found if found == f"{_BEGIN}{home}":
                if began is not None:
                    raise _torn(home)
                began = place
            case found if found == f"{_END}{home}":
                if began is None:
                    raise _torn(home)
                spans.append((began, place + len(line)))
                began = None
        place += len(line)
    if began is not None:
        raise _torn(home)
    return spans


def _torn(home: str) -> ValueError:
    # Guessing the other end could swallow lines that are not ours.
    return ValueError(f"the markers of cadencebus {home} do not pair up; fix or remove them by hand")
