"""What a restart finds in the folders, and what it does about it, row by row."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import day, rfc3339, stamp
from cadencebus.daemon.index import Calendar, Index
from cadencebus.daemon.recovery import Recovery
from cadencebus.model.settlement import Settlement
from cadencebus.model.tick import Tick
from cadencebus.session import life
from cadencebus.store import journal, runs
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from cadencebus.store.runs import RunFolder
    from tests.conftest import Witness

NOW = 1_800_000_000.0
DAY = day(NOW)
OUTCOME = {"status": "expired", "class": "expired", "reason": "too late", "finished_at": rfc3339(NOW)}


class Restart:
    """A consumer that starts on a home."""

    def __init__(self, gear: Gear) -> None:
        self.gear = gear
        self.index, self.calendar = Index(), Calendar()
        self.recovery = Recovery(gear, self.index, self.calendar)
        self.said: list[str] = []
        gear.say = self.said.append

    def put(self, folder: str, tick: Tick | None = None, **changes: Any) -> Tick:
        """Lay a tick where a crash left it."""
        members: dict[str, Any] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW}
        tick = tick or Tick(**members | changes)
        place = Path(self.gear.home.state) / folder / tick.name.file
        place.parent.mkdir(exist_ok=True, mode=0o700)
        place.write_bytes(tick.bytes())
        return tick

    def lies_in(self, tick: Tick) -> list[str]:
        """Find the folders in which it lies under its own name."""
        found = (folder for folder, _, names in os.walk(self.gear.home.state) if tick.name.file in names)
        return [os.path.relpath(folder, self.gear.home.state) for folder in found]

    def begun(self, tick: Tick) -> RunFolder:
        """Let a run of it have been started."""
        run = runs.make(self.gear.home, tick)
        runs.furnish(self.gear.home, run, tick.bytes(), b"", {"pid": None})
        return run

    def told(self) -> list[tuple[str, str]]:
        """Read the journal: what became of whom."""
        return [(fact["event"], fact["tick"]) for fact in journal.read(self.gear.home)]


@pytest.fixture
def restart(gear: Gear) -> Restart:
    """Start on a home, as soon as everything lies there."""
    return Restart(gear)


def settled(tick: Tick, target: str = "done") -> Tick:
    """Let its first run have ended, and that be committed."""
    run = f"{tick.id}.1"
    plan = Settlement(target=target, run=run, at=NOW, klass="ok", attempt={"run": run})  # type: ignore[arg-type]
    return replace(tick.tried(plan.attempt).ended({"status": "ok", "class": "ok"}), settling=plan.dump())


def test_what_was_decided_first_is_replayed_first(restart: Restart) -> None:
    """Ends that were settled together were each decided in the light of those before: names say nothing."""
    ticks = [
        restart.put("claimed", settled(Tick(id=new_id(NOW), cadence="x", created_at=NOW))) for _ in range(4)
    ]
    by_name = sorted(ticks, key=lambda tick: tick.name.file)
    for failures, tick in enumerate(reversed(by_name), 1):
        plan = {**(tick.settling or {}), "at": NOW + failures * 1e-6, "memory": {"x": {"failures": failures}}}
        restart.put("claimed", replace(tick, settling=plan))
    restart.recovery.run()
    assert [restart.lies_in(tick) for tick in ticks] == [[f"done/{DAY}"]] * 4
    assert restart.gear.memory.load("x", NOW)["failures"] == 4


@pytest.mark.parametrize("plan", [{}, {"target": "done"}, {"run": 1}, {"run": "r", "target": "up", "at": 0}])
def test_a_plan_that_can_not_be_made_out_is_passed_over(restart: Restart, plan: dict[str, object]) -> None:
    """Its outcome says where it belongs; without one the end of its run was told, and it waits again."""
    ended = restart.put("claimed", replace(settled(restart.put("claimed")), settling=plan))
    waits = replace(settled(restart.put("claimed")), settling=plan)
    waits = restart.put("claimed", replace(waits, outcome=None))
    restart.recovery.run()
    assert restart.lies_in(ended)[0].startswith("done/")
    assert restart.lies_in(waits) == ["inbox"]
    assert [tick.name.file in said for tick, said in zip((ended, waits), sorted(restart.said), strict=True)]


@pytest.mark.parametrize("lasting", [True, False])
def test_one_claim_that_we_stumble_over_stops_nothing_else(restart: Restart, lasting: bool) -> None:
    """A service was parked for the sake of one tick; only who waits for its end has to hear of it so."""
    ticks = (settled(restart.put("claimed")) for _ in range(2))
    stumbled, other = sorted(ticks, key=lambda tick: tick.name.file)
    for tick in (stumbled, other):
        restart.put("claimed", tick)
    replay = restart.gear.closing.replay

    def fault(tick: Tick) -> Settlement:
        if tick.id == stumbled.id:
            raise RuntimeError("a fault of ours")
        return replay(tick)

    restart.gear.closing.replay = fault  # type: ignore[method-assign]
    restart.gear.lasting = lasting
    if not lasting:
        with pytest.raises(RuntimeError):
            restart.recovery.run()
        return
    restart.recovery.run()
    assert restart.lies_in(stumbled) == ["claimed"]
    assert restart.lies_in(other) == [f"done/{DAY}"]
    assert [stumbled.name.file in said for said in restart.said] == [True]
    assert ("consumer.fault", stumbled.id) in restart.told()


@pytest.mark.parametrize(("target", "place"), [("done", f"done/{DAY}"), ("dead", "dead"), ("inbox", "inbox")])
def test_a_plan_is_carried_out(restart: Restart, target: str, place: str) -> None:
    """`settling` in the tick: what goes back into the queue waits for its turn again."""
    tick = restart.put("claimed", settled(restart.put("claimed"), target))
    assert restart.recovery.run() == []
    assert restart.lies_in(tick) == [place]
    assert (tick.name.file in restart.index) == (target == "inbox")


def test_an_outcome_without_a_plan_is_told_and_moved(restart: Restart) -> None:
    """It expired, or somebody took it back."""
    tick = restart.put("claimed", outcome=OUTCOME)
    assert restart.recovery.run() == []
    assert restart.lies_in(tick)[0].startswith("done/")
    assert restart.told() == [("tick.done", tick.id)]


def test_a_claim_without_a_run_goes_back(restart: Restart) -> None:
    """Nothing was begun: nothing is counted, and it is taken up at once."""
    tick = restart.put("claimed")
    assert restart.recovery.run() == []
    assert restart.lies_in(tick) == ["inbox"]
    assert tick.name.file in restart.index
    assert restart.gear.spool.read("inbox", tick.name.file).attempts == ()
    assert restart.said == []


def test_a_run_without_a_settlement_is_handed_on(restart: Restart) -> None:
    """Alive or not: whoever watches it settles it, by the cadence as it reads now."""
    tick = restart.put("claimed")
    run = restart.begun(tick)
    (found,) = restart.recovery.run()
    assert (found[0].id, found[1].name, found[2]) == (tick.id, "x", run)
    assert found[1].command == ("true",)
    assert restart.lies_in(tick) == ["claimed"]


def test_a_cadence_that_is_gone_is_judged_by_the_defaults(restart: Restart) -> None:
    """Its file was removed while it ran."""
    tick = restart.put("claimed", cadence="gone")
    restart.begun(tick)
    (found,) = restart.recovery.run()
    assert found[1].name == "gone"


def test_a_run_that_the_tick_tells_of_was_the_one_before(restart: Restart) -> None:
    """It was claimed for a next run, which never began."""
    tick = restart.put("claimed")
    run = restart.begun(tick)
    tick = restart.put("claimed", replace(tick, attempts=({"run": "other"}, {"run": run.id})))
    assert restart.recovery.run() == []
    assert restart.lies_in(tick) == ["inbox"]


def test_a_run_that_lives_is_never_doubled_whatever_the_tick_tells(restart: Restart) -> None:
    """Its end stands there already, by whatever hand: while `alive` is locked, it is watched."""
    tick = restart.put("claimed")
    run = restart.begun(tick)
    tick = restart.put("claimed", replace(tick, attempts=({"run": run.id},)))
    alive = life.open_alive(run.path)
    try:
        (found,) = restart.recovery.run()
    finally:
        os.close(alive)
    assert found[2] == run


def test_an_old_plan_is_not_carried_out_under_a_new_run(restart: Restart) -> None:
    """Back to inbox/ and claimed anew are renames: the plan of the last return is still in the file."""
    tick = restart.put("claimed")
    restart.begun(tick)
    tick = restart.put("claimed", replace(settled(tick, "inbox"), outcome=None))
    second = restart.begun(tick)
    (found,) = restart.recovery.run()
    assert found[2] == second
    assert restart.lies_in(tick) == ["claimed"]


@pytest.mark.parametrize("place", ["dead", f"done/{DAY}"])
@pytest.mark.parametrize("starting", [True, False])
def test_what_has_ended_wins_over_its_claim(restart: Restart, place: str, starting: bool) -> None:
    """The move had reached the disk, its other half had not; or somebody copied it while all was at work."""
    tick = restart.put(place, outcome=OUTCOME)
    restart.put("claimed", tick)
    assert (restart.recovery.run() if starting else restart.recovery.strays(())) == []
    assert restart.lies_in(tick) == [place]
    assert [event for event, _ in restart.told()] == ["tick.dead"]
    (raw,) = Path(restart.gear.home.dead).glob("*.raw")
    assert raw.read_bytes() == tick.bytes()


def test_the_lesser_twin_of_what_waits_is_forgotten(restart: Restart) -> None:
    """It lies in inbox/ and in claimed/, and its past is longer there: it waits nowhere."""
    tick = restart.put("inbox")
    restart.put("claimed", replace(tick, attempts=({"run": f"{tick.id}.1"},)))
    restart.recovery.run()
    # The claim, which had no run, then goes back by the table.
    assert restart.lies_in(tick) == ["inbox"]
    assert len(restart.gear.spool.read("inbox", tick.name.file).attempts) == 1
    assert tick.name.file in restart.index


def test_what_waits_and_has_ended_waits_nowhere_any_more(restart: Restart) -> None:
    """A copy in inbox/ and one in deferred/: neither is taken for due."""
    tick = restart.put(f"done/{DAY}", outcome=OUTCOME)
    restart.put("inbox", tick)
    late = f"{stamp(NOW + 60)}~{tick.name.file}"
    Path(restart.gear.home.deferred, late).write_bytes(tick.bytes())
    restart.recovery.run()
    assert restart.lies_in(tick) == [f"done/{DAY}"]
    assert tick.name.file not in restart.index
    assert restart.calendar.first() is None
    assert len(list(Path(restart.gear.home.dead).glob("*.raw"))) == 2


def test_what_is_gone_when_its_turn_comes_is_passed_over(restart: Restart) -> None:
    """Somebody took it away between the list and the look."""
    gone = restart.put("claimed").name.file
    os.unlink(f"{restart.gear.home.claimed}/{gone}")
    assert restart.recovery._claimed(gone) is None
    restart.recovery._lose("claimed", gone, "it lay in two places")
    assert restart.told() == []


def test_what_waits_is_taken_up_and_strangers_are_named(restart: Restart) -> None:
    """Index, calendar, and those names that intake has to give one."""
    tick = restart.put("inbox")
    late = f"20991231T000000.000000Z~{tick.name.file}".replace(tick.id[-8:], "7f3k9q2m")
    state = Path(restart.gear.home.state)
    (state / "deferred" / late).write_bytes(tick.bytes())
    (state / "inbox" / "stranger.json").write_text('{"cadence": "x"}')
    restart.recovery.run()
    assert tick.name.file in restart.index
    assert restart.calendar.first() == late
    assert restart.recovery.strangers == ["stranger.json"]


def test_what_says_no_time_in_deferred_is_handed_on(restart: Restart) -> None:
    """Intake gives it its name, as it does in inbox/: here it could never become due."""
    deferred = Path(restart.gear.home.deferred)
    for name in ("soon.json", ".hidden.json", "notes.txt"):
        (deferred / name).write_text("{}")
    restart.recovery.run()
    assert sorted(restart.recovery.misplaced) == sorted(os.listdir(deferred))
    assert len(restart.calendar) == 0
    assert restart.told() == []


def test_rubbish_in_claimed_is_buried_and_other_names_are_left_alone(restart: Restart) -> None:
    """What a person put there by accident stops nobody."""
    claimed = Path(restart.gear.home.claimed)
    rubbish = f"5-{new_id(NOW)[:22]}-x-7f3k9q2m.json"
    for name in (rubbish, ".hidden.json", "notes.txt"):
        (claimed / name).write_text("{")
    assert restart.recovery.run() == []
    assert sorted(os.listdir(claimed)) == [".hidden.json", "notes.txt"]
    assert len(list(Path(restart.gear.home.dead).glob("*.raw"))) == 1


def test_what_writers_left_in_tmp_goes_but_not_what_is_being_written(restart: Restart) -> None:
    """Half a memory or hold of a dead consumer at once, anything else when nobody can still write it."""
    tmp = Path(restart.gear.home.tmp)
    now = restart.gear.clock.wall()
    for name, age in (("new", 0), ("old", 3700), ("ahead", -3700), ("hold.1", 0), ("memory.1", 0)):
        (tmp / name).touch()
        os.utime(tmp / name, (now - age, now - age))
    restart.recovery.run()
    assert os.listdir(tmp) == ["new"]


def test_a_letter_that_a_crash_kept_from_its_bytes_is_written(restart: Restart) -> None:
    """The raw bytes lie in dead/, and nothing says why."""
    tick = restart.put("dead")
    place = Path(restart.gear.home.dead) / tick.name.file
    place.rename(f"{place}.raw")
    restart.recovery.run()
    assert restart.gear.spool.read("dead", tick.name.file).outcome is not None
    assert len(restart.said) == 1


def test_what_is_seen_is_made_safe_before_anything_follows(restart: Restart, witness: Witness) -> None:
    """A kill may have come between a rename and its sync; where a tick went comes before where it was."""
    days = [f"done/2026-01-0{number}" for number in (1, 2, 3)]
    for folder in days:
        (Path(restart.gear.home.state) / folder).mkdir()
    restart.put("claimed", settled(restart.put("claimed")))
    restart.recovery.run()
    synced = ("inbox", "deferred", "dead", "done", *days[1:], "claimed")
    assert witness.seen[: len(synced)] == [f"sync {folder}" for folder in synced]


def test_what_nobody_flies_is_taken_up_again(restart: Restart, witness: Witness) -> None:
    """An error came between a claim and its end; what flies is left alone, and nothing is synced for it."""
    flies, left = restart.put("claimed"), restart.put("claimed")
    restart.begun(flies)
    run = restart.begun(left)
    witness.seen.clear()
    assert restart.recovery.strays({flies.name.file, left.name.file}) == []
    assert witness.seen == []
    (found,) = restart.recovery.strays({flies.name.file})
    assert found[2] == run
    assert "sync claimed" in witness.seen
    assert restart.lies_in(flies) == restart.lies_in(left) == ["claimed"]


@pytest.mark.parametrize(("was", "made"), [(0, 9), (9, 0)])
def test_a_flying_tick_that_somebody_renamed_gets_its_name_back(
    restart: Restart, was: int, made: int
) -> None:
    """Another priority, the same run: without its name its end could not be committed."""
    tick = restart.put("claimed", priority=made)
    flying = tick.name.at(was).file
    Path(restart.gear.home.claimed, "notes.txt").touch()
    assert restart.recovery.strays({flying}) == []
    assert sorted(os.listdir(restart.gear.home.claimed)) == [flying, "notes.txt"]


def test_a_copy_of_a_flying_tick_makes_way(restart: Restart) -> None:
    """The one that flies is the tick."""
    tick = restart.put("claimed", priority=9)
    flying = restart.put("claimed", replace(tick, priority=0))
    assert restart.recovery.strays({flying.name.file}) == []
    assert os.listdir(restart.gear.home.claimed) == [flying.name.file]
    assert len(list(Path(restart.gear.home.dead).glob("*.raw"))) == 1


def test_what_lies_in_claimed_under_a_name_that_is_no_text_gets_its_letter(restart: Restart) -> None:
    """Its reason shows the bytes; the next start is not stopped by them."""
    strange = os.fsencode(restart.gear.home.claimed) + b"/\xff.json"
    Path(os.fsdecode(strange)).write_text("{}")
    restart.recovery.run()
    assert not os.listdir(restart.gear.home.claimed)
    letter = next(Path(restart.gear.home.dead).glob("*.json"))
    assert json.loads(letter.read_bytes())["outcome"]["reason"] == r"\xff.json: not the name of a tick"
