"""The home: its layout, its owner and permissions, its file system, how much room is left."""

from __future__ import annotations

import functools
import os
import stat
from typing import TYPE_CHECKING

from cadencebus.checkup.finding import found
from cadencebus.errors import CadenceError
from cadencebus.model.wording import some
from cadencebus.session import process_tree
from cadencebus.store import files, fitness
from cadencebus.store.paths import FOLDERS, check_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.store.paths import Home

_MIB = 1 << 20
_FULL, _LOW = 32 * _MIB, 512 * _MIB
_FEW_INODES = 10_000
_PUT_BACK = "put it back (git checkout, a backup), or cadence init for an empty one"


def layout(patient: Patient) -> Iterator[Finding]:
    """Each folder is there, is one, and lies on one file system; the layout is a known one."""
    home = patient.home
    if not os.path.isdir(home.root):
        yield found("home.missing", f"{home.root} is not a folder", f"cadence init {home.root}")
        return
    try:
        check_layout(home)
    except CadenceError as error:
        cure = error.next_step or f"mv {home.format} {home.format}.old, then: cadence init {home.root}"
        yield found("home.format", error.message, cure)
        # Of an unknown layout it is not known what is missing.
        return
    missing: list[str] = []
    device = _seen(home.state)
    for folder in (home.prompts, home.state, *(f"{home.state}/{name}" for name in FOLDERS)):
        yield from _folder(folder, os.path.relpath(folder, home.root), device, missing)
    if device is not None and home.prompts in missing:
        # An empty one in its place, and what waits would die as unknown: that is for a person to decide.
        missing.remove(home.prompts)
        yield found("home.folder_missing", "prompts/: not there", _PUT_BACK)
    if missing:
        short = some([f"{os.path.relpath(folder, home.root)}/" for folder in missing], 4)
        yield found("home.folder_missing", f"{short}: not there", mend=functools.partial(_make, missing))


def _folder(path: str, short: str, state: os.stat_result | None, missing: list[str]) -> Iterator[Finding]:
    try:
        at = os.lstat(path)
    except FileNotFoundError:
        missing.append(path)
        return
    except NotADirectoryError:
        # What stands in the way has its own finding.
        return
    if stat.S_ISLNK(at.st_mode) and short.startswith("state"):
        yield found("home.link", f"{short} is a symbolic link, where a folder belongs")
    elif not os.path.isdir(path):
        yield found("home.not_folder", f"{short} is not a folder")
    elif state is not None and short.startswith("state/") and at.st_dev != state.st_dev:
        yield found("home.other_file_system", f"{short} lies on another file system than state/")


def _make(missing: list[str]) -> None:
    for folder in missing:
        files.make_folder(folder)
        files.sync_folder(os.path.dirname(folder))


def permissions(patient: Patient) -> Iterator[Finding]:
    """Nobody else writes or reads here, and we can write."""
    home = patient.home
    private = [home.state, *(f"{home.state}/{name}" for name in FOLDERS)]
    foreign: list[str] = []
    # Where nothing can be written at all, no mode is to blame.
    sealed = fitness.shut(home.state) == fitness.READ_ONLY
    for folder in private:
        at = _seen(folder)
        if at is None or not stat.S_ISDIR(at.st_mode):
            continue
        short = os.path.relpath(folder, home.root)
        close = functools.partial(os.chmod, folder, files.FOLDER_MODE)
        if fitness.foreign(folder, at):
            foreign.append(short)
        elif at.st_mode & 0o022:
            who = "the world" if at.st_mode & 0o002 else "its group"
            yield found("home.permissions", f"{short} may be written by {who}", mend=close)
        elif at.st_mode & 0o055 and folder == home.state:
            yield found("home.open", f"{short} may be entered by others", mend=close)
        elif at.st_mode & 0o700 != 0o700 or not (sealed or os.access(folder, os.W_OK | os.X_OK)):  # noqa: PLR2004 - rwx
            yield found("home.permissions", f"{short} can't be written by you", mend=close)
    if foreign:
        yield _not_ours(home, foreign)
    yield from _writable_by_others(patient)


def _not_ours(home: Home, foreign: list[str]) -> Finding:
    """One finding, however many folders: they were all made, or given away, by one hand."""
    owner = fitness.user(os.lstat(f"{home.root}/{foreign[0]}").st_uid)
    what = f"{some(foreign)} belong{'s' if len(foreign) == 1 else ''} to {owner}, not to you"
    return found("home.owner", what, fitness.ownership_cure(home.state, owner))


def _writable_by_others(patient: Patient) -> Iterator[Finding]:
    """Files that say which commands are run, and that others may write."""
    home = patient.home
    loose = []
    for path in (home.prompts, home.settings, *(home.prompt(name) for name in patient.prompts.names())):
        at = _seen(path)
        if at is not None and at.st_mode & 0o022 and not stat.S_ISLNK(at.st_mode):
            loose.append(path)
    if loose:
        short = some([os.path.relpath(path, home.root) for path in loose])
        yield found(
            "prompts.writable", f"{short} may be written by others", mend=functools.partial(_shut, loose)
        )


def _shut(paths: list[str]) -> None:
    for path in paths:
        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & ~0o022)


def _seen(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def file_system(patient: Patient) -> Iterator[Finding]:
    """The file system: its type, its room."""
    place = patient.home.state if os.path.isdir(patient.home.state) else patient.home.root
    if not os.path.isdir(place):
        return
    kind = fitness.file_system(place)
    if kind in fitness.REFUSED:
        yield found("home.network", f"the home lies on {kind}: {fitness.REFUSED[kind]}")
    elif kind in fitness.FORGETFUL:
        yield found("home.forgetful", f"the home lies on {kind}: {fitness.FORGETFUL[kind]}")
    if not process_tree.LINUX and (why := fitness.uneasy(place, os.path.expanduser("~"))):
        yield found("home.uneasy", f"the home lies in {os.path.dirname(patient.home.root)}: {why}")
    room = os.statvfs(place)
    if room.f_flag & os.ST_RDONLY:
        yield found("home.read_only", "the home's file system is mounted read-only")
    free, whole = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    if free < _FULL:
        yield found("disk.full", f"{free / _MIB:.0f} MiB are free where the home lies")
    elif free < _LOW and free < whole / 20:
        yield found("disk.low", f"{free / _MIB:.0f} MiB are free where the home lies")
    if room.f_files and room.f_favail < _FEW_INODES:
        worse = found("inodes.few", f"{room.f_favail} inodes are free where the home lies")
        yield worse if room.f_favail else worse.at("ill")
