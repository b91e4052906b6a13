"""Where things lie in a bus home, and how a home is found."""

from __future__ import annotations

import errno
import os
import sys

from cadencebus.errors import IOTrouble, Misconfigured, NotPermitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.errors import CadenceError

LAYOUT = 1
FOLDERS = (
    "inbox",
    "deferred",
    "claimed",
    "done",
    "dead",
    "tmp",
    "runs",
    "keys",
    "holds",
    "cadences",
    "events",
)
# What is no file of ours, or shut to us: no disk that refuses, which passes.
FOR_A_PERSON = frozenset({errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO})


# What the kernel takes as a path, less room for the longest name that a run, a tick or a torn file may have.
LONGEST_ROOT = (1024 if sys.platform == "darwin" else 4096) - 296


class NoHome(Misconfigured):
    """No home was named, and there is none here or above."""


class Home:
    """A bus home: every path of it, as plain strings."""

    __slots__ = ("prompts", "root", "settings", "state", *FOLDERS)

    inbox: str
    deferred: str
    claimed: str
    done: str
    dead: str
    tmp: str
    runs: str
    keys: str
    holds: str
    cadences: str
    events: str

    def __init__(self, root: str) -> None:
        self.root = root
        self.settings = f"{root}/cadence.yaml"
        self.prompts = f"{root}/prompts"
        self.state = f"{root}/state"
        for folder in FOLDERS:
            setattr(self, folder, f"{root}/state/{folder}")

    @property
    def stop(self) -> str:
        """The emergency stop: while this file is there, nothing is claimed or spawned."""
        return f"{self.state}/STOP"

    @property
    def format(self) -> str:
        """The file that holds the layout's version."""
        return f"{self.state}/FORMAT"

    @property
    def consumer(self) -> str:
        """What the live consumer says of itself."""
        return f"{self.state}/consumer.json"

    @property
    def open_circuits(self) -> str:
        """The snapshot of the open circuits; absent when none is open."""
        return f"{self.state}/circuit-open.json"

    def prompt(self, cadence: str) -> str:
        """The file that defines a cadence."""
        return f"{self.prompts}/{cadence}.md"

    def memory(self, cadence: str) -> str:
        """What the bus remembers of a cadence."""
        return f"{self.cadences}/{cadence}.json"

    def journal(self, day: str) -> str:
        """What happened on a UTC day."""
        return f"{self.events}/{day}.jsonl"

    def folder(self, cwd: str | None) -> str:
        """The folder that a cadence's `cwd` means: the home itself, or one relative to it."""
        return os.path.normpath(os.path.join(self.root, os.path.expanduser(cwd or ".")))

    def run(self, tick_id: str, number: int) -> str:
        """The folder of one run."""
        return f"{self.runs}/{tick_id[:4]}-{tick_id[4:6]}-{tick_id[6:8]}/{tick_id}.{number}"


def find_home(flag: str | None, environ: Mapping[str, str], cwd: str | None = None) -> Home:
    """The home that is meant: `--home`, `$CADENCE_HOME`, or the nearest folder upward that is one."""
    given = flag or environ.get("CADENCE_HOME")
    if given:
        root = os.path.abspath(os.path.expanduser(given))
        if not _is_home(root):
            _refuse_shut(root)
            _refuse_half(root)
            said = "--home" if flag else "CADENCE_HOME"
            if os.path.isfile(root):
                raise Misconfigured(f"{said}={given}: a file, not a bus home", next_step="name its folder")
            lacks = "it has no state/ and prompts/" if os.path.isdir(root) else "there is no such folder"
            raise Misconfigured(f"{said}={given}: not a bus home, {lacks}", next_step=f"cadence init {given}")
        return _understood(Home(root))
    folder = cwd or here()
    while True:
        if _is_home(folder):
            return _understood(Home(folder))
        _refuse_half(folder)
        up = os.path.dirname(folder)
        if up == folder:
            raise NoHome(
                "no bus home here or above: no folder with state/ and prompts/",
                next_step="cadence init my-bus, or name a home: --home DIR or CADENCE_HOME",
            )
        folder = up


def here() -> str:
    """The current folder, which may have been removed under our feet."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise Misconfigured("the current folder is gone", next_step="cd into one, or say --home") from None


def _understood(home: Home) -> Home:
    check_layout(home)
    return home


def check_layout(home: Home) -> None:
    """Refuse a layout that this version does not know: not even a hand may move what it may misread."""
    if (length := len(os.fsencode(home.root))) > LONGEST_ROOT:
        raise Misconfigured(
            f"the path of the home is {length} bytes long, {LONGEST_ROOT} at most: {home.root[:60]}…",
            next_step="move it, or make one, nearer to the root",
        )
    try:
        # No link is followed and no pipe waited for.
        fd = os.open(home.format, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(home, error) from None
    try:
        said = os.read(fd, 64).strip()
    except OSError as error:
        raise _unreadable(home, error) from None
    finally:
        os.close(fd)
    if not said.isdigit() or int(said) > LAYOUT:
        raise Misconfigured(
            f"{home.format} says layout {said.decode('ascii', 'replace')!r}: this version knows {LAYOUT}",
            next_step="upgrade cadencebus"
            if said.isdigit()
            else f"mv {home.format} {home.format}.old, then: cadence init {home.root}",
        )


def _unreadable(home: Home, error: OSError) -> CadenceError:
    """What is no file of ours is for a person to mend; a disk or a machine in trouble is tried again."""
    if isinstance(error, PermissionError):
        return _not_permitted(home.format, home.state, error)
    kind = Misconfigured if error.errno in FOR_A_PERSON else IOTrouble
    return kind(f"{home.format}: {error.strerror}")


def _refuse_shut(root: str) -> None:
    """Refuse a folder that nobody but its owner may look into: whether it is a home can't be told."""
    try:
        os.stat(f"{root}/state")
    except PermissionError as error:
        raise _not_permitted(root, root, error) from None
    except OSError:
        return


def _not_permitted(what: str, folder: str, error: OSError) -> CadenceError:
    """What to type where permissions keep us out depends on whose the folder is."""
    import pwd  # noqa: PLC0415 - only where a home is refused

    try:
        owner = os.stat(folder).st_uid
        ours = owner == os.geteuid()
        step = f"chmod -R u+rwX {folder}" if ours else f"sudo -u {pwd.getpwuid(owner).pw_name} cadence …"
    except (OSError, KeyError):
        step = "run as its owner"
    return NotPermitted(f"{what}: {error.strerror}", next_step=step)


def _refuse_half(root: str) -> None:
    """Refuse what was a home, or was cloned without its state: another one further up is not meant."""
    if os.path.isfile(f"{root}/state/FORMAT"):
        # With an empty one in its place, waiting ticks would die as unknown.
        raise Misconfigured(
            f"{root} is half a home: prompts/ is missing",
            next_step=f"put it back (`git checkout`, a backup), or `cadence init {root}` for an empty one",
        )
    if os.path.isfile(f"{root}/cadence.yaml") and os.path.isdir(f"{root}/prompts"):
        raise Misconfigured(
            f"{root} is half a home: state/ is missing",
            next_step=f"put it back (a backup), or `cadence init {root}` for an empty one",
        )


def _is_home(root: str) -> bool:
    return os.path.isdir(f"{root}/state") and os.path.isdir(f"{root}/prompts")
