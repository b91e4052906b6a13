"""An inbox full of rubbish, with healthy ticks in between.

Every bad item ends in dead/ with a reason and its bytes, staging is left alone, the healthy ones run,
memory stays small, and nothing outside the home is read, written or followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torturing import audit
from torturing.ground import Ground, fresh
from torturing.report import Report
from torturing.waiting import until

if TYPE_CHECKING:
    from torturing.modes import Options

MEMORY_KB = 150 * 1024
MANY = 100_000
LATE = 3.0
_ID = "20260101T000000.{:06d}Z-aaaaaaaa"

# Text that is no tick, whatever its name is.
TEXTS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "torn": b'{"cadence": "plain"',
    "word": b"plain",
    "list": b'["plain"]',
    "string": b'"plain"',
    "number": b"7",
    "null": b"null",
    "bom": b'\xef\xbb\xbf{"cadence": "plain"}',
    "utf16": '{"cadence": "plain"}'.encode("utf-16"),
    "latin1": b'{"cadence": "plain", "source": "\xe9"}',
    "nul": b'{"cadence": "plain"}\0',
    "two": b'{"cadence": "plain"}{"cadence": "plain"}',
    "deep": b'{"cadence": "plain", "payload": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
    "deepest": b"[" * 500_000,
    "deeplist": b'{"cadence": "plain", "payload": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "doubled": b'{"cadence": "plain", "cadence": "plain"}',
    "doubled-within": b'{"cadence": "plain", "payload": {"a": 1, "a": 2}}',
    "nan": b'{"cadence": "plain", "payload": {"a": NaN}}',
    "infinity": b'{"cadence": "plain", "payload": {"a": Infinity}}',
    "minus-infinity": b'{"cadence": "plain", "payload": {"a": -Infinity}}',
    "comment": b'{"cadence": "plain"} // why not',
    "single-quotes": b"{'cadence': 'plain'}",
    "trailing-comma": b'{"cadence": "plain",}',
    "lone-surrogate-name": b'{"cadence": "\\ud800"}',
    "control": b'{"cadence": "pl\x01ain"}',
    "big": b'{"cadence": "plain", "payload": {"a": "' + b"x" * (1 << 20) + b'"}}',
    "binary": bytes(range(256)),
    "huge-priority": b'{"cadence": "plain", "priority": ' + b"9" * 5000 + b"}",
}
_GOOD = b'{"cadence": "plain", "payload": {"a": [1, 2]}}'
TEXTS |= {f"cut-{length}": _GOOD[:length] for length in range(1, len(_GOOD))}
# Members that no tick may have, put into an otherwise good one.
_BAD: dict[str, tuple[Any, ...]] = {
    "cadence": (None, True, 1, "", "A", "..", "a..b", "../x", "x" * 65, "a/b", "a\nb", [], {}, "-a"),
    "priority": (None, True, -1, 10, 1.5, "5", [], {}, 10**30),
    "payload": (None, True, 1, "x", [], 1.5),
    "schema": (None, 0, 2, "1", True, [], 10**20),
    "id": (None, 1, "", "x", "20261121T023000Z-7f3k9q2m", "20261399T023000.123456Z-7f3k9q2m", [], {}),
    "not_before": (1, "tomorrow", True, [], "2026-13-01T00:00:00Z"),
    "expires_at": (1, "never", True, {}, "2026-11-21"),
    "created_at": (1, "yesterday", True),
    "hops": (-1, "1", True, 1.5, 17, None),
    "attempts": ("x", {}, 1, [1], True),
    "key": (1, True, [], {}),
    "force": (1, "true", None, []),
    "source": (1, None, [], True),
}


def main(options: Options) -> Report:
    """Fill an inbox, drain it, look at what became of each item."""
    report = Report("hostile")
    points = {
        "rubbish": lambda: _rubbish(report, options),
        "names": lambda: _strange_names(options),
        "many": lambda: _many(MANY if options.long else 2_000, options),
    }
    for point in options.points or points:
        report.add(point, points[point]())
    return report


def _healthy(ground: Ground, count: int) -> None:
    for _ in range(count):
        ground.enqueue("plain")


def _put(ground: Ground, name: str | bytes, data: bytes) -> None:
    path = os.path.join(os.fsencode(ground.state / "inbox"), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(data)


def _rubbish(report: Report, options: Options) -> list[str]:
    ground = fresh(mutant=options.mutant)
    outside = ground.root.parent / "outside"
    outside.write_text('{"cadence": "plain"}')
    before = _picture(outside)
    try:
        _healthy(ground, 1)
        bad = _fill(ground, outside)
        _healthy(ground, 2)
        staging = [".hidden.json", "note.txt", "x.json.tmp", ".#lock", "README"]
        for name in staging:
            _put(ground, name, b"staging")
        meddler = threading.Thread(target=_meddle, args=(ground,))
        meddler.start()
        faults, peak = _drained(ground)
        meddler.join()
        report.notes.append(f"{len(bad)} bad items, {peak // 1024} MiB at most")
        faults += _buried(ground, bad)
        faults += [
            f"touched: {name} was staging" for name in staging if not (ground.state / "inbox" / name).exists()
        ]
        for tick, places in audit.where(ground).items():
            if tick in ground.acknowledged and places != ["done"]:
                faults.append(f"hurt: the healthy {tick} lies in {places}")
        if _picture(outside) != before:
            faults.append("outside: a file outside the home was touched")
        if peak > MEMORY_KB:
            faults.append(f"memory: {peak // 1024} MiB")
        return faults
    finally:
        ground.remove()


def _picture(path: Path) -> tuple[int, int, int, str]:
    at = path.lstat()
    return at.st_mtime_ns, at.st_size, at.st_nlink, hashlib.sha256(path.read_bytes()).hexdigest()


def _fill(ground: Ground, outside: Path) -> list[str]:
    """Put the rubbish in; the names of what must end in dead/."""
    inbox = ground.state / "inbox"
    bad: dict[str, bytes] = {f"t-{name}.json": data for name, data in TEXTS.items()}
    for key, values in _BAD.items():
        for at, value in enumerate(values):
            good = {"cadence": "plain"} | {key: value}
            bad[f"k-{key}-{at}.json"] = json.dumps(good).encode()
    for name, data in bad.items():
        _put(ground, name, data)
    # A canonical name promises nothing about what is inside.
    canonical = f"5-{_ID.format(1).partition('-')[0]}-plain-aaaaaaaa.json"
    _put(ground, canonical, b"{")
    names = [*bad, canonical]
    (inbox / "link.json").symlink_to("/etc/passwd")
    (inbox / "outside.json").symlink_to(outside)
    (inbox / "dangling.json").symlink_to("nowhere")
    (inbox / "loop.json").symlink_to("loop.json")
    (inbox / "folder.json").mkdir()
    (inbox / "folder.json" / "within.json").write_text('{"cadence": "plain"}')
    os.mkfifo(inbox / "fifo.json")
    (inbox / f"6-{canonical[2:]}").symlink_to(outside)
    names += ["link.json", "outside.json", "dangling.json", "loop.json", "folder.json", "fifo.json"]
    names += [f"6-{canonical[2:]}"]
    names += _special(inbox)
    with open(inbox / "sparse.json", "wb") as file:
        file.truncate(2 << 30)
    return [*names, "sparse.json"]


def _special(inbox: Path) -> list[str]:
    """A socket, a device where root may make one, a file that can't be read where we are not root."""
    names = ["socket.json"]
    here = os.getcwd()
    try:
        os.chdir(inbox)
        with socket.socket(socket.AF_UNIX) as line:
            line.bind("socket.json")
    finally:
        os.chdir(here)
    with contextlib.suppress(OSError):
        os.mknod(inbox / "device.json", 0o020600, os.makedev(1, 5))
        names.append("device.json")
    if os.geteuid():
        (inbox / "unreadable.json").write_text('{"cadence": "plain"}')
        (inbox / "unreadable.json").chmod(0)
        names.append("unreadable.json")
    return names


