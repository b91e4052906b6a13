"""The durable write: nobody else in this program calls rename, link or fsync on the bus's files.

Order is everything here. Data is synced before a name points to it, a name is synced before it is
spoken of, and a failed fsync is never repeated on the same descriptor (the kernel may have dropped
the dirty pages and would now say "fine"): the file is written anew or the error is reported.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What F_FULLFSYNC says on file systems that lack it: macFUSE, SMB, WebDAV, virtual machines' shares.
_NO_FULL_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS}
FILE_MODE = 0o600
FOLDER_MODE = 0o700


def sync(fd: int) -> None:
    """Make a descriptor's data survive a power cut."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - only here, and enqueue is counted in milliseconds

        try:
            # fsync on macOS stops at the drive's cache; F_FULLFSYNC goes through it.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _NO_FULL_SYNC:
                raise
        else:
            return
    os.fsync(fd)


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(path, _FOLDER)
    try:
        sync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however often the kernel takes only some."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def create(path: str) -> int:
    """Open a file that did not exist, for its owner alone."""
    return os.open(path, _CREATE, FILE_MODE)


def write_new(path: str, data: bytes, *, durable: bool = True) -> None:
    """Create a file that did not exist, whole and synced, or leave nothing behind."""
    fd = create(path)
    try:
        try:
            write_all(fd, data)
            if durable:
                sync(fd)
        finally:
            os.close(fd)
    except OSError:
        discard(path)
        raise


def discard(path: str) -> None:
    """Remove a file of ours if it is there; what cannot be removed is left to `gc`."""
    try:
        os.unlink(path)
    except OSError:
        return


def place(source: str, target: str) -> None:
    """Give a finished file its name, never onto another: FileExistsError instead."""
    # link + unlink rather than rename: plain rename overwrites silently.
    os.link(source, target, follow_symlinks=False)
    discard(source)


def exists(path: str) -> bool:
    """Whether a name is taken, be it by a broken symbolic link; other troubles raise."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def size(path: str) -> int:
    """How large a file is; 0 where there is none."""
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


def any_there(folder: str, names: Iterable[str]) -> bool:
    """Whether one of these names is taken in a folder: for every tick many are asked for that never are."""
    for name in names:
        try:
            os.lstat(f"{folder}/{name}")
        except FileNotFoundError:
            continue
        return True
    return False


def move(source: str, target: str) -> None:
    """Rename to a name that is free; FileExistsError where it is taken."""
    # Only the holder of the home's lock moves files into the folders where this is used, so nothing but
    # a person's hand can come between look and rename; that person is looking at the folder.
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def replace(temporary: str, target: str, data: bytes, *, durable: bool = True) -> None:
    """Put new content under a name that may exist: readers see the old or the new, never a mixture."""
    write_new(temporary, data, durable=durable)
    try:
        os.rename(temporary, target)
    except OSError:
        discard(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(target))


def read(path: str, limit: int) -> bytes:
    """Read a small regular file, following no link; ValueError where it is something else or larger."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return read_fd(fd, limit)
    finally:
        os.close(fd)


def read_fd(fd: int, limit: int) -> bytes:
    """Read an open regular file whole; ValueError past the limit."""
    import stat  # noqa: PLC0415 - enqueue never reads

    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise ValueError("not a regular file")
    chunks, size = [], 0
    while chunk := os.read(fd, min(limit + 1 - size, 1 << 16)):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise ValueError(f"more than {limit} bytes")
    return b"".join(chunks)


def make_folder(path: str) -> bool:
    """Make a folder only its owner enters; False where it exists."""
    try:
        os.mkdir(path, FOLDER_MODE)
    except FileExistsError:
        return False
    return True


def sync_folders(paths: Iterable[str]) -> None:
    """Sync each folder once, in the order given."""
    for path in dict.fromkeys(paths):
        sync_folder(path)
