"""What people are told: each incident once, its end once, and nothing that is everyday."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.notice_presets import PRESETS
from cadencebus.model.settings import Notice
from cadencebus.policy import notices
from cadencebus.policy.notices import News


def hold(event: str, file: str) -> dict[str, Any]:
    """A line about a hold."""
    scope, _, reason = file.removesuffix(".json").rpartition(".")
    return {"event": event, "hold": file, "scope": scope, "reason": reason}


OK = {"event": "run.ended", "class": "ok", "cadence": "x", "credentials": "anthropic"}
AUTH = hold("hold.set", "credentials-anthropic.auth.json")
DEAD = {"event": "tick.dead", "cadence": "x", "class": "crash", "reason": "no"}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (AUTH, "hold"),
        (hold("hold.set", "cadence-x.config.json"), "hold"),
        (hold("hold.set", "bus.network.json"), "hold"),
        (hold("hold.set", "cadence-x.daily_budget.json"), "hold"),
        (hold("hold.set", "cadence-x.backoff.json"), None),
        (hold("hold.set", "cadence-x.circuit_open.json"), None),
        (hold("hold.set", "bus.paused.json"), None),
        (hold("hold.set", "bus.pressure.json"), None),
        (DEAD, "dead"),
        ({"event": "circuit.opened", "cadence": "x"}, "circuit"),
        ({**OK, "class": "crash"}, "failed"),
        ({**OK, "class": "interrupted"}, None),
        (OK, None),
        ({"event": "budget.warned", "account": "bus", "at": "2026-11-21T"}, "budget"),
        ({"event": "cadence.starving", "cadence": "x"}, "starving"),
        ({"event": "gate.failing", "gate": "usage"}, "gate"),
        ({"event": "consumer.fault", "reason": "oh"}, "fault"),
        ({"event": "tick.done", "cadence": "x"}, None),
        ({}, None),
    ],
)
def test_what_is_worth_a_notice(event: dict[str, Any], kind: str | None) -> None:
    """Everyday holds are not, and each event belongs to one kind."""
    began = notices.begins(event)
    assert (began[0] if began else None) == kind
    if began:
        assert notices.announced(*began, event).title.startswith("cadence: ")


@pytest.mark.parametrize(
    ("incident", "not_yet", "over"),
    [
        # That somebody released it proves nothing; a good run does.
        (
            "hold:credentials-anthropic.auth.json",
            {**AUTH, "event": "hold.released"},
            OK,
        ),
        ("hold:credentials-anthropic.auth.json", {**OK, "credentials": "openai"}, OK),
        ("hold:cadence-x.config.json", {**OK, "cadence": "y"}, OK),
        ("hold:bus.network.json", OK, hold("hold.released", "bus.network.json")),
        ("dead:x:crash", {**OK, "class": "crash"}, OK),
        ("dead:x:crash", {**OK, "cadence": "y"}, OK),
        ("failed:x", {**OK, "class": "timeout"}, OK),
        (
            "circuit:x",
            {"event": "circuit.half_open", "cadence": "x"},
            {"event": "circuit.closed", "cadence": "x"},
        ),
        ("starving:x", {"event": "run.started", "cadence": "y"}, {"event": "run.started", "cadence": "x"}),
        ("gate:usage", {"event": "gate.well", "gate": "load"}, {"event": "gate.well", "gate": "usage"}),
    ],
)
def test_when_an_incident_is_over(incident: str, not_yet: dict[str, Any], over: dict[str, Any]) -> None:
    """And when it only looks so."""
    assert list(notices.ends(not_yet, [incident])) == []
    assert list(notices.ends(over, [incident])) == [incident]


def test_a_flood_is_told_as_its_number() -> None:
    """Four hundred dead letters are no four hundred notices."""
    news = [notices.announced("dead", f"dead:c{n}:crash", {**DEAD, "cadence": f"c{n}"}) for n in range(400)]
    told = notices.bounded(news)
    assert len(told) == 12
    assert told[-1].title == "cadence: and 389 more"
    assert notices.bounded(news[:13])[-1].title == "cadence: and 2 more"
    assert notices.bounded(news[:12]) == news[:12]


def test_a_cadence_has_the_last_word_on_its_own_events() -> None:
    """An empty list silences it."""
    news = notices.announced("dead", "dead:x:crash", DEAD)
    bus = Notice(command=("n",), events=("dead",))
    assert notices.wanted(bus, news, None)
    assert not notices.wanted(bus, news, ())
    assert notices.wanted(Notice(command=("n",), events=()), news, ("dead",))


def test_of_an_end_hears_who_heard_of_the_beginning() -> None:
    """And who wants to hear of ends at all."""
    end = notices.recovered("dead:x:crash", "cadence: x: a dead letter (crash)", OK)
    assert end.title == "cadence: recovered: x: a dead letter (crash)"
    heard = {
        events: notices.wanted(Notice(command=("n",), events=events), end, None)
        for events in (("dead", "recovered"), ("hold", "recovered"), ("dead",), ("crash", "recovered"))
    }
    assert list(heard.values()) == [True, False, False, False]


def test_a_command_reads_the_event_and_a_preset_what_it_understands() -> None:
    """One's own command line stands as it is written; an address never shows among the processes."""
    news = notices.announced("dead", "dead:x:crash", {**DEAD, "reason": 'a "quote" and \\'})
    argv, stdin = notices.message(Notice(command=("n", "{title}"), events=()), news, "/home")
    assert argv == ("n", "{title}")
    told = json.loads(stdin)
    assert (told["notice"], told["incident"], told["cadence"]) == ("dead", "dead:x:crash", "x")
    argv, stdin = notices.message(Notice(preset="webhook", url="https://x/?t=secret", events=()), news, "/h")
    assert "secret" not in " ".join(argv)
    assert b'url = "https://x/?t=secret"' in stdin
    body = next(line for line in stdin.decode().splitlines() if line.startswith("data-raw"))
    unquoted = body.removeprefix('data-raw = "').removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")
    assert json.loads(unquoted)["text"] == 'a "quote" and \\'
    argv, stdin = notices.message(Notice(preset="mail", to="ops", events=()), news, "/h")
    assert argv == ("mail", "-s", "cadence: x: a dead letter (crash)", "ops")
    assert stdin.startswith(b'a "quote"')


