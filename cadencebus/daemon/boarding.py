"""From a claimed tick to a durable run folder: all that must be on disk before a process starts."""

from __future__ import annotations

import contextlib
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.errors import CadenceError
from cadencebus.model import foreign
from cadencebus.model.naming import is_session
from cadencebus.model.runner import Runner, argv_for
from cadencebus.session import aftermath, environment, launch, life, prompt
from cadencebus.session.identity import boot_id
from cadencebus.store import runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.tick import Tick
    from cadencebus.session.launch import Shim
    from cadencebus.store.runs import RunFolder

GUARD = "guard"
_LONGEST_PATH = 4096


class Doomed(Exception):
    """No run of this tick can ever start, though it is a valid one: it is dead."""

    def __init__(self, klass: str, reason: str) -> None:
        super().__init__(reason)
        self.klass = klass
        self.reason = reason


class NeverRan(Exception):
    """The run can't start as things are configured; retrying can't help."""


class StillAlive(Exception):
    """A former run of this tick lives: it is to be adopted, not doubled."""

    def __init__(self, tick: Tick, run: RunFolder) -> None:
        super().__init__(run.id)
        self.tick = tick
        self.run = run


@dataclass(frozen=True, slots=True, kw_only=True)
class Boarded:
    """A run that is about to start, or that was found running."""

    tick: Tick
    cadence: Cadence
    runner: Runner
    run: RunFolder
    cwd: str
    started_at: float
    monotonic: float
    session_id: str | None = None
    resumed: bool = False
    probe: bool = False
    guard: bool = False
    # The process that leads it, where this consumer started it.
    shim: Shim | None = None
    prompt: bytes = b""
    # What run.json said when it began.
    record: dict[str, Any] = field(default_factory=dict)


def board(gear: Gear, tick: Tick, cadence: Cadence, *, probe: bool, guard: bool) -> Boarded:
    """Make the run's folder with all that the run and its judgement need."""
    former = runs.latest(gear.home, tick.id)
    if former is not None and life.is_alive(former.path):
        raise StillAlive(tick, former)
    settings = gear.settings.current
    runner = _guard_runner(cadence) if guard else settings.runners.get(cadence.runner)
    if runner is None:
        raise NeverRan(str(gear.prompts.unknown_runner(cadence, sorted(settings.runners))))
    try:
        text = b"" if guard else prompt.render(cadence, tick)
    except prompt.BadPrompt as error:
        raise Doomed("bad_prompt", str(error)) from None
    cwd = gear.home.folder(cadence.cwd)
    former_session = _former_session(gear, cadence, runner, cwd)
    session_id = former_session or (str(uuid.uuid4()) if runner.agent else None)
    try:
        run = runs.make(gear.home, tick)
    except runs.TooManyRuns as error:
        raise Doomed("too_many_runs", str(error)) from None
    return Boarded(
        tick=tick,
        cadence=cadence,
        runner=runner,
        run=run,
        cwd=cwd,
        started_at=gear.clock.wall(),
        monotonic=gear.clock.monotonic(),
        session_id=session_id,
        resumed=former_session is not None,
        probe=probe,
        guard=guard,
        prompt=text,
    )


def _former_session(gear: Gear, cadence: Cadence, runner: Runner, cwd: str) -> str | None:
    """The session to go on with; one of another runner or folder would not be found there."""
    if not (cadence.resume and runner.agent):
        return None
    memory = gear.memory.cadence(cadence.name, gear.clock.wall())
    session = memory.session_id
    if not is_session(session):
        return None
    # Not simply the last run: that may have been a guard's, which had no session.
    its_run = runs.named(gear.home, memory.session_run)
    last = runs.record(its_run)
    known = (last.get("runner", runner.name), str(last.get("cwd", cwd)).replace("{home}", gear.home.root))
    return str(session) if known == (runner.name, cwd) else None


def furnish(gear: Gear, boarded: Boarded) -> tuple[launch.LaunchRequest, dict[str, Any]]:
    """Write the run's folder durably; return how the run is to be started, and its record."""
    run, cadence = boarded.run, boarded.cadence
    argv, env = _argv(gear, boarded), _environment(gear, boarded)
    record = _record(gear, boarded, argv, env)
    pid_at = runs.furnish(gear.home, run, boarded.tick.bytes(), boarded.prompt, record)
    ladder = [(boarded.runner.gentle, 5.0)] if boarded.runner.gentle != "SIGTERM" else []
    request = launch.LaunchRequest(
        run_dir=run.path,
        argv=argv,
        env=env,
        cwd=boarded.cwd,
        stdin="prompt.md" if boarded.runner.stdin == "prompt" and not boarded.guard else None,
        timeout_s=cadence.timeout,
        ladder=(*ladder, ("SIGTERM", cadence.kill_grace), ("SIGKILL", 10.0)),
        pid_at=pid_at,
    )
    return request, record


