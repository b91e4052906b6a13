"""What must be true of a home, whatever was done to it: each broken promise is one sentence."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from torturing.ground import LOG, TICKS_LIE_IN, Ground
from torturing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_ENDED = {"done": "tick.done", "dead": "tick.dead"}


def tick_files(ground: Ground) -> Iterator[tuple[str, str, Path]]:
    """Every tick on disk: (folder, id, file); `.raw` bytes are no ticks."""
    for folder in TICKS_LIE_IN:
        for path in (ground.state / folder).rglob("*.json"):
            if path.name.startswith(".") or not path.is_file():
                continue
            name = path.name.rpartition("~")[2].removesuffix(".json")
            parts = name.split("-")
            if len(parts) >= len(("priority", "stamp", "cadence", "random")):
                yield folder, f"{parts[1]}-{parts[-1]}", path


def where(ground: Ground) -> dict[str, list[str]]:
    """The folders in which each tick lies; one is the right number."""
    places: dict[str, list[str]] = defaultdict(list)
    for folder, tick_id, _ in tick_files(ground):
        places[tick_id].append(folder)
    return places


def all_ended(ground: Ground) -> bool:
    """Whether every tick lies in done/ or dead/."""
    return all(places in (["done"], ["dead"]) for places in where(ground).values())


def kept(ground: Ground) -> list[str]:
    """At any instant, even that of a kill: what was acknowledged lies in exactly one folder."""
    places = where(ground)
    faults = [f"lost: {tick} lies nowhere" for tick in ground.acknowledged if not places.get(tick)]
    faults += [f"two copies: {tick} lies in {', '.join(at)}" for tick, at in places.items() if len(at) > 1]
    return faults


def settled(ground: Ground, *, strict_runs: bool = True) -> list[str]:
    """After an ordinary consumer has drained the home: kept, finished once, told, nobody left alive."""
    faults = kept(ground)
    for folder, tick_id, path in tick_files(ground):
        if folder not in _ENDED:
            faults.append(f"stuck: {tick_id} still lies in {folder}/")
            continue
        tick = _read(path)
        if not isinstance(tick.get("outcome"), dict):
            faults.append(f"no outcome: {folder}/{path.name}")
            continue
        faults += _attempts(tick_id, tick)
    faults += _left_alive(ground)
    faults += _journal(ground)
    faults += _follow_ups(ground)
    faults += _keys(ground)
    faults += _memories(ground)
    if strict_runs:
        faults += runs(ground)
    return faults


def runs(ground: Ground) -> list[str]:
    """No two runs of a tick overlap, and what ended well and was recorded is not run again."""
    faults = []
    open_runs: dict[str, dict[str, int]] = defaultdict(dict)
    ended_well: dict[str, str] = {}
    for at, line in enumerate(log_lines(ground)):
        word, tick, run, last = line
        if word == "start":
            if tick in ended_well:
                faults.append(f"run again: {tick} ended well as {ended_well[tick]}, then {run} started")
            open_runs[tick][run] = at
        else:
            others = [other for other, since in open_runs[tick].items() if other != run and since > 0]
            began = open_runs[tick].pop(run, None)
            later = [other for other in others if began is not None and open_runs[tick][other] > began]
            if later:
                faults.append(f"run twice while alive: {tick}: {later[0]} started before {run} had ended")
            if last == "0" and recorded(ground, run):
                ended_well[tick] = run
    return faults


def recorded(ground: Ground, run: str) -> bool:
    """Whether the shim lived to record that the run ended well."""
    return any((ground.state / "runs").glob(f"*/{run}/exit.0"))


def log_lines(ground: Ground) -> list[tuple[str, str, str, str]]:
    """What the commands themselves said: (start or end, tick, run, pid or exit code)."""
    try:
        text = (ground.root / LOG).read_text()
    except FileNotFoundError:
        return []
    lines = [line.split() for line in text.splitlines()]
    return [(line[0], line[1], line[2], line[3]) for line in lines if len(line) == 4]  # noqa: PLR2004


def alive(ground: Ground) -> list[int]:
    """The processes that bear a mark of this home's runs."""
    return _bearing(ground, lambda block: any(item.startswith(b"CADENCE_RUN_ID=") for item in block))


def consumers(ground: Ground) -> list[int]:
    """The bus's own processes on this home: those without a run's mark."""
    return _bearing(ground, lambda block: not any(item.startswith(b"CADENCE_RUN_ID=") for item in block))


