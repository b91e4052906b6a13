"""What every verb is given: the global options, and the home when it is asked for."""

from __future__ import annotations

import os

from cadencebus.errors import CadenceError, Usage
from cadencebus.store.paths import Home, find_home

# They stand before or after the verb.
GLOBALS = ("--home", "--json", "--debug", "--quiet")


class Context:
    """The global options of one command line; they stand before or after the verb."""

    def __init__(self) -> None:
        self.home_flag: str | None = None
        self.json = False
        self.debug = False
        self.quiet = False
        self._home: Home | None = None

    @property
    def home(self) -> Home:
        """The bus home that is meant."""
        if self._home is None:
            self._home = find_home(self.home_flag, os.environ)
        return self._home

    def to_export(self) -> str | None:
        """What to type first, where a command without `--home` would mean another home than this one."""
        from shlex import quote  # noqa: PLC0415 - few ask

        if not self.home_flag:
            return None
        root = os.path.abspath(os.path.expanduser(self.home_flag))
        try:
            if os.path.samefile(find_home(None, os.environ).root, root):
                return None
        except (CadenceError, OSError):
            # Without --home no home would be found: to name this one helps all the more.
            pass
        return f"export CADENCE_HOME={quote(root)}"

    def take_globals(self, words: list[str]) -> list[str]:
        """Note the global options and give back the other words."""
        rest: list[str] = []
        flags = {"--json": "json", "--debug": "debug", "--quiet": "quiet", "-q": "quiet"}
        it = iter(words)
        for word in it:
            if word == "--":
                rest += ["--", *it]
            elif word in flags:
                setattr(self, flags[word], True)
            elif word == "--home":
                self.home_flag = next(it, "")
            elif word.startswith("--home="):
                self.home_flag = word[len("--home=") :]
            else:
                rest.append(word)
        # `--home "$NOWHERE"` must not fall back to another home.
        if self.home_flag == "":
            raise Usage("--home wants a folder")
        return rest
