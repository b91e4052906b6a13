"""Whom the doctor looks at: a home, or only a machine; what several families ask is found out once."""

from __future__ import annotations

import functools
import os
from collections import Counter
from typing import TYPE_CHECKING

from cadencebus.daemon import consumer_note
from cadencebus.errors import CadenceError
from cadencebus.model.naming import name_in
from cadencebus.session import identity
from cadencebus.store import lock
from cadencebus.store.config import settings_or_default
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.daemon.consumer_note import Consumer
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.naming import Name
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home


class Patient:
    """What is looked at, and when."""

    def __init__(self, home: Home, now: float, *, online: bool = False, debug: bool = False) -> None:
        self.home = home
        self.now = now
        self.online = online
        # With --debug a check that fails is to be seen.
        self.debug = debug
        # What the agents' programs say of themselves.
        self.programs: dict[str, str] = {}

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings in force; the defaults where the file is broken."""
        return settings_or_default(self.home)[0]

    @functools.cached_property
    def prompts(self) -> Prompts:
        """The folder of cadences."""
        return Prompts(self.home, lambda: self.settings.defaults)

    @functools.cached_property
    def cadences(self) -> dict[str, Cadence]:
        """Every cadence that can be read."""
        found = {}
        for name in self.prompts.names():
            try:
                found[name] = self.prompts.load(name)
            except (CadenceError, OSError):
                continue
        return found

    @functools.cached_property
    def consumed(self) -> bool:
        """Whether somebody holds the consumer's lock."""
        return os.path.isdir(self.home.state) and lock.is_held(self.home)

    @functools.cached_property
    def consumer(self) -> Consumer:
        """What the consumer says of itself, alive or not."""
        return consumer_note.look(self.home, self.now, alive=self.consumed)

    @functools.cached_property
    def environ(self) -> dict[str, str]:
        """The environment that runs are given: the consumer's own where it can be read, else ours."""
        pid = self.consumer.pid
        own = identity.environment(pid) if self.consumed and pid is not None else {}
        return own or dict(os.environ)

    @functools.cached_property
    def waiting(self) -> Counter[str]:
        """How many ticks of each cadence wait."""
        return Counter(name.cadence for folder in ("inbox", "deferred") for name in self.named(folder))

    def named(self, folder: str) -> Iterator[Name]:
        """The ticks that lie in a folder of state/, by their names."""
        for file in self.files(folder):
            if (name := name_in(file)) is not None:
                yield name

    def files(self, folder: str) -> Iterator[str]:
        """The names in a folder of state/; none where it is missing."""
        try:
            with os.scandir(f"{self.home.state}/{folder}") as entries:
                for entry in entries:
                    yield entry.name
        except (FileNotFoundError, NotADirectoryError):
            return
