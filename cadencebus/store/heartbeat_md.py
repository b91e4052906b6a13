"""HEARTBEAT.md in the home: its tasks, read anew whenever the file changed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from cadencebus.model.front_matter import cadence_of
from cadencebus.model.heartbeat_md import Heartbeat, parse_heartbeat
from cadencebus.model.keys import Wrong
from cadencebus.store import files
from cadencebus.store.badfile import BadFile, Problem, problems_of
from cadencebus.store.glance import Glance, glance, unchanged
from cadencebus.store.yamltext import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.heartbeat_md import HeartbeatTask
    from cadencebus.store.paths import Home

FILE = "HEARTBEAT.md"
_LIMIT = 8 << 20


class HeartbeatFile:
    """Reads the file; one that did not change costs one stat."""

    def __init__(self, home: Home) -> None:
        self._path = f"{home.root}/{FILE}"
        self._at: Glance | None = None
        self._said = Heartbeat()
        self._known: dict[str, tuple[HeartbeatTask, Mapping[str, Any], Cadence]] = {}
        # What is wrong with the file as a whole.
        self.fault = ""

    def read(self) -> Heartbeat:
        """What it asks for; where it can't be read, what it asked for last, and `fault` says why."""
        at = glance(self._path)
        if not unchanged(self._at, at):
            self.fault = ""
            try:
                self._said = self._parsed(at)
            except ValueError as error:
                self.fault = str(error)
            self._at = at
        return self._said

    def _parsed(self, at: Glance | None) -> Heartbeat:
        if at is None:
            return Heartbeat()
        # It may be a symbolic link (agents' workspaces are full of them); a FIFO would hang.
        if not at.regular:
            raise ValueError("not a regular file")
        # It is mostly prose, and no prose makes a task unreadable.
        return parse_heartbeat(files.read(os.path.realpath(self._path), _LIMIT).decode(errors="replace"))

    def problems(self) -> list[Problem]:
        """All that is wrong with it, each in its place."""
        said = self.read()
        whole = [Problem(file=FILE, message=self.fault)] if self.fault else []
        return whole + [Problem(file=FILE, line=wrong.line, message=wrong.text) for wrong in said.problems]

    def load(self, name: str, defaults: Mapping[str, Any]) -> Cadence | None:
        """The cadence that a task asks for, None where none has the name; BadFile where it makes no sense."""
        said = self.read()
        task = next((task for task in said.tasks if task.name == name), None)
        if task is None:
            wrong = [Problem(file=FILE, line=p.line, message=p.text) for p in said.problems if p.task == name]
            if wrong:
                raise BadFile(*wrong)
            return None
        known = self._known.get(name)
        if known is None or known[0] != task or known[1] is not defaults:
            known = self._known[name] = (task, defaults, _cadence(task, defaults))
        return known[2]


def _cadence(task: HeartbeatTask, defaults: Mapping[str, Any]) -> Cadence:
    own: dict[str, Any] = {"every": task.interval}
    digest = hashlib.sha256(f"{task.interval}\0{task.prompt}".encode()).hexdigest()[:16]
    try:
        return cadence_of(task.name, own, defaults, prompt=task.prompt, digest=digest)
    except Wrong as wrong:
        document = Document(value=own, lines={(): task.line})
        found = problems_of(wrong, file=FILE, document=document, inherited=dict(defaults))
        raise BadFile(*found) from None
