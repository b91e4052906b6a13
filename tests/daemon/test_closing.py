"""A run's end is one commit; all that follows is read from it, and done once however often it is tried."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import day, rfc3339
from cadencebus.model.hold import Hold
from cadencebus.model.settlement import FollowUp, Settlement
from cadencebus.model.tick import MAX_HOPS, BadTick, Tick
from cadencebus.store import journal
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from tests.conftest import Witness

NOW = 1_800_000_000.0
DAY = day(NOW)
OK = {"status": "ok", "class": "ok", "reason": "done", "finished_at": rfc3339(NOW)}
DEAD = {"status": "dead", "class": "crash", "reason": "exit 1", "finished_at": rfc3339(NOW)}
CIRCUIT = Hold(scope="cadence-x", reason="circuit_open", since=NOW, until=NOW + 60, detail="3 in a row")


def claimed(gear: Gear, **changes: Any) -> Tick:
    """Let a tick be claimed."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW, **changes)
    with open(f"{gear.home.claimed}/{tick.name.file}", "wb") as file:
        file.write(tick.bytes())
    return tick


def plan(tick: Tick, **changes: Any) -> Settlement:
    """Decide that its first run ended well, or otherwise."""
    run = f"{tick.id}.1"
    at_first = Settlement(
        target="done",
        run=run,
        at=NOW,
        klass="ok",
        attempt={"n": 1, "run": run, "class": "ok", "started_at": rfc3339(NOW - 1)},
        outcome=OK,
        memory={"x": {"failures": 0}},
        events=({"event": "run.ended"}, {"event": "tick.done"}),
    )
    return replace(at_first, **changes)


def lies_in(gear: Gear, tick: Tick) -> list[str]:
    """Find the folders in which it lies."""
    found = (folder for folder, _, names in os.walk(gear.home.state) if tick.name.file in names)
    return [os.path.relpath(folder, gear.home.state) for folder in found]


def told(gear: Gear) -> list[dict[str, Any]]:
    """Read the journal."""
    return list(journal.read(gear.home))


def events(gear: Gear) -> list[str]:
    """Read the journal's events."""
    return [fact["event"] for fact in told(gear)]


def children(gear: Gear) -> list[Tick]:
    """Read what waits."""
    return [gear.spool.read("inbox", file) for file in gear.spool.names("inbox")]


THEN = FollowUp(cadence="y", why="then", payload={"of": 1})


def test_the_commit_is_safe_before_anything_follows_from_it(gear: Gear, witness: Witness) -> None:
    """Content, then name, then folder; only then holds, memory, follow-ups and the last move."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick, holds=(CIRCUIT,), follow_ups=(THEN,))))
    file = tick.name.file
    assert witness.in_order(f"sync tmp/{file}", f"rename claimed/{file}", "sync claimed")
    for later in ("rename holds/…", "rename cadences/…", "link inbox/…", f"sync events/{DAY}.jsonl"):
        assert witness.in_order("sync claimed", later, f"rename done/{DAY}/{file}"), later
    assert witness.in_order("link inbox/…", "sync inbox", f"rename done/{DAY}/{file}", f"sync done/{DAY}")
    # Where it went is safe before it is gone from where it was.
    assert witness.seen[-2:] == [f"sync done/{DAY}", "sync claimed"]


def test_what_was_settled_lies_in_the_tick(gear: Gear) -> None:
    """Outcome, attempt, plan: a reader of done/ needs nothing else; the caller gets the same."""
    tick = claimed(gear)
    (settled,) = gear.closing.close((tick, plan(tick)))
    assert lies_in(gear, tick) == [f"done/{DAY}"]
    assert gear.spool.read(f"done/{DAY}", tick.name.file) == settled
    assert settled.outcome == OK
    assert [attempt["run"] for attempt in settled.attempts] == [f"{tick.id}.1"]
    assert (settled.settling or {})["run"] == f"{tick.id}.1"


@pytest.mark.parametrize(("target", "outcome"), [("dead", DEAD), ("inbox", None)])
def test_a_tick_goes_where_its_plan_says(gear: Gear, target: str, outcome: dict[str, str] | None) -> None:
    """Dead, or back into the queue without an outcome."""
    tick = claimed(gear)
    (settled,) = gear.closing.close((tick, plan(tick, target=target, outcome=outcome)))
    assert lies_in(gear, tick) == [target]
    assert settled.outcome == outcome


def test_every_line_says_of_which_run_it_is(gear: Gear) -> None:
    """The plan's events bear cadence, tick, attempt and run, and the time of the settlement."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick)))
    facts = {"cadence": "x", "tick": tick.id, "attempt": 1, "run": f"{tick.id}.1", "at": rfc3339(NOW)}
    assert told(gear) == [facts | {"event": event} for event in ("run.ended", "tick.done")]


