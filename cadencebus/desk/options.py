"""Options of the verbs: argparse, with one-line errors and worked examples."""

from __future__ import annotations

import argparse
import os
import textwrap
from typing import Any, NoReturn

from cadencebus.desk.nearest import meant
from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration

# What every terminal has.
_WIDTH = 79


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit 64."""

    def __init__(self, verb: str, what: str, examples: str = "") -> None:
        super().__init__(
            prog=f"cadence {verb}",
            description="\n\n".join(textwrap.fill(part, _WIDTH) for part in what.split("\n\n")),
            epilog=(f"examples:\n{examples}\n\n" if examples else "")
            + "Everywhere: --home DIR, --json, --quiet, --debug.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as argparse says
        """Look for unknown options first: argparse would complain of the words behind them."""
        for word in args or ():
            if word == "--":
                break
            flag = word.partition("=")[0]
            if _is_option(flag) and not {flag, flag[:2]} & set(self._option_string_actions):
                self.error(f"no option {flag}{meant(flag, self._option_string_actions)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        raise Usage(f"{self.prog.removeprefix('cadence ')}: {message}", next_step=f"{self.prog} --help")


def _is_option(word: str) -> bool:
    """As argparse sees it: what has a space in it, or is a number, is a value."""
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".") and " " not in word


def a_duration(text: str) -> float:
    """A duration on the command line, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def a_text(text: str) -> str:
    """A text that is written down, whatever the locale took its bytes for."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not UTF-8") from None


def a_count(text: str) -> int:
    """A whole number of things, none included."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)
