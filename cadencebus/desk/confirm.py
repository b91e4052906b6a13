"""Before files outside the home are changed: show the differences, ask, refuse foreign files."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

from cadencebus.desk.output import Painted
from cadencebus.errors import CantCreate, Usage
from cadencebus.units.plan import CRONTAB
from cadencebus.units.seal import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cadencebus.desk.output import Cell, Output
    from cadencebus.store.unit_files import Change

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def refuse_foreign(changes: Sequence[Change]) -> None:
    """Never overwrite a file that bears our name and was never ours."""
    for change in changes:
        if change.condition is Condition.FOREIGN and change.file != CRONTAB and change.before is not None:
            raise CantCreate(
                f"{change.path} was not made by `cadence install`: nothing was changed",
                next_step=f"mv {change.path} {change.path}.mine, then again",
            )


def show(out: Output, changes: Sequence[Change]) -> None:
    """The differences, as `diff -u` would print them."""
    for change in changes:
        if change.after is None and change.condition is not Condition.EDITED:
            # Our own text, which `cadence install --print` writes again at any time.
            out.line(Painted(f"remove {change.path}", "red"))
            continue
        for line in _diff(change):
            out.line(line)
        if change.condition is Condition.EDITED and change.file != CRONTAB:
            out.warn(f"{change.file} was edited by hand: it will be kept as {change.path}.before-cadence")


def agreed(*, yes: bool, what: str) -> bool:
    """Ask on a terminal; elsewhere --yes must have been said."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Usage(
            f"nothing was changed: there is no terminal here to ask whether to {what}",
            next_step="the same with --yes",
        )
    sys.stdout.flush()
    sys.stderr.write(f"{what}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    sys.stderr.write("nothing was changed\n")
    return False


def _diff(change: Change) -> Iterator[Cell]:
    before, after = change.before or "", change.after or ""
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        change.path if change.before is not None else "/dev/null",
        change.path if change.after is not None else "/dev/null",
        lineterm="",
    )
    for line in lines:
        heading = line.startswith(("--- ", "+++ "))
        colour = "bold" if heading else _COLOURS.get(line[:1])
        yield Painted(line, colour) if colour else line
