"""The first process of a container: it reaps orphans, and hands signals on to the consumer.

The kernel makes it the parent of every orphan. A consumer waits for its own children only, and the others,
once they have ended, would stay in the table of processes until that is full.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

_HANDED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
# What a terminal sends, it sends to the whole group: handed on, one Ctrl-C would count for two.
_OF_A_TERMINAL = {signal.SIGINT, signal.SIGQUIT}


def stay_behind() -> int | None:
    """Fork: the child goes on, with None; the first process stays until that has ended: its exit code."""
    # Blocked they wait; the first process of a container would not even get what it has no handler for.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_HANDED_ON, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return None
    while (status := _reap(child)) is None:
        _hand_on(child)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _hand_on(child: int) -> None:
    """Wait for a signal. The end of a child is one, too."""
    if sys.platform == "linux":  # The first process of a Mac is nobody's program.
        told = signal.sigwaitinfo({*_HANDED_ON, signal.SIGCHLD})
        by_the_kernel = told.si_code > 0
        if told.si_signo != signal.SIGCHLD and not (by_the_kernel and told.si_signo in _OF_A_TERMINAL):
            os.kill(child, told.si_signo)


def _reap(child: int) -> int | None:
    """Reap every child that has ended; the status of this one, if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                found = ended[1]
    return found
