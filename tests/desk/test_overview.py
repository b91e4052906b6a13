"""Whoever looks again and again is told what a first look would tell, though little of it is read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.desk.overview import Onlooker, overview
from cadencebus.store import glance
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = parse_rfc3339("2026-11-21T12:00:00Z")
TICK = "5-20261121T023000.123456Z-work-7f3k9q2m.json"
HOLD = {"scope": "bus", "reason": "paused", "since": rfc3339(NOW), "until": rfc3339(NOW + 60), "detail": "x"}
ENDED = {"event": "run.ended", "cadence": "work", "class": "crash", "run": "r.1", "seconds": 1}


def write(path: Path, said: object) -> None:
    """Write a file as the bus does: whole, under its name at once."""
    text = said if isinstance(said, str) else json.dumps(said) + "\n"
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


def work(keys: str = "") -> str:
    """A cadence's file."""
    return f"---\nrunner: command\ncommand: ['true']\n{keys}---\n"


@pytest.fixture
def look(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], dict[str, Any]]:
    """Look once more, as another would for the first time."""
    onlooker, clock = Onlooker(Home(str(home))), tmp_path / "clock"
    # What was only just changed is read again in any case: here everything is as good as old.
    for grain in ("_FINE", "_COARSE"):
        monkeypatch.setattr(glance, grain, 0)

    def once_more(now: float) -> dict[str, Any]:
        clock.touch()
        began = clock.stat().st_mtime_ns
        while clock.stat().st_mtime_ns == began:
            clock.touch()
        seen = onlooker.look(now).dump()
        assert seen == overview(Home(str(home)), now).dump()
        return seen

    return once_more


def test_whatever_changes_is_seen(home: Path, look: Callable[[float], dict[str, Any]]) -> None:
    """Files that come, go, or say something else; one after the other, each makes a difference."""
    state, prompt = home / "state", home / "prompts" / "work.md"
    changes: list[tuple[Path, object]] = [
        (state / "inbox" / TICK, {"cadence": "work"}),
        (prompt, work("every: 5m\n")),
        (prompt, work("enabled: false\n")),
        (prompt, "---\nbad: [\n---\n"),
        (prompt, work("every: 5m\n")),
        (state / "producers.json", {"cadences": ["work"]}),
        (state / "deferred" / f"20261121T130000.000000Z~{TICK.replace('2m', '2n')}", {"cadence": "work"}),
        (state / "inbox" / "mine.json", {"cadence": "work"}),
        (state / "holds" / "bus.paused.json", HOLD),
        (state / "cadences" / "work.json", "{torn"),
        (state / "cadences" / "work.json", {"failures": 2}),
        (state / "dead" / TICK.replace("2m", "2p"), {"cadence": "work"}),
        (state / "claimed" / TICK.replace("2m", "2q"), {"cadence": "work"}),
        (state / "events" / "2026-11-21.jsonl", ENDED | {"at": rfc3339(NOW - 60)}),
        (home / "cadence.yaml", "max_sessions: 9\n"),
        (home / "cadence.yaml", "max_sesions: 9\n"),
        (home / "HEARTBEAT.md", "tasks:\n- name: beat\n  interval: 5m\n  prompt: Look.\n"),
        (state / "STOP", ""),
    ]
    before = look(NOW)
    for path, said in changes:
        write(path, said)
        after = look(NOW)
        assert after != before, path
        before = after
    for path in reversed({path: None for path, _ in changes}):
        path.unlink()
        after = look(NOW)
        assert after != before or path.parent.name == "cadences", path
        before = after


def test_what_is_over_is_not_told_because_nothing_changed(
    home: Path, look: Callable[[float], dict[str, Any]]
) -> None:
    """A hold that has an end, and a failure of more than a day ago."""
    write(home / "state" / "holds" / "bus.paused.json", HOLD)
    assert [hold["reason"] for hold in look(NOW)["holds"]] == ["paused"]
    assert look(NOW + 60)["holds"] == []
    write(home / "state" / "events" / "2026-11-20.jsonl", ENDED | {"at": rfc3339(NOW - 86000)})
    assert len(look(NOW)["failures"]) == 1
    assert look(NOW + 401)["failures"] == []