def test_a_replay_after_every_crash_does_the_rest_and_no_more(gear: Gear) -> None:
    """Done once, brought back to claimed/ as a crash leaves it, done again: nothing is there twice."""
    tick = claimed(gear)
    gear.closing.close(
        (tick, plan(tick, holds=(CIRCUIT,), follow_ups=(THEN,), memory={"x": {"failures": 3}}))
    )
    child = children(gear)
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    # What somebody did since then stands.
    gear.holds.release(CIRCUIT.file)
    gear.memory.change("x", NOW, {"failures": 7})
    settlement = gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert settlement.target == "done"
    assert lies_in(gear, tick) == [f"done/{DAY}"]
    assert children(gear) == child
    assert not os.listdir(gear.home.holds)
    assert gear.memory.load("x", NOW)["failures"] == 7
    assert events(gear).count("tick.accepted") == 1


def test_a_crash_right_after_the_commit_loses_nothing_of_the_plan(gear: Gear) -> None:
    """Holds, memory and follow-ups are all made by the replay, which nobody had done before."""
    tick = claimed(gear)
    settlement = plan(tick, holds=(CIRCUIT,), follow_ups=(THEN,), memory={"x": {"failures": 3}})
    gear.spool.commit([replace(tick.tried(settlement.attempt).ended(OK), settling=settlement.dump())])
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert os.listdir(gear.home.holds) == [CIRCUIT.file]
    assert gear.memory.load("x", NOW)["failures"] == 3
    assert [child.cadence for child in children(gear)] == ["y"]
    assert {"hold.set", "circuit.opened", "tick.accepted", "tick.done"} <= set(events(gear))


@pytest.mark.parametrize("survive", [1, 2])
def test_a_crash_between_two_memories_loses_none_of_the_changes(
    gear: Gear, monkeypatch: pytest.MonkeyPatch, survive: int
) -> None:
    """What a run cost the bus is booked by the replay, once, whichever memories were written before."""
    tick = claimed(gear)
    changes = {
        "x": {"failures": 3},
        "_bus": {"booking": {"day": DAY, "usd": 0.5}},
        "_credentials-anthropic": {"rate_limited": 2},
    }
    write, written = gear.memory.change_by, list[str]()

    def change_by(name: str, *change: Any) -> None:
        if len(written) == survive:
            raise KeyboardInterrupt
        written.append(name)
        write(name, *change)

    monkeypatch.setattr(gear.memory, "change_by", change_by)
    with pytest.raises(KeyboardInterrupt):
        gear.closing.close((tick, plan(tick, memory=changes)))
    monkeypatch.undo()
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert gear.memory.load("x", NOW)["failures"] == 3
    assert gear.memory.load("_bus", NOW)["spent"] == {DAY: 0.5}
    assert gear.memory.load("_credentials-anthropic", NOW)["rate_limited"] == 2


def test_a_follow_up_that_would_be_too_big_leaves_the_payload_to_its_parent(gear: Gear) -> None:
    """As a dead letter of its own it would tell nobody of anything."""
    tick = claimed(gear)
    died = FollowUp(cadence="z", why="on_dead", payload={"tick": tick.id, "payload": {"text": "x" * 2000}})
    gear.spool.max_tick_bytes = 2000
    gear.closing.close((tick, plan(tick, follow_ups=(died,))))
    (child,) = children(gear)
    assert child.payload == {"tick": tick.id, "payload": None}


