"""What is wrong with a file that a person wrote: where, which key, what was found, what is allowed."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.errors import Misconfigured
from cadencebus.model.legible import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.model.keys import Fault, Wrong
    from cadencebus.store.yamltext import Document

_SHOWN = 60
# Longer lists of what is known help nobody.
_FEW = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a file; line 0 is that of something which has no lines."""

    file: str
    line: int = 0
    key: str = ""
    found: str = ""
    allowed: str = ""
    nearest: str = ""
    message: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        near = f"; did you mean `{self.nearest}`?" if self.nearest else ""
        said = self.message or f"found {self.found}, allowed {self.allowed}"
        return f"{where}: {f'{self.key}: ' if self.key else ''}{said}{near}"

    def dump(self) -> dict[str, Any]:
        """The object that `check --json` prints."""
        return asdict(self) | {"text": str(self)}


class BadFile(Misconfigured):
    """A file that needs a person's hand; it knows everything that is wrong, its message says the first."""

    def __init__(self, *problems: Problem) -> None:
        first, *others = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.key))
        more = f" (and {len(others)} more)" if others else ""
        of_a_file = first.file.endswith((".md", ".yaml"))
        next_step = f"fix {first.file}, then `cadence check`" if of_a_file else None
        super().__init__(f"{first}{more}", next_step=next_step)
        self.problems = (first, *others)
        self.problem = first


def problems_of(
    wrong: Wrong, *, file: str, document: Document, inherited: dict[str, Any] | None = None
) -> tuple[Problem, ...]:
    """The faults of a document, each in its place; `inherited` is what it has from elsewhere."""
    return tuple(_problem(fault, file, document, inherited or {}) for fault in wrong.faults)


def _problem(fault: Fault, file: str, document: Document, inherited: dict[str, Any]) -> Problem:
    last = str(fault.path[-1]) if fault.path else ""
    root = document.value if isinstance(document.value, dict) else {}
    elsewhere = bool(fault.path) and fault.path[0] not in root and fault.path[0] in inherited
    found = _at(inherited if elsewhere else document.value, fault.path)
    message = ""
    if fault.unknown:
        message = "unknown key"
    near = nearest(last if fault.unknown else found, fault.known)
    if fault.unknown and not near and len(fault.known) <= _FEW:
        message += f"; known are {', '.join(fault.known)}"
    return Problem(
        file=file,
        line=document.line_of(fault.path),
        key=one_line(".".join(str(step) for step in fault.path), _SHOWN),
        found="nothing" if found is None else one_line(json.dumps(found, ensure_ascii=False), _SHOWN),
        allowed=fault.allowed + (" (it comes from `defaults` in cadence.yaml)" if elsewhere else ""),
        nearest=near,
        message=message,
    )


def nearest(word: object, known: Sequence[str]) -> str:
    """The known word that was probably meant, however it is written; "" where none is near."""
    if not isinstance(word, str):
        return ""
    lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), lower, 1)
    return lower[near[0]] if near else ""


def _at(value: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - what a person wrote
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
