"""The machine: Python and its packages, the clock, what the kernel grants."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from cadencebus.checkup.finding import found
from cadencebus.checkup.finding_kinds import KINDS
from cadencebus.clock import day, parse_rfc3339
from cadencebus.daemon import gc_daily
from cadencebus.model import strictjson
from cadencebus.model.foreign import mapping
from cadencebus.policy import clock_trust
from cadencebus.policy.retention import DAY
from cadencebus.session import process_tree
from cadencebus.store import fitness, gc_state, journal, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient

_PYTHON = (3, 11)
_FEW_FILES = 256
_FIRST_YEAR, _LAST_YEAR = "2024", "2100"
# The steps of NTP, and of a machine that has just woken up.
_BEHIND = 300.0
_NEEDED = re.compile(r"([A-Za-z0-9_.-]+)\s*(?:[^;]*?>=\s*([0-9.]+))?")


def python(_: Patient) -> Iterator[Finding]:
    """The interpreter, and the packages that cadencebus was installed with."""
    if sys.version_info < _PYTHON:
        yield found("python.old", f"Python {sys.version.split()[0]} is too old: 3.11 is needed")
    for line in metadata.requires("cadencebus") or ():
        wanted = _NEEDED.match(line)
        if wanted is None or "extra ==" in line or ("sys_platform" in line and sys.platform not in line):
            continue
        try:
            version = metadata.version(wanted[1])
        except metadata.PackageNotFoundError:
            yield found("package.missing", f"the package {wanted[1]} is not installed")
            continue
        if wanted[2] and _parts(version) < _parts(wanted[2]):
            yield found("package.old", f"{wanted[1]} {version} is installed, {wanted[2]} is needed")


def _parts(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def clock(patient: Patient) -> Iterator[Finding]:
    """A sane year."""
    today = day(patient.now)
    if not _FIRST_YEAR <= today[:4] < _LAST_YEAR:
        yield found("clock.insane", f"the clock says {today}")


def clock_here(patient: Patient) -> Iterator[Finding]:
    """No jump since the last gc, nothing from the future in the journal."""
    newest = _last_line_at(patient)
    if newest is not None and newest - patient.now > _BEHIND:
        ahead = newest - patient.now
        spelled = f"{ahead / DAY:.0f} days" if ahead > DAY else f"{ahead / 60:.0f} minutes"
        yield found("clock.behind", f"the clock stands {spelled} before the journal's last line")
    known = gc_state.load(patient.home)
    if known is not None:
        known = clock_trust.judge(known, gc_daily.read_clocks())
        if known.doubt:
            yield found("clock.jumped", f"{known.doubt}, or so it seems")


def _last_line_at(patient: Patient) -> float | None:
    days = journal.days(patient.home)
    if not days:
        return None
    for line in reversed(runs.tail(patient.home.journal(days[-1])).splitlines()):
        try:
            return parse_rfc3339(mapping(strictjson.loads(line))["at"])
        except (strictjson.BadJSON, ValueError, KeyError, TypeError, AttributeError):
            continue
    return None


def kernel(patient: Patient) -> Iterator[Finding]:
    """Room for inotify watches, and for open files; a look at processes."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        yield found("files.few", f"a process may have {soft} files open")
    if not process_tree.LINUX:
        return
    if why := fitness.blind():
        yield found("proc.missing", why)
    number, deaf = _inotify(), _deaf(patient)
    if deaf is not None:
        what = f"the consumer (pid {deaf}) watches no folder, new ticks wait for its next look"
        yield found("inotify.short", what, f"{KINDS['inotify.short'].cure}, then cadence restart")
    elif number in {errno.EMFILE, errno.ENFILE} and not patient.consumed:
        yield found(
            "inotify.short", f"no inotify instance is left: {_limit('max_user_instances')} are allowed"
        )
    elif number == errno.ENOSPC:
        yield found("inotify.short", f"no inotify watch is left: {_limit('max_user_watches')} are allowed")


def _inotify() -> int:
    """Try to watch a folder; the error's number, 0 where it works."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return ctypes.get_errno()
    try:
        return ctypes.get_errno() if libc.inotify_add_watch(fd, b"/", 0x100) < 0 else 0
    finally:
        os.close(fd)


def _deaf(patient: Patient) -> int | None:
    """The consumer, where none of its open files is an inotify instance: it may itself have the last."""
    pid = patient.consumer.pid
    if pid is None or not patient.consumed:
        return None
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return None
    return None if "anon_inode:inotify" in links else pid


def _limit(name: str) -> str:
    with open(f"/proc/sys/fs/inotify/{name}", encoding="ascii") as file:
        return file.read().strip()
