"""Running what a service manager is told, one command after the other, and saying what became of each."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.model.legible import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.units.activation import Order

_WITHIN = 60.0
_PAUSE = 0.5
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """A command that was run: its end, and what it said about it."""

    order: Order
    code: int
    said: str

    @property
    def well(self) -> bool:
        """Whether it did what it should, or nobody minds."""
        return self.code == 0 or self.order.may_fail

    def dump(self) -> dict[str, Any]:
        """The object for --json."""
        return {"command": str(self.order), "exit_code": self.code, "said": self.said}


def obey(orders: Sequence[Order]) -> list[Obeyed]:
    """Run them all: one that fails keeps none of the others from being tried."""
    return [_obey(order) for order in orders if not (order.unless and _run(order.unless, None, {})[0] == 0)]


def well(order: Order) -> bool:
    """Whether a command succeeds."""
    return _obey(order).code == 0


def _obey(order: Order) -> Obeyed:
    deadline = time.monotonic() + order.again_within
    while True:
        code, said = _run(order.argv, order.stdin, dict(order.environment))
        if code == 0 or time.monotonic() >= deadline:
            return Obeyed(order=order, code=code, said=said)
        time.sleep(_PAUSE)


def _run(argv: Sequence[str], stdin: str | None, more: dict[str, str]) -> tuple[int, str]:
    try:
        ended = subprocess.run(  # noqa: S603 - the service manager's own command
            argv,
            input=(stdin or "").encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment() | more,
            timeout=_WITHIN,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]} is not found in PATH"
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)
    lines = ended.stdout.decode("utf-8", "replace").strip().splitlines()
    return ended.returncode, one_line(" / ".join(lines), _SHOWN)


def _environment() -> dict[str, str]:
    """After `su` nobody says where the user's manager listens; it is always the same place."""
    there = f"/run/user/{os.getuid()}"
    found = dict(os.environ)
    if "XDG_RUNTIME_DIR" not in found and os.path.isdir(there):
        found["XDG_RUNTIME_DIR"] = there
    return found
