"""Options of the verbs: argparse, with one-line errors and worked examples."""

from __future__ import annotations

import argparse
from typing import NoReturn

from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit 64."""

    def __init__(self, verb: str, what: str, examples: str = "") -> None:
        super().__init__(
            prog=f"cadence {verb}",
            description=what,
            epilog=(f"examples:\n{examples}\n\n" if examples else "")
            + "Everywhere: --home DIR, --json, --quiet, --debug.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        raise Usage(f"{self.prog.removeprefix('cadence ')}: {message}", next_step=f"{self.prog} --help")


def a_duration(text: str) -> float:
    """A duration on the command line, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def a_count(text: str) -> int:
    """A whole number of things, none included."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)
