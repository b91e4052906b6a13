"""What is in the way of a consumer: the disk, the folders, cadence.yaml; until it is gone, none comes up."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cadencebus.desk.complaint import Complaint
from cadencebus.errors import CadenceError
from cadencebus.store import fitness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.facts import Facts
    from cadencebus.store.paths import Home

# What to type for a problem in whose words this stands; what else is wrong keeps nobody from starting.
_CURES = {
    " missing": "`cadence doctor --fix`",
    "can't be written by you": "`cadence doctor --fix`",
    "is not a folder": "move it away, then `cadence doctor --fix`",
    "cadence.yaml": "fix it, then `cadence check`",
}


def obstacles(facts: Facts) -> list[Complaint]:
    """What keeps everything from starting, and what to type before anything else."""
    found = [*_no_room(facts)]
    for problem in facts.problems:
        found += [Complaint(problem, cure) for sign, cure in _CURES.items() if sign in problem][:1]
    if not found and not facts.consumer.alive:
        found += _unfit(facts.home)
    return found


def room_wanted(home: Home) -> str:
    """What to type where the disk is full."""
    return f"`df -h {quote(home.root)}`; it goes on by itself when there is room"


def _no_room(facts: Facts) -> Iterator[Complaint]:
    """A disk that takes nothing more, before the consumer has run into it."""
    if any(hold.reason == "disk_full" for hold in facts.holds):
        return
    if (why := fitness.shut(facts.home.state)) is not None:
        cures = {
            fitness.READ_ONLY: "`dmesg | tail` says why",
            fitness.FULL: room_wanted(facts.home),
            fitness.NO_INODES: f"remove small files: `df -i {quote(facts.home.root)}`",
        }
        yield Complaint(f"{why}, nothing can be accepted", cures[why])


def _unfit(home: Home) -> Iterator[Complaint]:
    """What a consumer would be told that starts now."""
    try:
        fitness.check(home)
        fitness.check_machine()
    except CadenceError as error:
        yield Complaint(error.message, error.next_step or "`cadence doctor`")
    except OSError as error:
        yield Complaint(f"{error.filename}: {error.strerror}", "`cadence doctor`")