def _bearing(ground: Ground, wanted: Callable[[list[bytes]], bool]) -> list[int]:
    mine = f"CADENCE_HOME={ground.root}".encode()
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                block = file.read().split(b"\0")
        except OSError:
            continue
        if mine in block and wanted(block):
            found.append(int(entry))
    return found


def leads(ground: Ground, pid: int) -> bool:
    """Whether this consumer has finished its start."""
    try:
        return json.loads((ground.state / "consumer.json").read_bytes())["pid"] == pid  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError):
        return False


def shims(ground: Ground) -> list[int]:
    """The leaders of the runs, by their own word; only the lock says that it still holds."""
    found = []
    for path in (ground.state / "runs").glob("*/*/alive"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                word = file.read().partition('"shim": ')[2].partition(",")[0]
                found += [int(word)] if word.isdigit() else []
    return found


def nobody_alive(ground: Ground, within: float = 5.0) -> bool:
    """Wait until the last session of this home is gone."""
    return until(lambda: not alive(ground), within)


def _left_alive(ground: Ground) -> list[str]:
    return [] if nobody_alive(ground, 2.0) else [f"escaped: processes {alive(ground)} are left alive"]


def _attempts(tick_id: str, tick: dict[str, Any]) -> list[str]:
    named = Counter(attempt.get("run") for attempt in tick.get("attempts", []))
    return [f"counted twice: {run} stands {n} times in {tick_id}" for run, n in named.items() if n > 1]


def _journal(ground: Ground) -> list[str]:
    told: dict[str, set[str]] = defaultdict(set)
    for fact in journal(ground):
        if fact.get("tick"):
            told[fact["tick"]].add(fact["event"])
    faults = []
    for folder, tick_id, path in tick_files(ground):
        tick = _read(path)
        wanted = {"tick.accepted", _ENDED.get(folder, "tick.accepted")}
        if "raw" in (tick.get("outcome") or {}):
            wanted.discard("tick.accepted")
        if tick.get("attempts"):
            wanted |= {"tick.claimed", "run.started", "run.ended"}
        missing = wanted - told[tick_id]
        if missing:
            faults.append(f"journal: {tick_id} ({tick.get('cadence')}) lacks {', '.join(sorted(missing))}")
    return faults


def journal(ground: Ground) -> Iterator[dict[str, Any]]:
    """Every readable line of the journal."""
    for path in sorted((ground.state / "events").glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _follow_ups(ground: Ground) -> list[str]:
    parents: Counter[str] = Counter()
    wanted = set()
    for folder, tick_id, path in tick_files(ground):
        tick = _read(path)
        if tick.get("cadence") == "after" and tick.get("parent"):
            parents[tick["parent"]] += 1
        if folder == "done" and tick.get("cadence") == "first" and tick["outcome"]["status"] == "ok":
            wanted.add(tick_id)
    faults = [f"follow-up lost: of {tick}" for tick in wanted - set(parents)]
    return faults + [f"follow-up doubled: {n} of {tick}" for tick, n in parents.items() if n > 1]


def _keys(ground: Ground) -> list[str]:
    """Of the ticks of one cadence and key one runs, the others are its duplicates."""
    ran: Counter[tuple[str, str]] = Counter()
    for folder, _, path in tick_files(ground):
        tick = _read(path)
        if folder == "done" and tick.get("key") and tick["outcome"]["status"] == "ok":
            ran[tick["cadence"], tick["key"]] += 1
    return [f"key used twice: {cadence} {key!r}: {n} ran" for (cadence, key), n in ran.items() if n > 1]


def _memories(ground: Ground) -> list[str]:
    """A cadence remembers each run that ended well once, whatever was settled together with it."""
    well: Counter[str] = Counter()
    for _, _, path in tick_files(ground):
        tick = _read(path)
        if "raw" in (tick.get("outcome") or {}):
            # The letter of a twin that a power cut left tells of the same runs.
            continue
        well[tick.get("cadence", "")] += sum(a.get("class") == "ok" for a in tick.get("attempts", []))
    faults = []
    for cadence, wanted in well.items():
        memory = _read(ground.state / "cadences" / f"{cadence}.json")
        counted = (memory.get("averages") or {}).get("runs", 0)
        if counted != wanted:
            faults.append(f"memory: of {wanted} runs of {cadence} that ended well {counted} are remembered")
    return faults


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
