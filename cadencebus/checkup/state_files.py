"""What lies on the disk and can't be read, lies twice, or lies where nothing of the kind belongs."""

from __future__ import annotations

import functools
import os
import stat
from collections import Counter
from typing import TYPE_CHECKING

from cadencebus.checkup.finding import found
from cadencebus.model import strictjson
from cadencebus.model.naming import RAW, SUFFIX, is_cadence, parse_deferred, parse_name
from cadencebus.model.tick import BadTick
from cadencebus.model.wording import count, some
from cadencebus.store import archive, files, journal, runs
from cadencebus.store.json_file import load_object, set_aside
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient

# Files that are rewritten all the time, so that a torn one is no loss.
_DERIVED = ("consumer.json", "circuit-open.json", "supervisor.json", "gc.json", "installed.json")
_READ_AT_MOST = 1000
_SETTLES = 60.0
_STALE = 86400.0


def state(patient: Patient) -> Iterator[Finding]:
    """Small files that can't be read, and those that were set aside."""
    home = patient.home
    aside = [
        f"{folder}{file}" for folder in ("", "cadences/", "holds/", "keys/", "events/")
        for file in patient.files(folder) if ".corrupt-" in file
    ]  # fmt: skip
    if aside:
        yield found(
            "state.corrupt",
            f"set aside as unreadable: {some(sorted(aside))}",
            f"less {home.state}/{min(aside)}",
        )
    memories = [f"cadences/{file}" for file in patient.files("cadences") if file.endswith(SUFFIX)]
    for short in (*_DERIVED, *sorted(memories)):
        path = f"{home.state}/{short}"
        try:
            load_object(path)
        except FileNotFoundError:
            continue
        except ValueError as error:
            # Set aside, it is kept whole; whoever needs one makes a new one.
            mend = functools.partial(_put_aside, path, patient.now)
            yield found("state.torn", f"{short} can't be read: {error}", mend=mend)
        except OSError as error:
            yield found("state.torn", f"{short} can't be read: {error.strerror}", f"ls -l {path}")


def _put_aside(path: str, now: float) -> None:
    set_aside(path, now)


def ticks(patient: Patient) -> Iterator[Finding]:
    """Ticks that can't be read, that lie twice, and names that are no tick's."""
    home, spool = patient.home, Spool(patient.home, max_tick_bytes=patient.settings.max_tick_bytes)
    places: Counter[str] = Counter()
    odd: list[str] = []
    for folder in ("deferred", "inbox", "claimed", "dead"):
        read = 0
        for file in patient.files(folder):
            late = parse_deferred(file) if folder == "deferred" else None
            name = late[1] if late else parse_name(file)
            if name is None:
                if _strange(f"{home.state}/{folder}/{file}", file, patient.now):
                    odd.append(f"{folder}/{file}")
                continue
            places[name.id] += 1
            read += 1
            # A living consumer buries what it finds in inbox/ by itself.
            if read <= _READ_AT_MOST and not (patient.consumed and folder == "inbox"):
                yield from _readable(spool, folder, file)
    twice = [tick for tick, number in places.items() if number > 1]
    if twice:
        yield found("tick.twice", f"{count(len(twice), 'id')} in two folders at once: {some(twice)}")
    odd += [f"{days}/{file}" for days in ("done", "runs") for file in patient.files(days) if _no_day(file)]
    odd += [f"cadences/{file}" for file in patient.files("cadences") if _no_memory(file)]
    if odd:
        yield found("name.odd", f"{count(len(odd), 'name')} that the bus does not know: {some(sorted(odd))}")


def _readable(spool: Spool, folder: str, file: str) -> Iterator[Finding]:
    try:
        spool.read(folder, file)
    except FileNotFoundError:
        return
    except BadTick as error:
        cure = f"less {spool.home.state}/{folder}/{file}" if folder == "dead" else None
        yield found("tick.unreadable", f"{folder}/{file}: {error}", cure)
    except OSError as error:
        yield found(
            "tick.unreadable", f"{folder}/{file}: {error.strerror}", f"ls -l {spool.home.state}/{folder}/"
        )


def _strange(path: str, file: str, now: float) -> bool:
    """Whether a name stays odd: staging is left alone, and the consumer renames what it has just found."""
    if file.startswith(".") or file.endswith(RAW):
        return False
    try:
        return now - os.lstat(path).st_ctime > _SETTLES or not file.endswith(SUFFIX)
    except FileNotFoundError:
        return False


def _no_day(file: str) -> bool:
    # The Finder leaves a .DS_Store wherever somebody looks.
    return len(file) != len("2026-11-21") and not file.startswith(".")


def _no_memory(file: str) -> bool:
    # The bus remembers of itself, too, and of credentials: no cadence's name begins so.
    if ".corrupt-" in file or file.startswith((".", "_bus.", "_credentials-")):
        return False
    return not (file.endswith(SUFFIX) and is_cadence(file.removesuffix(SUFFIX)))


def remains(patient: Patient) -> Iterator[Finding]:
    """Leftovers in tmp/, torn lines in the newest journal."""
    old = []
    for file in patient.files("tmp"):
        path = f"{patient.home.tmp}/{file}"
        try:
            at = os.lstat(path)
        except FileNotFoundError:
            continue
        if patient.now - at.st_mtime > _STALE and not stat.S_ISDIR(at.st_mode):
            old.append(path)
    if old:
        names = some(sorted(map(os.path.basename, old)))
        said = f"{count(len(old), 'file')} in tmp/, untouched for a day: {names}"
        yield found("tmp.stale", said, mend=functools.partial(_clear, old))
    days = journal.days(patient.home)
    if days:
        # The first line of the piece is cut, the last one may be being written.
        lines = runs.tail(patient.home.journal(days[-1]), 1 << 18).split(b"\n")[1:-1]
        torn = sum(1 for line in lines if line and not _is_json(line))
        if torn:
            yield found("journal.torn", f"{count(torn, 'line')} of events/{days[-1]}.jsonl can't be read")


def _clear(paths: list[str]) -> None:
    for path in paths:
        archive.remove(path)


def _is_json(line: bytes) -> bool:
    try:
        strictjson.loads(line)
    except strictjson.BadJSON:
        return False
    return True


def unreadable_folders(patient: Patient) -> Iterator[Finding]:
    """Folders of days that can't be entered."""
    for folder in ("done", "runs"):
        for file in patient.files(folder):
            path = f"{patient.home.state}/{folder}/{file}"
            if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
                mend = functools.partial(os.chmod, path, files.FOLDER_MODE)
                yield found("home.permissions", f"state/{folder}/{file} can't be entered by you", mend=mend)
