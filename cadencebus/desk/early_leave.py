"""Told to leave while it is still being loaded: a consumer that is stopped at once has not failed."""

from __future__ import annotations

import os
import signal


def allow() -> None:
    """Until the loop takes over, leave at SIGTERM and SIGHUP as it would: nothing has been begun yet."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What a parent ignores (nohup) stays ignored.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(*_: object) -> None:
    os._exit(os.EX_OK)
