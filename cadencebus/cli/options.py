"""Option parsers of the verbs: argparse, with our one-line errors."""

from __future__ import annotations

import argparse
from typing import NoReturn

from cadencebus.errors import Usage


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit 64."""

    def __init__(self, verb: str, what: str, examples: str = "") -> None:
        super().__init__(
            prog=f"cadence {verb}",
            description=what,
            epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        raise Usage(message, next_step=f"{self.prog} --help")
