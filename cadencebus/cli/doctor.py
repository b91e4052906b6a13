"""`cadence doctor`: every known way in which a home can be ill, each with the cure."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus import __version__
from cadencebus.checkup import examine
from cadencebus.checkup.finding import Finding, found
from cadencebus.checkup.patient import Patient
from cadencebus.desk import doctor_waits
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, Painted, safe
from cadencebus.errors import CadenceError, Misconfigured
from cadencebus.store.paths import Home, check_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.checkup.examine import Check
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence doctor             what is wrong, the worst first, and what to type
  cadence doctor -v          and why it matters
  cadence doctor --fix       fixes what is safe to fix, and looks again
  cadence doctor --online    asks the providers whether the keys are good
  cadence doctor --json | jq -r '.findings[] | select(.level == "ill") | .cure'"""
# How many findings of a kind are listed; a thousand broken ticks are one trouble.
_OF_A_KIND = 4
_COLOURS = {"ill": "bold red", "warn": "yellow", "note": "dim"}


def main(words: list[str], context: Context) -> int:
    """Look at everything; exit 1 where something is ill."""
    parser = Parser(
        "doctor",
        "Check for everything that is known to go wrong, and say what to type. Exit 1 if ill.",
        EXAMPLES,
    )
    parser.add_argument("--fix", action="store_true", help="fix what is safe to fix, and look again")
    parser.add_argument("--online", action="store_true", help="ask the providers, 8 s at most")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why each finding matters")
    asked = parser.parse_args(words)
    out, home = Output(context), _home(context)
    patient, findings = _look(home, online=asked.online, debug=context.debug)
    mended: list[Finding] = []
    failed: list[str] = []
    if asked.fix:
        mended, failed = examine.mend(findings)
        if mended:
            patient, findings = _look(home, online=asked.online, debug=context.debug)
    ill = any(one.level == "ill" for one in findings)
    if out.json:
        out.document(_document(home, findings, mended, failed) | {"programs": patient.programs})
    else:
        _say(out, home, findings, mended, failed, verbose=asked.verbose)
        if findings and (first := context.to_export()):
            out.hint(f"for the commands above: {first}")
        if asked.verbose:
            _versions(out, patient)
    if home is None:
        return Misconfigured.exit_code
    return 1 if ill else 0


def _home(context: Context) -> Home | None:
    """The home that is meant, however broken; None outside of any."""
    try:
        return context.home
    except CadenceError:
        given = context.home_flag or os.environ.get("CADENCE_HOME")
    if given:
        return Home(os.path.abspath(os.path.expanduser(given)))
    here = os.getcwd()
    while True:
        # Half a home is one that something happened to.
        if os.path.lexists(f"{here}/cadence.yaml") or os.path.lexists(f"{here}/state/FORMAT"):
            return Home(here)
        if os.path.dirname(here) == here:
            return None
        here = os.path.dirname(here)


def _checks(home: Home | None) -> Sequence[Check]:
    if home is None:
        return examine.MACHINE
    if not os.path.isdir(home.state) or not _understood(home):
        return (*examine.MACHINE, *examine.HOME[:3])
    return (*examine.MACHINE, *examine.HOME, *doctor_waits.CHECKS)


def _understood(home: Home) -> bool:
    try:
        check_layout(home)
    except CadenceError:
        return False
    return True


def _look(home: Home | None, *, online: bool, debug: bool) -> tuple[Patient, list[Finding]]:
    patient = Patient(home or Home(os.devnull), time.time(), online=online, debug=debug)
    findings = examine.examine(patient, _checks(home))
    if home is None:
        findings.append(found("home.none", "there is no bus home here or above"))
    return patient, findings


def _document(
    home: Home | None, findings: list[Finding], mended: list[Finding], failed: list[str]
) -> dict[str, Any]:
    return {
        "home": home.root if home else None,
        "health": "ill" if any(one.level == "ill" for one in findings) else "well",
        "version": __version__,
        "python": platform.python_version(),
        "checked": [check.name for check in _checks(home)],
        "findings": [one.dump() for one in findings],
        "fixed": [one.dump() for one in mended],
        "not_fixed": failed,
    }


def _say(
    out: Output,
    home: Home | None,
    findings: list[Finding],
    mended: list[Finding],
    failed: list[str],
    *,
    verbose: bool,
) -> None:
    for one in mended:
        out.line(Painted("fixed ", "green"), safe(one.what))
    for text in failed:
        out.line(Painted("not fixed ", "red"), safe(text))
    told: dict[str, int] = {}
    for one in findings:
        told[one.kind] = told.get(one.kind, 0) + 1
        if told[one.kind] <= _OF_A_KIND or verbose:
            _line(out, one, verbose=verbose)
    for kind, number in told.items():
        if number > _OF_A_KIND and not verbose:
            out.line(f"      … and {number - _OF_A_KIND} more of {kind}: cadence doctor -v")
    _sum_up(out, home, findings)


def _line(out: Output, one: Finding, *, verbose: bool) -> None:
    level = Painted(f"{one.level:<5} ", _COLOURS[one.level])
    if out.terminal:
        out.point(level, safe(one.what))
        out.point(Painted("      → ", "dim"), Painted(safe(one.cure), "bold"))
    else:
        out.line(level, f"{safe(one.what)}  →  {safe(one.cure)}")
    if verbose:
        out.point(Painted("      ", "dim"), Painted(f"{one.why} [{one.kind}]", "dim"))


def _sum_up(out: Output, home: Home | None, findings: list[Finding]) -> None:
    levels = [one.level for one in findings]
    looked = f"{len(_checks(home))} checks of {home.root if home else 'this machine'}"
    if "ill" in levels:
        rest = f", {levels.count('warn')} to look at, {levels.count('note')} to know ({safe(looked)})"
        out.point(Painted("ill: ", "bold red"), f"{levels.count('ill')} to fix{rest}")
    else:
        extra = f", {levels.count('warn')} to look at" if "warn" in levels else ""
        out.point(Painted("well", "bold green"), f"{extra} ({safe(looked)})")
    if any(one.mend for one in findings):
        out.hint("some of it can be fixed for you: cadence doctor --fix")


def _versions(out: Output, patient: Patient) -> None:
    out.line(f"cadencebus {__version__}, Python {platform.python_version()}, {sys.platform}")
    for path, said in patient.programs.items():
        out.line(f"{safe(path)}: {safe(said)}")