def test_a_notice_is_urgent_and_its_end_is_not() -> None:
    """Only whole words are filled in, and what is filled in is never looked through again."""
    news = News(kind="dead", incident="i", title="{text}", text="caf\u00e9 {urgency}")
    desktop = Notice(preset="notify-send", events=())
    argv, stdin = notices.message(desktop, news, "/h")
    assert argv == (
        *("notify-send", "--app-name=cadence", "--urgency=critical", "--"),
        *("{text}", "caf\u00e9 {urgency}"),
    )
    assert "caf\u00e9" in stdin.decode()
    assert "--urgency=low" in notices.message(desktop, replace(news, kind="recovered"), "/h")[0]


@given(st.sampled_from(sorted(PRESETS)), st.text(max_size=40), st.text(max_size=40))
def test_no_text_becomes_another_word_of_a_command(preset: str, title: str, text: str) -> None:
    """Whatever a run said in its last line."""
    news = News(kind="dead", incident="i", title=title, text=text)
    notice = Notice(preset=preset, url="u", to="t", events=())
    assert len(notices.message(notice, news, "/h")[0]) == len(PRESETS[preset].argv)


@pytest.mark.parametrize(
    ("file", "event", "over"),
    [
        # The network is well again when its hold goes: a run that went well may have needed none.
        ("bus.network.json", hold("hold.released", "bus.network.json"), True),
        ("bus.network.json", hold("hold.released", "bus.disk_full.json"), False),
        ("bus.network.json", hold("hold.set", "bus.network.json"), False),
        ("bus.network.json", OK, False),
        # A login is well again when a run of its own proves it, not when somebody takes the hold away.
        ("credentials-anthropic.auth.json", OK, True),
        ("credentials-openai.auth.json", OK, False),
        ("cadence-x.config.json", OK, True),
        ("credentials-anthropic.auth.json", {**OK, "class": "crash"}, False),
        ("credentials-anthropic.auth.json", {**OK, "event": "run.started"}, False),
        ("credentials-anthropic.auth.json", hold("hold.released", "credentials-anthropic.auth.json"), False),
    ],
)
def test_a_hold_is_over_when_it_goes_or_when_a_run_proves_it(
    file: str, event: dict[str, Any], *, over: bool
) -> None:
    """By its reason: what a run has to prove is not believed to whoever releases it."""
    assert list(notices.ends(event, [f"hold:{file}"])) == [f"hold:{file}"] * over


def test_an_incident_lasts_as_long_as_its_file_unless_a_run_must_prove_its_end() -> None:
    """Only of the former can a look at the folder tell that they are over."""
    assert notices.lasts_by_file("hold:bus.network.json") == "bus.network.json"
    assert notices.lasts_by_file("hold:credentials-anthropic.auth.json") is None
    assert notices.lasts_by_file("circuit:bus.network.json") is None


EVENTS = st.sampled_from(
    [AUTH, OK, DEAD, {**AUTH, "event": "hold.released"}, {**OK, "class": "crash"}, {**DEAD, "cadence": "y"}]
)


@given(st.lists(EVENTS, max_size=40))
def test_notice_and_end_take_turns(history: list[dict[str, Any]]) -> None:
    """Per incident: begun, over, begun, over; never twice the same."""
    open_now: set[str] = set()
    told: dict[str, list[str]] = {}
    for event in history:
        for name in list(notices.ends(event, open_now)):
            open_now.discard(name)
            told.setdefault(name, []).append("over")
        began = notices.begins(event)
        if began and began[1] not in open_now:
            open_now.add(began[1])
            told.setdefault(began[1], []).append("begun")
    for words in told.values():
        assert words == ["begun", "over"] * (len(words) // 2) + ["begun"] * (len(words) % 2)
