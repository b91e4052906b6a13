"""Run the program while the system refuses one of its calls: `refusing.py PLAN verb …`.

A plan is `call:place:n:ERRNO:once`, the n-th call of its kind at that place of the home, whichever thread
makes it and however loaded the machine is; `…:held`, that one and every later call of its kind until the file
`lifted` lies beside the home; `random:N:SEED`, N of a thousand calls, each in one of its ways, until then; or
`record:FILE`. What is refused never reaches the kernel, and the product
knows nothing of this: Python's audit hook and a few wrapped functions of `os` stand in the way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import sys
import threading
import traceback
from collections import Counter
from typing import Any

HOME = os.environ.get("CADENCE_HOME", "")
LIFTED = f"{os.path.dirname(HOME)}/lifted"
STRUCK = f"{os.path.dirname(HOME)}/struck"

# What can be refused, and how a real system words it.
ERRORS: dict[str, tuple[str, ...]] = {
    "open": ("EIO", "EMFILE"),
    "create": ("ENOSPC", "EMFILE", "EIO"),
    "list": ("EIO", "EMFILE"),
    "stat": ("EIO",),
    "read": ("EIO",),
    "write": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "rename": ("ENOSPC", "EIO"),
    "link": ("ENOSPC", "EIO"),
    "symlink": ("ENOSPC", "EIO"),
    "unlink": ("EIO",),
    "mkdir": ("ENOSPC", "EIO"),
    "rmdir": ("EIO",),
    "flock": ("ENOLCK",),
    "send": ("EAGAIN",),
    "spawn": ("EAGAIN", "ENOMEM"),
}
_AUDITED = {
    "os.listdir": "list",
    "os.scandir": "list",
    "os.remove": "unlink",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
}
_TWO_PATHS = {"os.rename": "rename", "os.link": "link"}
_FDS = {"read": "read", "pread": "read", "write": "write", "pwrite": "write", "fsync": "fsync"}
_PATHS = {"lstat": "stat", "stat": "stat"}


def place(path: object) -> str | None:
    """The part of the home that a path lies in: `inbox`, `runs`, `prompts`, `home`; None outside."""
    if isinstance(path, int):
        try:
            path = os.readlink(f"/proc/self/fd/{path}")
        except OSError:
            return None
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    text = os.fsdecode(path)
    if text != HOME and not text.startswith(f"{HOME}/"):
        return None
    parts = text[len(HOME) + 1 :].removeprefix("state/").split("/")
    return parts[0].replace(":", "_") or "home"


class Refusal:
    """Counts the calls by kind and place, and refuses those that the plan names."""

    def __init__(self, plan: str) -> None:
        self._lock = threading.RLock()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._out = -1
        self._want: tuple[str, str, int] | None = None
        self._errno = self._begun = 0
        self._held = self._inside = False
        self._chance, self._rng = 0.0, random.Random()  # noqa: S311 - to choose, not to hide
        word, _, rest = plan.partition(":")
        if word == "record":
            self._out = os.open(rest, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        elif word == "random":
            number, seed = rest.split(":")
            self._chance = int(number) / 1000
            self._rng.seed(f"{seed} {os.getpid()}")
        else:
            where, nth, name, how = rest.split(":")
            self._want, self._held = (word, where, int(nth)), how == "held"
            self._errno = getattr(errno, name)

    def meet(self, kind: str, where: str | None, path: object = None) -> None:
        """Let a call pass, or raise what the system would."""
        # Our own calls in here are not the program's.
        if where is None or self._inside:
            return
        with self._lock:
            self._inside = True
            try:
                refused = self._refused(kind, where)
            finally:
                self._inside = False
        if refused:
            name = path if isinstance(path, (str, bytes)) else None
            raise OSError(self._errno, os.strerror(self._errno), name)

    def _refused(self, kind: str, where: str) -> bool:
        self._seen[kind, where] += 1
        nth = self._seen[kind, where]
        if self._chance:
            self._errno = getattr(errno, self._rng.choice(ERRORS[kind]))
            return self._rng.random() < self._chance and not os.path.lexists(LIFTED)
        if self._want is None:
            _write(self._out, f"{kind}:{where}:{nth}\n".encode())
            return False
        if self._begun:
            return self._held and kind == self._want[0] and not os.path.lexists(LIFTED)
        if (kind, where, nth) != self._want:
            return False
        self._begun = 1
        with open(STRUCK, "w", encoding="utf-8") as file:
            # Where it struck, for whoever has to mend it: TORTURE_KEEP leaves the home there.
            traceback.print_stack(file=file)
        return True


_write = os.write


def stand_in_the_way(refusal: Refusal) -> None:
    """Let every call of the program's pass by the refusal first."""

    def heard(event: str, words: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(words[2], int):
            refusal.meet("create" if words[2] & os.O_CREAT else "open", place(words[0]), words[0])
        elif event in _AUDITED:
            refusal.meet(_AUDITED[event], place(words[0]), words[0])
        elif event in _TWO_PATHS:
            ends = [place(words[0]), place(words[1])]
            refusal.meet(_TWO_PATHS[event], "-".join(filter(None, ends)) or None, words[0])
        elif event == "os.symlink":
            refusal.meet("symlink", place(words[1]), words[1])
        elif event == "fcntl.flock" and not words[1] & fcntl.LOCK_UN:
            refusal.meet("flock", place(words[0]))
        elif event == "socket.sendmsg":
            refusal.meet("send", "launcher")
        elif event == "subprocess.Popen":
            refusal.meet("spawn", "launcher")

    for name, kind in (_FDS | _PATHS).items():
        setattr(os, name, _wrapped(getattr(os, name), kind, refusal))
    sys.addaudithook(heard)


def _wrapped(real: Any, kind: str, refusal: Refusal) -> Any:  # noqa: ANN401 - a function of os, whatever its words
    def call(target: Any, *words: Any, **more: Any) -> Any:  # noqa: ANN401
        # A name relative to a folder is a shim's; those run in a process of their own.
        refusal.meet(kind, None if more.get("dir_fd") is not None else place(target), target)
        return real(target, *words, **more)

    return call


def main() -> int:
    """Put the refusal in the way, and a fault if one is asked for, then run the command line."""
    scripts = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    sys.path[:0] = [os.path.dirname(scripts), scripts]
    from cadencebus.cli.main import main as cadence  # noqa: PLC0415 - it is found only now

    plan, fault, *words = sys.argv[1:]
    if fault != "-":
        from torturing.mutant import FAULTS  # noqa: PLC0415

        FAULTS[fault]()
    stand_in_the_way(Refusal(plan))
    return cadence(words)


if __name__ == "__main__":
    sys.exit(main())