def test_a_follow_up_says_whose_it_is(gear: Gear) -> None:
    """`parent` or `on_dead_of`, one hop more, the payload as it was told; and the journal tells of it."""
    tick = claimed(gear, hops=3)
    died = FollowUp(cadence="z", why="on_dead")
    gear.closing.close((tick, plan(tick, follow_ups=(THEN, died))))
    then, on_dead = sorted(children(gear), key=lambda child: child.cadence)
    assert (then.cadence, then.hops, then.payload, then.source) == ("y", 4, {"of": 1}, "flow")
    assert dict(then.extra) == {"parent": tick.id}
    assert dict(on_dead.extra) == {"on_dead_of": tick.id}
    assert (then.created_at, on_dead.hops) == (NOW, 4)
    accepted = [fact for fact in told(gear) if fact["event"] == "tick.accepted"]
    assert {(fact["tick"], fact["cadence"], fact["parent"]) for fact in accepted} == {
        (then.id, "y", tick.id),
        (on_dead.id, "z", tick.id),
    }


def test_follow_ups_of_other_runs_names_and_reasons_are_other_ticks(gear: Gear) -> None:
    """Their ids come from tick, run, reason and cadence: only the very same one is made once."""
    tick = claimed(gear)
    others = (THEN, replace(THEN, why="on_dead"), replace(THEN, cadence="z"))
    gear.closing.close((tick, plan(tick, follow_ups=others)))
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    gear.closing.close((tick, plan(tick, run=f"{tick.id}.2", follow_ups=others)))
    assert len({child.id for child in children(gear)}) == 6


def test_a_follow_up_of_one_hop_too_many_is_made_and_no_tick(gear: Gear) -> None:
    """The consumer buries it with the reason: a loop that was cut in silence would be seen by nobody."""
    tick = claimed(gear, hops=MAX_HOPS)
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    assert lies_in(gear, tick) == [f"done/{DAY}"]
    (child,) = os.listdir(gear.home.inbox)
    with pytest.raises(BadTick, match="17 is over 16"):
        gear.spool.read("inbox", child)


@pytest.mark.parametrize("folder", ["claimed", "dead", "done"])
def test_a_follow_up_that_has_gone_on_is_not_made_again(gear: Gear, folder: str) -> None:
    """A crash came after it: by the time of the replay it may be anywhere."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    child = children(gear)[0]
    place = f"{gear.home.state}/{folder}" + (f"/{DAY}" if folder == "done" else "")
    os.rename(f"{gear.home.inbox}/{child.name.file}", f"{place}/{child.name.file}")
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert children(gear) == []


def test_what_a_killed_predecessor_left_half_is_not_taken_for_the_whole(gear: Gear) -> None:
    """Half a follow-up in tmp/: the replay writes it anew, whole."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    child = children(gear)[0]
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    os.rename(f"{gear.home.inbox}/{child.name.file}", f"{gear.home.tmp}/{child.name.file}")
    os.truncate(f"{gear.home.tmp}/{child.name.file}", 10)
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert children(gear) == [child]
    assert not os.listdir(gear.home.tmp)


