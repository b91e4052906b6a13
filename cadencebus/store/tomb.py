"""Burying what can't be a tick: a letter in dead/ that says why, and its bytes beside it, as `<letter>.raw`.

The raw bytes move first, the letter follows: a crash between leaves a `.raw` without a letter, and
`mend` writes the letter from the bytes. The other order would leave a letter and a file that is
buried a second time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model import strictjson
from cadencebus.model.foreign import mapping
from cadencebus.model.legible import escaped
from cadencebus.model.naming import RAW, SUFFIX, Name, is_cadence, is_id, name_in, name_of, parse_name
from cadencebus.model.tick import BadTick, Tick, check_members, read_members
from cadencebus.store import files, inlet

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

NOBODY = "unknown"
TWINS = frozenset({"duplicate_id", "id_in_use"})
CURES = {
    "unknown_cadence": "add the prompt file, then `cadence dead retry`",
    "too_big": "hand large data over as a file and name it in the payload",
    "unreadable": "fix the file's permissions and move it back to inbox/",
}


# What a letter tells of a tick besides name, source and payload.
_TOLD = ("created_at", "not_before", "expires_at", "key", "force", "hops", "attempts")
# A mount point, a folder of another user.
_STUCK = frozenset({errno.EBUSY, errno.EACCES, errno.EPERM})


class Immovable(OSError):
    """What lies there is no tick, and nobody but a person with other rights can take it away."""


def examine(path: str, max_bytes: int) -> dict[str, Any]:
    """The members of the tick in a file, opened only if it is a regular one; BadTick says what is wrong."""
    at = regular(path)
    if at.st_size > max_bytes:
        raise BadTick("too_big", f"{at.st_size} bytes, where {max_bytes} are allowed")
    try:
        data = files.read(path, max_bytes)
    except PermissionError:
        raise BadTick("unreadable", "no permission to read it") from None
    except ValueError as error:
        raise BadTick("too_big", f"{error}") from None
    return read_members(data)


def regular(path: str) -> os.stat_result:
    """What lies there, without opening it: a socket can't be, a pipe's reader is waited for."""
    at = os.lstat(path)
    if not stat.S_ISREG(at.st_mode):
        raise BadTick("not_a_file", f"not a regular file but {_kind(at.st_mode)}")
    return at


def letter_name(file: str, members: dict[str, Any] | None, now: float) -> Name:
    """The name of the letter for a file: its own where it has one."""
    if (own := name_in(file)) is not None:
        return own
    cadence = (members or {}).get("cadence")
    return name_of(inlet.new_id(now), str(cadence) if is_cadence(cadence) else NOBODY, 5)


def bury(home: Home, folder: str, file: str, fault: BadTick, now: float) -> Name | None:
    """Move a file to dead/ and write its letter; the letter's name, None where the file is gone."""
    source = f"{home.state}/{folder}/{file}"
    members = _members(source) if fault.code not in {"not_a_file", "too_big"} else None
    name = letter_name(file, members, now)
    # A twin's letter must not bear the id of the tick that it is the twin of.
    if fault.code in TWINS or any(files.exists(f"{home.dead}/{name.file}{end}") for end in ("", RAW)):
        # A letter of this id exists: this is another file, so it gets another name.
        name = name_of(inlet.new_id(now), name.cadence, name.priority)
    try:
        _take_away(source, f"{home.dead}/{name.file}{RAW}")
    except FileNotFoundError:
        return None
    write_letter(home, name, file, fault, members, now)
    files.sync_folders([home.dead, os.path.dirname(source)])
    return name


def _take_away(source: str, target: str) -> None:
    folders = [os.path.dirname(path) for path in (source, target)]
    for last in (False, True):
        try:
            files.move(source, target)
        except OSError as error:
            # Where the folders let us, it is no disk that refuses.
            if error.errno not in _STUCK or not all(os.access(folder, os.W_OK) for folder in folders):
                raise
            if last or not stat.S_ISDIR(os.lstat(source).st_mode):
                raise Immovable(error.errno, error.strerror, source) from None
        else:
            return
        # A folder knows the one above it: to go elsewhere it must be writable itself.
        with contextlib.suppress(OSError):
            os.chmod(source, 0o700)


def told(name: Name, file: str, fault: BadTick) -> dict[str, Any]:
    """The line of the journal that tells of a burial: the letter's name, and what the file was called."""
    about = {"cadence": name.cadence, "tick": name.id, "class": fault.code, "reason": fault.message}
    return {"event": "tick.dead", **about, "file": escaped(file)}


def write_letter(
    home: Home, name: Name, file: str, fault: BadTick, members: dict[str, Any] | None, now: float
) -> None:
    """Write the letter beside raw bytes that already lie in dead/."""
    members = members or {}
    letter = Tick(id=name.id, cadence=name.cadence, created_at=now, priority=name.priority)
    source = members.get("source")
    shown = {
        **letter.dump(),
        **_past(members),
        "source": source if isinstance(source, str) else "file",
        "payload": mapping(members.get("payload")),
        "file": escaped(file),
        "outcome": {
            "status": "dead",
            "class": fault.code,
            "reason": fault.message,
            "finished_at": rfc3339(now),
            "raw": f"{name.file}{RAW}",
            "cure": CURES.get(
                fault.code, f"fix the file and move it back to inbox/, or `cadence dead purge {name.id}`"
            ),
        },
    }
    if is_id(members.get("id")) and members.get("id") != name.id:
        shown["origin_id"] = members["id"]
    temporary = f"{home.tmp}/{name.file}"
    files.discard(temporary)
    files.write_new(temporary, strictjson.dumps(shown))
    with contextlib.suppress(FileExistsError):
        files.place(temporary, f"{home.dead}/{name.file}")


def complete(home: Home, file_names: list[str], max_bytes: int, now: float) -> list[str]:
    """Write the letters that a crash kept from raw bytes in dead/; the names of those letters."""
    have = set(file_names)
    lonely = [raw for raw in file_names if raw.endswith(SUFFIX + RAW) and raw.removesuffix(RAW) not in have]
    written = []
    for raw in lonely:
        name = parse_name(raw.removesuffix(RAW))
        if name is None:
            continue
        members: dict[str, Any] | None = None
        try:
            members = examine(f"{home.dead}/{raw}", max_bytes)
            fault = BadTick("recovered", "buried shortly before a crash, which took the reason along")
        except BadTick as found:
            fault = found
        write_letter(home, name, raw, fault, members, now)
        written.append(name.file)
    if written:
        files.sync_folder(home.dead)
    return written


def _members(path: str) -> dict[str, Any] | None:
    """What can be learnt from a file that is refused: it may still say whose it is."""
    try:
        value = strictjson.loads(files.read(path, 1 << 20))
    except (OSError, ValueError, strictjson.BadJSON):
        return None
    return value if isinstance(value, dict) else None


def _past(members: dict[str, Any]) -> dict[str, Any]:
    """What was asked with a tick, and what its runs came to; nothing where the members are no tick's."""
    try:
        # One that a loop of follow-ups made is a tick but for that.
        check_members({**members, "hops": 0} if type(members.get("hops")) is int else members)
    except BadTick:
        return {}
    return {key: members[key] for key in _TOLD if key in members}


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something unknown")
