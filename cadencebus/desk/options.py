"""Options of the verbs: argparse, with one-line errors and worked examples."""

from __future__ import annotations

import argparse
import os
import re
import textwrap
from typing import Any, NoReturn

from cadencebus.desk.nearest import meant
from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration
from cadencebus.model.wording import listed

# What every terminal has.
_WIDTH = 79
# More of anything is a slip of the hand, and no size that the interpreter knows.
_MOST_DIGITS = 9
_MISSING = "the following arguments are required: "
# argparse's phrases, and plainer ones.
_PLAINER = (
    (re.compile(r"^argument (\S+): not allowed with argument (\S+)$"), r"\1 and \2: only one of them"),
    (re.compile(r"^argument "), ""),
    (re.compile(r"ignored explicit argument "), "takes no value, and was given "),
    (re.compile(r"expected one argument$"), "wants a value"),
    (re.compile(r"^unrecognized arguments: (\S+)$"), r"one word too many: '\1'"),
    (re.compile(r"^unrecognized arguments: "), "words too many: "),
)


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
        """Raise instead of printing the whole usage, in words that a person would use."""
        for theirs, ours in _PLAINER:
            message = theirs.sub(ours, message)
        if message.startswith(_MISSING):
            message = f"wants {self._missing(message.removeprefix(_MISSING).split(', '))}"
        raise Usage(f"{self.prog.removeprefix('cadence ')}: {message}", next_step=f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - as argparse says
        """Name the words that are known, and the one that was meant."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            where = f"{action.option_strings[0]}: " if action.option_strings else ""
            near = meant(value, known) if isinstance(value, str) else ""
            self.error(f"{where}{value!r} is none of {', '.join(known)}{near}")

    def _missing(self, names: list[str]) -> str:
        """What was left out: its name, or the words that it may be."""
        wanted = {action.metavar or action.dest: action for action in self._actions}
        return ", ".join(
            listed([str(choice) for choice in action.choices], "or")
            if action and action.choices
            else name.upper()
            for name in names
            for action in [wanted.get(name)]
        )


def _is_option(word: str) -> bool:
    """As argparse sees it: what has a space in it, or is a number, is a value."""
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".") and " " not in word


def a_duration(text: str) -> float:
    """A duration on the command line, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None


def a_word(text: str) -> str:
    """What something is called; an empty word is mostly a variable that was never set."""
    if not text:
        raise argparse.ArgumentTypeError("an empty word names nothing")
    return text


def a_text(text: str) -> str:
    """A text that is written down, whatever the locale took its bytes for."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not UTF-8") from None


def a_count(text: str) -> int:
    """A whole number of things, none included."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    if len(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than there can be")
    return int(text)