def test_a_follow_up_seen_by_the_replay_is_safe_before_its_parent_goes(gear: Gear, witness: Witness) -> None:
    """Its name may never have been synced: who finds it there syncs it."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    witness.seen.clear()
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert witness.in_order("sync inbox", f"rename done/{DAY}/{tick.name.file}")


def test_holds_are_set_and_released_and_told_of(gear: Gear) -> None:
    """A closed circuit and an opened one, each with its own word beside that of the hold."""
    tick = claimed(gear)
    gear.holds.set(replace(CIRCUIT, scope="cadence-y"))
    gear.holds.set(Hold(scope="bus", reason="network", since=NOW))
    auth = Hold(scope="credentials-claude", reason="auth", since=NOW, detail="log in")
    # The last one's went when its time came, to let the run through that has now proved it well.
    releases = (
        "cadence-y.circuit_open.json",
        "bus.network.json",
        "bus.gone.json",
        "cadence-z.circuit_open.json",
    )
    gear.closing.close((tick, plan(tick, holds=(CIRCUIT, auth), releases=releases)))
    assert sorted(os.listdir(gear.home.holds)) == [
        "cadence-x.circuit_open.json",
        "credentials-claude.auth.json",
    ]
    lines = {(fact["event"], fact.get("hold"), fact.get("cadence")): fact for fact in told(gear)}
    until = rfc3339(NOW + 60)
    assert lines["hold.set", CIRCUIT.file, "x"]["until"] == until
    assert lines["hold.set", CIRCUIT.file, "x"]["detail"] == "3 in a row"
    assert lines["circuit.opened", None, "x"]["until"] == until
    assert lines["circuit.opened", None, "x"]["detail"] == CIRCUIT.detail
    assert lines["hold.set", auth.file, None]["scope"] == "credentials-claude"
    assert lines["hold.set", auth.file, None]["reason"] == "auth"
    assert lines["hold.released", "cadence-y.circuit_open.json", "y"]
    assert lines["circuit.closed", None, "y"]
    assert lines["circuit.closed", None, "z"]
    assert ("hold.released", "cadence-z.circuit_open.json", "z") not in lines
    assert lines["hold.released", "bus.network.json", None]
    assert not [key for key in lines if key[1] == "bus.gone.json"]


def test_what_a_person_released_meanwhile_is_not_set_again(gear: Gear) -> None:
    """By a run that began before: what it met is what he has just seen to."""
    gear.holds.set(CIRCUIT)
    gear.holds.all(NOW)
    os.unlink(f"{gear.home.holds}/{CIRCUIT.file}")
    gear.holds.all(NOW)
    before, after = claimed(gear), claimed(gear)
    gear.closing.close((before, plan(before, holds=(CIRCUIT,))))
    assert not os.listdir(gear.home.holds)
    attempt = {"run": f"{after.id}.1", "started_at": rfc3339(NOW + 1)}
    gear.closing.close((after, plan(after, holds=(CIRCUIT,), attempt=attempt)))
    assert os.listdir(gear.home.holds) == [CIRCUIT.file]


def test_the_last_run_is_the_one_that_counts_for_a_release(gear: Gear) -> None:
    """An earlier attempt began before the person's release, this one after it: it holds."""
    gear.holds.set(CIRCUIT)
    gear.holds.all(NOW)
    os.unlink(f"{gear.home.holds}/{CIRCUIT.file}")
    gear.holds.all(NOW)
    tick = claimed(gear, attempts=({"run": "earlier", "started_at": rfc3339(NOW - 9)},))
    attempt = {"run": f"{tick.id}.1", "started_at": rfc3339(NOW + 1)}
    gear.closing.close((tick, plan(tick, holds=(CIRCUIT,), attempt=attempt)))
    assert os.listdir(gear.home.holds) == [CIRCUIT.file]


def test_a_hold_that_stands_already_is_told_of_once(gear: Gear) -> None:
    """Ten runs that meet the same limit at once are one line."""
    network = Hold(scope="bus", reason="network", since=NOW, detail="away")
    for _ in range(3):
        tick = claimed(gear)
        gear.closing.close((tick, plan(tick, holds=(network,))))
        gear.holds.all(NOW)
    assert events(gear).count("hold.set") == 1
    assert "circuit.opened" not in events(gear)


def test_a_follow_up_that_lies_there_already_is_there(gear: Gear) -> None:
    """The same end, closed a second time from the start, is no error."""
    tick = claimed(gear)
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    os.rename(f"{gear.home.done}/{DAY}/{tick.name.file}", f"{gear.home.claimed}/{tick.name.file}")
    gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    assert len(children(gear)) == 1
    assert lies_in(gear, tick) == [f"done/{DAY}"]