def _argv(gear: Gear, boarded: Boarded) -> tuple[str, ...]:
    run, cadence = boarded.run, boarded.cadence
    values = {
        "prompt_file": run.file("prompt.md"),
        "run_dir": run.path,
        "tick_file": run.file("tick.json"),
        "home": gear.home.root,
        "model": cadence.model or "",
        "session_id": boarded.session_id or "",
    }
    return argv_for(
        boarded.runner, cadence, values=values, session_id=boarded.session_id, resume=boarded.resumed
    )


def _guard_runner(cadence: Cadence) -> Runner:
    return Runner(name=GUARD, argv=cadence.guard or (), stdin=None, stream="plain", credentials=GUARD)


def _environment(gear: Gear, boarded: Boarded) -> dict[str, str]:
    run, tick, cadence = boarded.run, boarded.tick, boarded.cadence
    ours = {
        "CADENCE_HOME": gear.home.root,
        "CADENCE_NAME": cadence.name,
        "CADENCE_TICK_ID": tick.id,
        "CADENCE_TICK_FILE": run.file("tick.json"),
        "CADENCE_RUN_ID": run.id,
        "CADENCE_RUN_DIR": run.path,
        "CADENCE_ATTEMPT": str(len(tick.attempts) + 1),
        "CADENCE_HOPS": str(tick.hops),
    }
    env = environment.environment(gear.environ, ours, dict(boarded.runner.env), dict(cadence.env))
    try:
        return environment.credentialed(
            env, boarded.runner.credentials, cadence.auth or gear.settings.current.auth
        )
    except CadenceError as error:
        raise NeverRan(str(error)) from None


def _record(gear: Gear, boarded: Boarded, argv: Iterable[str], env: Iterable[str]) -> dict[str, Any]:
    """run.json as it stands before the start; nothing in it names the home, which may be moved."""
    # A neighbour whose name only begins like the home's (`bus-tools` beside `bus`) stays where it is.
    here = re.compile(re.escape(gear.home.root) + r"(?![\w.-])")
    return {
        "tick": boarded.tick.id,
        "cadence": boarded.cadence.name,
        "run": boarded.run.id,
        "attempt": len(boarded.tick.attempts) + 1,
        "runner": boarded.runner.name,
        "argv": [here.sub("{home}", arg) for arg in argv],
        "cwd": here.sub("{home}", boarded.cwd),
        "env": sorted(env),
        "pid": None,
        "started_at": rfc3339(boarded.started_at),
        "boot_id": boot_id(),
        "monotonic": boarded.monotonic,
        "deadline_s": boarded.cadence.timeout,
        "session_id": boarded.session_id,
        "resumed": boarded.resumed,
        "probe": boarded.probe,
        "running": gear.running_count(),
        "prompt": boarded.cadence.digest,
        "expected": aftermath.looks(boarded.cadence.expect.file, boarded.cwd),
    }


def found(gear: Gear, tick: Tick, run: RunFolder, cadence: Cadence) -> Boarded:
    """A run that a former consumer started, as its record has it, as far as that makes sense."""
    record = runs.record(run)
    same_boot = record.get("boot_id") == boot_id()
    started_at, began = gear.clock.wall(), foreign.amount(record.get("monotonic"))
    with contextlib.suppress(ValueError, TypeError):
        started_at = parse_rfc3339(record.get("started_at", ""))
    # Of a record that can't be read: what anybody can tell.
    known = {"tick": tick.id, "cadence": tick.cadence, "run": run.id, "runner": cadence.runner, **record}
    guard = known["runner"] == GUARD
    runner = _guard_runner(cadence) if guard else gear.settings.current.runners.get(str(known["runner"]))
    return Boarded(
        tick=tick,
        cadence=replace(cadence, timeout=foreign.amount(record.get("deadline_s")) or cadence.timeout),
        runner=runner or Runner(name=str(known["runner"]), argv=(), stream="plain"),
        run=run,
        cwd=(foreign.text(record.get("cwd"), _LONGEST_PATH) or "{home}").replace("{home}", gear.home.root),
        started_at=started_at,
        # The same boot's monotonic clock still runs; of another boot only the wall clock is left to say.
        monotonic=began if same_boot and began is not None else gear.clock.monotonic(),
        session_id=foreign.text(record.get("session_id")),
        resumed=bool(record.get("resumed")),
        probe=bool(record.get("probe")),
        guard=guard,
        record=known,
    )


def guard_says_go(boarded: Boarded) -> bool:
    """Whether the guard ended by itself and well: the session may follow."""
    end = life.exit_record(boarded.run.path)
    return end is not None and end.code == 0 and runs.read_ending(boarded.run) is None