def _meddle(ground: Ground) -> None:
    """Files that vanish and change while they are being read."""
    inbox = ground.state / "inbox"
    for at in range(40):
        path = inbox / f"vanishes-{at}.json"
        with contextlib.suppress(OSError):
            path.write_text('{"cadence": ')
            if at % 2:
                path.write_text('{"cadence": "pla')
            path.unlink()
        time.sleep(0.01)


def _drained(ground: Ground) -> tuple[list[str], int]:
    """Drain; the broken promises, and the most memory that the consumer ever had (KiB)."""
    process = ground.start("run", "--drain")
    peak, deadline = 0, time.monotonic() + 240
    drain = threading.Thread(target=process.communicate)
    drain.start()
    while drain.is_alive() and time.monotonic() < deadline:
        with contextlib.suppress(OSError, AttributeError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+)", status)
            peak = max(peak, int(found[1])) if found else peak
        drain.join(0.02)
    if drain.is_alive():
        process.kill()
        return ["stuck: the consumer did not drain"], peak
    return ([] if process.returncode == 0 else [f"the consumer: exit {process.returncode}"]), peak


def _buried(ground: Ground, bad: list[str]) -> list[str]:
    """Each bad item has a letter that names it, a reason, and its bytes beside."""
    letters = {}
    for folder, _, path in audit.tick_files(ground):
        if folder == "dead":
            letter = json.loads(path.read_bytes())
            letters[letter.get("file")] = (path, letter)
    faults = []
    for name in bad:
        if name not in letters:
            faults.append(f"no letter: of {name}")
            continue
        path, letter = letters[name]
        outcome = letter.get("outcome") or {}
        if not outcome.get("reason") or outcome.get("status") != "dead":
            faults.append(f"no reason: {name}: {outcome}")
        if outcome.get("class") != "unknown_cadence" and not os.path.lexists(f"{path}.raw"):
            faults.append(f"no bytes: {name}")
        if name.startswith("t-") and Path(f"{path}.raw").read_bytes() != TEXTS[name[2:-5]]:
            faults.append(f"other bytes: {name}")
    left = [name for name in os.listdir(ground.state / "inbox") if name in set(bad)]
    return faults + [f"left: {name} still lies in inbox/" for name in left]