def test_a_follow_up_that_cannot_be_written_keeps_its_parent(gear: Gear) -> None:
    """The disk's own error comes out, for whoever waits for disks; then the replay makes the child."""
    tick = claimed(gear)
    os.rename(gear.home.inbox, f"{gear.home.state}/away")
    with pytest.raises(FileNotFoundError):
        gear.closing.close((tick, plan(tick, follow_ups=(THEN,))))
    assert lies_in(gear, tick) == ["claimed"]
    os.rename(f"{gear.home.state}/away", gear.home.inbox)
    gear.closing.replay(gear.spool.read("claimed", tick.name.file))
    assert [child.cadence for child in children(gear)] == ["y"]
    assert lies_in(gear, tick) == [f"done/{DAY}"]


def test_an_end_that_was_moved_but_not_told_is_found_where_it_lies(gear: Gear) -> None:
    """An earlier try moved it, and only the sync of its new folder failed."""
    for target, outcome in (("done", OK), ("dead", DEAD), ("inbox", None)):
        tick = claimed(gear)
        settlement = plan(tick, target=target, outcome=outcome)
        gear.closing.close((tick, settlement))
        found = gear.closing.delivered(tick.name, settlement.run)
        assert found is not None
        assert found.target == target
        assert gear.closing.delivered(tick.name, f"{tick.id}.2") is None, "another run's"
    assert gear.closing.delivered(Tick(id=new_id(NOW), cadence="x", created_at=NOW).name, "none") is None


def test_what_needs_no_run_is_finished_by_the_same_commit(gear: Gear, witness: Witness) -> None:
    """Claimed, committed, told, moved; what somebody took away in between is not in the answer."""
    ticks = [Tick(id=new_id(NOW), cadence="x", created_at=NOW, settling={"run": "old"}) for _ in range(2)]
    gear.spool.put(ticks[:1], NOW)
    witness.seen.clear()
    wanted = [(tick, "expired", "too late") for tick in ticks]
    finished = gear.closing.finish_unrun(wanted, NOW, of="7")
    assert [tick.id for tick in finished] == [ticks[0].id]
    file = ticks[0].name.file
    there = gear.spool.read(f"done/{DAY}", file)
    assert dict(there.outcome or {}) == {
        "status": "expired",
        "class": "expired",
        "reason": "too late",
        "finished_at": rfc3339(NOW),
        "of": "7",
    }
    assert there.settling is None
    assert witness.in_order(f"rename claimed/{file}", f"sync events/{DAY}.jsonl", f"rename done/{DAY}/{file}")
    assert [(fact["event"], fact["status"], fact["attempt"]) for fact in told(gear)] == [
        ("tick.done", "expired", 0)
    ]
    assert gear.closing.finish_unrun(wanted[1:], NOW) == []


def test_a_claim_that_gets_no_run_is_safe_before_it_ends(gear: Gear, witness: Witness) -> None:
    """Its claim was to become durable with a run: inbox/ is synced, or a power cut brings it back there."""
    for tick, klass, place in (
        (claimed(gear), "bad_prompt", "dead"),
        (claimed(gear), "skipped", f"done/{DAY}"),
    ):
        witness.seen.clear()
        if place == "dead":
            gear.closing.entomb(tick, klass, "because", NOW)
        else:
            gear.closing.finish_claimed(tick, klass, "because", NOW, more=1)
        file = tick.name.file
        assert witness.in_order("sync inbox", f"rename claimed/{file}", f"rename {place}/{file}")
        assert witness.in_order(f"sync events/{DAY}.jsonl", f"rename {place}/{file}", f"sync {place}")
        outcome = dict(gear.spool.read(place, file).outcome or {})
        assert outcome["class"] == klass
        assert outcome["status"] == ("dead" if place == "dead" else klass)
        assert (outcome["reason"], outcome.get("more")) == ("because", None if place == "dead" else 1)
    assert events(gear) == ["tick.dead", "tick.done"]
