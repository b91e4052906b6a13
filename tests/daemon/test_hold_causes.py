"""Holds that end when what was wrong has changed."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.hold_causes import LOOK_EVERY, HoldCauses, fingerprints
from cadencebus.model.hold import OPERATOR, Hold
from cadencebus.store import journal
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import FakeClock

NEVER_RAN = """---
command: [sh, -c, "true"]
guard: [checkit]
cwd: work
---
"""
REAL = "sk-ant-a-very-real-key"


def test_a_key_that_was_demanded_and_is_set_now_releases_its_cadence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auth: api-key` without one is a fault of the configuration: the next consumer has the key."""
    (home / "prompts" / "work.md").write_text("---\nauth: api-key\n---\nWork.\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "your-key")
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    made = fingerprints(gear, gear.prompts.load("work"), "never_ran")
    assert "your-key" not in str(made)
    assert fingerprints(gear, gear.prompts.load("work"), "crash") == {}, "nothing to wait for"
    extra = {"cadence": "work", "fingerprints": made}
    gear.holds.set(Hold(scope="cadence-work", reason="config", since=gear.clock.wall(), extra=extra))
    for key, held in (("your-key", True), (REAL, False)):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        gear.holds.all(gear.clock.wall())
        asyncio.run(HoldCauses(gear).do())
        assert bool(gear.holds.all(gear.clock.wall())) is held, key
    gear.journal.close()


def test_a_refused_login_is_tried_again_with_another_one_and_with_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cadence's file says nothing of it; and what could not start is no matter of keys."""
    prompt = home / "prompts" / "work.md"
    prompt.write_text("---\nguard: [checkit]\n---\nWork.\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{REAL}-of-old")
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    made = fingerprints(gear, gear.prompts.load("work"), "auth")
    assert (
        "ANTHROPIC_API_KEY" in made.keys() - fingerprints(gear, gear.prompts.load("work"), "never_ran").keys()
    )
    extra = {"cadence": "work", "fingerprints": made}
    gear.holds.set(Hold(scope="credentials-anthropic", reason="auth", since=gear.clock.wall(), extra=extra))
    prompt.write_text(prompt.read_text() + "More.\n")
    (home / "cadence.yaml").write_text("max_sessions: 3\n")
    installed(home, "checkit")
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    for key, held in ((f"{REAL}-of-old", True), (REAL, False)):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        asyncio.run(HoldCauses(gear).do())
        assert bool(gear.holds.all(gear.clock.wall())) is held, key
    gear.journal.close()


def test_a_home_that_is_moved_is_held_by_the_same_causes(home: Path, tmp_path: Path) -> None:
    """A program of its own was known by the home's path, which nothing in state/ is to hold."""
    (home / "tool").write_text("#!/nowhere\n")
    (home / "tool").chmod(0o755)
    prompt = home / "prompts" / "work.md"
    prompt.write_text(f"---\ncommand: [./tool]\nguard: ['{home}/away']\ncwd: work\n---\n")
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    made = fingerprints(gear, gear.prompts.load("work"), "never_ran", "salt")
    gear.journal.close()
    assert str(home) not in str(made)
    prompt.write_text(prompt.read_text().replace(str(home), str(tmp_path / "moved")))
    moved = home.rename(tmp_path / "moved")
    gear = assemble(Home(str(moved)), flags={}, say=lambda _: None)
    now = fingerprints(gear, gear.prompts.load("work"), "never_ran", "salt")
    gear.journal.close()
    assert {name for name in made if made[name] != now.get(name)} <= {"prompts/work.md"}


def installed(home: Path, program: str) -> None:
    """Put a program where the consumer looks for one."""
    path = home / "bin" / program
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


MENDED: dict[str, Callable[[Path], object]] = {
    "the program it runs": lambda home: installed(home, "sh"),
    "its guard": lambda home: installed(home, "checkit"),
    "its folder": lambda home: (home / "work").mkdir(),
    "its file": lambda home: (home / "prompts" / "work.md").write_text(NEVER_RAN + "More.\n"),
    "the settings": lambda home: (home / "cadence.yaml").write_text("max_sessions: 3\n"),
}


@pytest.mark.parametrize("what", MENDED)
def test_what_could_not_start_is_tried_again_when_what_it_needs_is_another(
    home: Path, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Told once; a hold that a person wrote stands, and so does one whose cadence can't be read."""
    (home / "prompts" / "work.md").write_text(NEVER_RAN)
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    said: list[str] = []
    gear = assemble(Home(str(home)), flags={}, say=said.append)
    gear.clock = fake_clock
    now, causes = fake_clock.wall(), HoldCauses(gear)
    extra = {"cadence": "work", "fingerprints": fingerprints(gear, gear.prompts.load("work"), "never_ran")}
    held = Hold(scope="cadence-work", reason="config", since=now, extra=extra)
    stands = replace(held, scope="bus", by=OPERATOR)
    (home / "prompts" / "broken.md").write_text("---\ntimeout: soon\n---\n")
    broken = replace(held, scope="cadence-broken", extra=extra | {"cadence": "broken"})
    assert causes.due_in() == math.inf
    for hold in (held, stands, broken):
        gear.holds.set(hold)
    asyncio.run(causes.catch_up())
    assert len(gear.holds.all(now)) == 3, "nothing has changed"
    assert causes.due_in() == LOOK_EVERY
    MENDED[what](home)
    asyncio.run(causes.catch_up())
    assert len(gear.holds.all(now)) == 3, "it is not yet looked at again"
    fake_clock.advance(LOOK_EVERY)
    assert causes.due_in() == 0
    # Another consumer comes up, which has not looked into holds/ so far.
    gear.journal.close()
    gear = assemble(Home(str(home)), flags={}, say=said.append)
    gear.clock = fake_clock
    asyncio.run(HoldCauses(gear).catch_up())
    assert {hold.scope for hold in gear.holds.all(now)} == {"bus", "cadence-broken"}
    assert len(said) == 1
    (told,) = journal.read(gear.home)
    assert (told["event"], told["hold"], told["by"]) == ("hold.released", held.file, "consumer")
    gear.journal.close()


def test_a_cadence_that_was_removed_leaves_nothing_held(home: Path) -> None:
    """Its own hold would be shown for ever; of its login, nobody could say any more when it is another."""
    said: list[str] = []
    gear = assemble(Home(str(home)), flags={}, say=said.append)
    extra = {"cadence": "gone", "fingerprints": {"salt": "s", "claude": "missing"}}
    for scope, reason in (("cadence-gone", "config"), ("credentials-anthropic", "auth")):
        gear.holds.set(Hold(scope=scope, reason=reason, since=gear.clock.wall(), extra=extra))
    asyncio.run(HoldCauses(gear).catch_up())
    assert gear.holds.all(gear.clock.wall()) == []
    assert "cadence-gone.config.json is released: prompts/gone.md is gone" in said
    gear.journal.close()
