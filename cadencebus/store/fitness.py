"""Whether a home can keep the promises: layout, owner, one local file system."""

from __future__ import annotations

import os
import pwd
import re
import stat
import sys
from typing import TYPE_CHECKING

from cadencebus.errors import Misconfigured
from cadencebus.store.paths import FOLDERS, Home, check_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINUX = sys.platform.startswith("linux")
# File systems on which rename or flock do not do what they do on a disk.
REFUSED = {
    "nfs": "a network file system",
    "nfs4": "a network file system",
    "cifs": "a network file system",
    "smb2": "a network file system",
    "smb3": "a network file system",
    "smbfs": "a network file system",
    "afpfs": "a network file system",
    "9p": "a network file system",
    "ceph": "a network file system",
    "afs": "a network file system",
    "glusterfs": "a network file system",
    "fuse.sshfs": "a network file system",
    "fuse.glusterfs": "a network file system",
    "fuse.s3fs": "a network file system",
    "fuse.rclone": "a network file system",
    "fuse.davfs": "a network file system",
    "davfs": "a network file system",
    "webdav": "a network file system",
    "macfuse": "a network file system",
    "osxfuse": "a network file system",
    "vfat": "a FAT file system, which has no links and no owners",
    "msdos": "a FAT file system, which has no links and no owners",
    "exfat": "an exFAT file system, which has no links and no owners",
}
# These keep every promise but the one about power cuts.
FORGETFUL = {"tmpfs": "its content is gone after a reboot", "ramfs": "its content is gone after a reboot"}
FORGETFUL["overlay"] = "its content goes with the container"
# Folders of a Mac's login that are not what they seem to be.
_GUARDED = "macOS lets no service in there that has no Full Disk Access"
UNEASY = {
    "desktop": _GUARDED,
    "documents": _GUARDED,
    "downloads": _GUARDED,
    "library/mobile documents": "iCloud moves files away from there, and back when they are opened",
    "library/cloudstorage": "its files are moved into a cloud, and back when they are opened",
}
# Where a Linux tells of processes and of its boot. A chroot may lack it all, a hardened service the latter.
_TOLD_IN = ("/proc/self/stat", "/proc/stat")
# Where udev keeps what it found on each disk.
_UDEV = "/run/udev/data"
# How the kernel spells what would end a field: blank, tab, line end, backslash. All else stands as it is.
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(path: str, mounts: str | None = None) -> str:
    """The type of the file system a path lies on; `unknown` where nobody says."""
    real, best, kind = os.path.realpath(path), "", "unknown"
    for point, its_kind in _mounted(mounts) if _LINUX or mounts is not None else _mounted_on_mac():
        # The longest mount point above the path holds it; of two on one point the later one shows.
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, its_kind
    return (_on_its_disk(best) or kind) if kind == "fuseblk" else kind


def _on_its_disk(point: str) -> str | None:
    """What udev found on the disk that a program serves: NTFS keeps the promises, exFAT has no links."""
    try:
        device = os.stat(point).st_dev
        note = f"{_UDEV}/b{os.major(device)}:{os.minor(device)}"
        with open(note, encoding="utf-8", errors="replace") as told:
            return next((line.rpartition("=")[2].strip() for line in told if "ID_FS_TYPE=" in line), None)
    except OSError:
        return None


def _mounted(mounts: str | None) -> Iterator[tuple[str, str]]:
    """Each mount point with the type of what is mounted there, from the text that the kernel gives."""
    if mounts is None:
        try:
            with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as lines:
                mounts = lines.read()
        except OSError:
            return
    for line in mounts.split("\n"):
        fields = line.split(" ")
        if len(fields) >= len(("device", "point", "type")):
            yield _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[1]), fields[2]


def _mounted_on_mac() -> Iterator[tuple[str, str]]:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    return ((part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True))


READ_ONLY = "the disk is mounted read-only"
FULL = "the disk is full"
NO_INODES = "no inode is free"
# With less than this no tick is accepted.
_ROOM = 1 << 20


def shut(path: str) -> str | None:
    """Why the disk there takes nothing more; None where it does, or where it can't be asked."""
    try:
        room = os.statvfs(path)
    except OSError:
        return None
    if room.f_flag & os.ST_RDONLY:
        return READ_ONLY
    if room.f_bavail * room.f_frsize < _ROOM:
        return FULL
    # There are file systems that count none.
    return NO_INODES if room.f_files and not room.f_favail else None


def uneasy(path: str, login: str) -> str | None:
    """Why a home had better not lie there, on a Mac; None where nothing is known against it."""
    inside = os.path.relpath(os.path.realpath(path), os.path.realpath(login)).lower() + "/"
    return next((why for folder, why in UNEASY.items() if inside.startswith(f"{folder}/")), None)


def check(home: Home) -> None:
    """Refuse a home that can't keep the promises, with the reason and what to do (exit 78)."""
    check_layout(home)
    device = _check_folder(home.state, None)
    for folder in FOLDERS:
        _check_folder(f"{home.state}/{folder}", device)
    kind = file_system(home.state)
    if kind in REFUSED:
        raise Misconfigured(
            f"{home.state} lies on {kind}: {REFUSED[kind]}; renames and locks can't be trusted there",
            next_step="move the home to a local disk",
        )


def check_machine() -> None:
    """Refuse a machine where nobody can tell what a run has left behind (exit 78)."""
    if why := blind():
        raise Misconfigured(why, next_step="mount /proc, whole: mount -t proc proc /proc")


def blind() -> str | None:
    """Why processes can't be seen here; None where they can."""
    missing = next((path for path in _TOLD_IN if _LINUX and not os.path.exists(path)), None)
    return missing and f"there is no {missing}: what a run leaves behind could not be found"


def _check_folder(path: str, device: int | None) -> int:
    try:
        at = os.lstat(path)
    except FileNotFoundError:
        raise Misconfigured(
            f"{path} does not exist", next_step="cadence doctor --fix, which makes what is missing"
        ) from None
    if stat.S_ISLNK(at.st_mode):
        raise Misconfigured(
            f"{path} is a symbolic link, where a folder belongs", next_step="put a real folder there"
        )
    if not stat.S_ISDIR(at.st_mode):
        raise Misconfigured(f"{path} is not a folder", next_step="move it away and run cadence init")
    if device is not None and at.st_dev != device:
        raise Misconfigured(
            f"{path} lies on another file system than state/: a rename between them can be cut in two",
            next_step="put all of state/ on one file system",
        )
    if at.st_mode & 0o022:
        who = "the world" if at.st_mode & 0o002 else "its group"
        raise Misconfigured(
            f"{path} may be written by {who}: anybody there could have commands run",
            next_step=f"chmod 700 {path}",
        )
    if foreign(path, at):
        owner = user(at.st_uid)
        raise Misconfigured(f"{path} belongs to {owner}, not to you", next_step=ownership_cure(path, owner))
    return at.st_dev


def foreign(path: str, at: os.stat_result) -> bool:
    """Whether it is another user's; root's own will do where we may write there all the same."""
    ours, roots = at.st_uid == os.geteuid(), at.st_uid == 0
    return not ours and not (roots and os.access(path, os.W_OK | os.X_OK))


def user(number: int) -> str:
    """A user's name, or its number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def ownership_cure(path: str, owner: str) -> str:
    """What to type where a folder is somebody else's."""
    mine = f"sudo chown -R {user(os.geteuid())} {path}"
    return mine if owner.startswith("user ") else f"sudo -u {owner} cadence …, or {mine}"
