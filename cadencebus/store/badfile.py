"""What is wrong with a file that a person wrote: where, which key, what was found, what is allowed."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.model.keys import Wrong
    from cadencebus.store.yamltext import BadYAML, Document

_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a file."""

    file: str
    line: int
    key: str = ""
    found: str = ""
    allowed: str = ""
    nearest: str = ""
    message: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        if self.message:
            return where + self.message
        if self.allowed.startswith("unknown key"):
            hint = (
                f"; did you mean `{self.nearest}`?"
                if self.nearest
                else f"; {self.allowed.partition('; ')[2]}"
            )
            return f"{where}{self.key}: unknown key{hint}"
        return f"{where}{self.key}: found {self.found}, allowed: {self.allowed}"

    def dump(self) -> dict[str, Any]:
        """The object that `check --json` prints."""
        return {slot: getattr(self, slot) for slot in self.__dataclass_fields__} | {"text": str(self)}


class BadFile(Misconfigured):
    """A file that needs a person's hand."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem), next_step=f"mend {problem.file}, then `cadence check`")
        self.problem = problem


def unreadable(file: str, error: BadYAML) -> BadFile:
    """The error for text that is no YAML."""
    return BadFile(Problem(file=file, line=error.line, message=error.message))


def wrong(file: str, document: Document, fault: Wrong, known: Iterable[str]) -> BadFile:
    """The error for a value that is not allowed."""
    found = document.value
    for step in fault.path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            found = "nothing"
    key = ".".join(str(step) for step in fault.path)
    near = difflib.get_close_matches(str(fault.path[-1]), list(known), 1) if fault.path else []
    if fault.allowed.startswith("unknown key") and len(fault.path) > 1:
        near = difflib.get_close_matches(
            str(fault.path[-1]), fault.allowed.partition("known: ")[2].split(", "), 1
        )
    shown = repr(found)
    return BadFile(
        Problem(
            file=file,
            line=document.line_of(fault.path),
            key=key,
            found=shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "...",
            allowed=fault.allowed,
            nearest=near[0] if near else "",
        )
    )
