"""The commands that make a service manager take notice of units, as data: nothing is run here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cadencebus.units.plan import Manager

_SYSTEMCTL = ("systemctl", "--user")
# launchd lets go of an agent in its own time; until then it won't take the new one.
_LETS_GO_WITHIN = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command to run: what it is told, whether it may fail, when it needn't run at all."""

    argv: tuple[str, ...]
    stdin: str | None = None
    may_fail: bool = False
    unless: tuple[str, ...] = ()
    again_within: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [*(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())]
        return " ".join([*words, shlex.join(self.argv)])


def listens(manager: Manager, uid: int) -> Order | None:
    """A command that succeeds where the manager listens; None where none is needed."""
    if manager == "systemd":
        return Order(argv=(*_SYSTEMCTL, "show-environment"))
    return Order(argv=("launchctl", "print", f"gui/{uid}")) if manager == "launchd" else None


def before_removal(manager: Manager, files: Sequence[str], uid: int) -> list[Order]:
    """Before units are taken away: stop what they started, sessions excepted."""
    if not files:
        return []
    if manager == "systemd":
        return [Order(argv=(*_SYSTEMCTL, "disable", "--now", *_startable(files)), may_fail=True)]
    return [_bootout(file, uid) for file in files]


def after_writing(
    manager: Manager, folder: str, files: Sequence[str], changed: Sequence[str], uid: int
) -> list[Order]:
    """After units were written: start all of them, anew those that were there with another text."""
    if manager == "systemd":
        # The service of a timer is not started for having changed: that would put a tick in.
        again = [file for file in _startable(files) if file in changed]
        return [
            Order(argv=(*_SYSTEMCTL, "daemon-reload")),
            Order(argv=(*_SYSTEMCTL, "enable", "--now", *_startable(files))),
            *([Order(argv=(*_SYSTEMCTL, "restart", *again))] if again else []),
        ]
    orders = [_bootout(file, uid) for file in changed]
    for file in files:
        target = _target(file, uid)
        orders.append(Order(argv=("launchctl", "enable", target), may_fail=True))
        orders.append(
            Order(
                argv=("launchctl", "bootstrap", f"gui/{uid}", f"{folder}/{file}"),
                unless=() if file in changed else ("launchctl", "print", target),
                again_within=_LETS_GO_WITHIN,
            )
        )
    return orders


def restart(manager: Manager, consumer: str, uid: int) -> Order:
    """A new consumer in place of the one that runs."""
    if manager == "systemd":
        return Order(argv=(*_SYSTEMCTL, "restart", consumer))
    return Order(argv=("launchctl", "kickstart", "-k", _target(consumer, uid)))


def after_removal(manager: Manager) -> list[Order]:
    """After units were taken away."""
    return [Order(argv=(*_SYSTEMCTL, "daemon-reload"), may_fail=True)] if manager == "systemd" else []


def _startable(files: Sequence[str]) -> list[str]:
    """The units that are started by themselves: a service that has a timer is the timer's."""
    return [file for file in files if not _of_a_timer(file, files)]


def _of_a_timer(file: str, files: Sequence[str]) -> bool:
    return file.endswith(".service") and f"{file.removesuffix('.service')}.timer" in files


def _target(file: str, uid: int) -> str:
    return f"gui/{uid}/{file.removesuffix('.plist')}"


def _bootout(file: str, uid: int) -> Order:
    return Order(argv=("launchctl", "bootout", _target(file, uid)), may_fail=True)
