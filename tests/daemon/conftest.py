"""What the tests of the loops share: a consumer's gear, and a witness of what becomes durable when."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cadencebus.daemon.gear import Gear

# The calls that change a name, and which of their words is the name that appears.
NAMING = {"rename": 1, "link": 1, "symlink": 1}


@pytest.fixture
def gear(home: Path) -> Iterator[Gear]:
    """A consumer's gear on a home with one cadence."""
    (home / "prompts" / "x.md").write_text('---\nrunner: command\ncommand: ["true"]\n---\nDo it.\n')
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    yield gear
    gear.journal.close()
    gear.launcher.close()


class Witness:
    """Writes down each name that is given and each sync, in order, as `rename inbox/…` or `sync inbox`."""

    def __init__(self, state: Path, patch: pytest.MonkeyPatch) -> None:
        self._state = f"{state}/"
        self.seen: list[str] = []
        for call, word in NAMING.items():
            patch.setattr(os, call, self._watched(call, getattr(os, call), word))
        patch.setattr(os, "fsync", self._watched("sync", os.fsync, 0))

    def _watched(self, call: str, whole: Callable[..., Any], word: int) -> Callable[..., Any]:
        def watched(*words: Any, **more: Any) -> Any:
            what = words[word]
            path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
            done = whole(*words, **more)
            self.seen.append(f"{call} {path.removeprefix(self._state)}")
            return done

        return watched

    def at(self, what: str) -> int:
        """When it first happened; a word that ends with `…` is the beginning of it."""
        begins = what.endswith("…")
        found = [
            n for n, one in enumerate(self.seen) if (one.startswith(what[:-1]) if begins else one == what)
        ]
        assert found, f"never: {what}, in {self.seen}"
        return found[0]

    def in_order(self, *steps: str) -> bool:
        """Whether they first happened one after the other."""
        times = [self.at(step) for step in steps]
        return times == sorted(times)


@pytest.fixture
def witness(home: Path, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """See what becomes durable, and in which order; the calls themselves are the real ones."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("asks the kernel what a descriptor is of")
    return Witness(home / "state", monkeypatch)