def _strange_names(options: Options) -> list[str]:
    """Names that are odd but lawful, with good ticks inside: all of them run, each once."""
    ground = fresh(mutant=options.mutant)
    names = [
        b"with\nnewline.json",
        b"with space.json",
        b"\xff\xfe.json",
        b"\x1b[31mred.json",
        b"\x01\x02.json",
        b"-rf.json",
        b"a.json",
        b"A.json",
        b"quote'\".json",
        b"$(reboot).json",
        "\u202eesrever.json".encode(),
        b"x" * 250 + b".json",
    ]
    try:
        for name in names:
            _put(ground, name, b'{"cadence": "plain"}')
        same = _ID.format(7)
        _put(ground, "one.json", json.dumps({"cadence": "plain", "id": same}).encode())
        _put(ground, "other.json", json.dumps({"cadence": "plain", "id": same}).encode())
        faults, _ = _drained(ground)
        ended = json.dumps({"cadence": "plain", "id": same}).encode()
        _put(ground, "again.json", ended)
        more, _ = _drained(ground)
        done = sum(1 for folder, _, _ in audit.tick_files(ground) if folder == "done")
        if done != len(names) + 1:
            faults.append(f"names: {done} of {len(names) + 1} were run")
        twins = _classes(ground).count("duplicate_id")
        if twins != 2:  # noqa: PLR2004 - the other one, and the one that came again
            faults.append(f"twins: {twins} of 2 buried as duplicate_id")
        return faults + more + audit.settled(ground)
    finally:
        ground.remove()


def _classes(ground: Ground) -> list[str]:
    return [
        json.loads(path.read_bytes())["outcome"]["class"]
        for folder, _, path in audit.tick_files(ground)
        if folder == "dead"
    ]


def _told_to_go(ground: Ground) -> list[str]:
    """In the midst of a flood a consumer still hears that it is to leave."""
    consumer = ground.behind("run")
    try:
        if not until(lambda: any((ground.state / "dead").iterdir()), 60):
            return ["deaf: it buries nothing"]
        began = time.monotonic()
        consumer.terminate()
        code = consumer.wait(60)
        took = time.monotonic() - began
        return [f"deaf: exit {code} {took:.1f} s after SIGTERM"] if code or took > LATE else []
    finally:
        consumer.kill()


def _many(count: int, options: Options) -> list[str]:
    """A flood of tiny bad files must not keep a healthy tick waiting for ever, nor fill the memory."""
    ground = fresh(mutant=options.mutant)
    try:
        for at in range(count):
            _put(ground, f"n{at}.json", b"{}")
        _healthy(ground, 1)
        faults = _told_to_go(ground)
        more, peak = _drained(ground)
        faults += more
        dead = sum(1 for name in os.listdir(ground.state / "dead") if name.endswith(".json"))
        if dead != count:
            faults.append(f"buried: {dead} of {count}")
        if peak > MEMORY_KB:
            faults.append(f"memory: {peak // 1024} MiB")
        places = audit.where(ground)
        hurt = [tick for tick in ground.acknowledged if places[tick] != ["done"]]
        return faults + [f"hurt: {tick} lies in {places[tick]}" for tick in hurt]
    finally:
        ground.remove()
