"""A consumer that is looked at a thousand times a second: `sampled.py OUT`, in the environment of its home.

Looked at is what each thread is at, waits for the disk included; threads that wait for work are passed over.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cadencebus.cli.main import main

if TYPE_CHECKING:
    from types import FrameType

_EVERY = 0.001
_OURS = f"{os.sep}cadencebus{os.sep}"
# Whoever is at one of these waits to be told something.
_AT_REST = {
    ("selectors.py", "select"),
    ("thread.py", "_worker"),
    ("run.py", "main"),
    ("threading.py", "wait"),
}


class Sampler(threading.Thread):
    """Counts where the threads are."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.places: collections.Counter[str] = collections.Counter()
        self.looks = 0

    def run(self) -> None:
        """Look for ever."""
        mine = threading.get_ident()
        while True:
            time.sleep(_EVERY)
            self.looks += 1
            for thread, frame in sys._current_frames().items():  # noqa: SLF001 - what profilers are given
                if thread != mine and (place := _place(frame)):
                    self.places[place] += 1


def _place(leaf: FrameType) -> str:
    """The innermost function of ours, and what of the standard library it has called."""
    if (os.path.basename(leaf.f_code.co_filename), leaf.f_code.co_name) in _AT_REST:
        return ""
    frame: FrameType | None = leaf
    while frame is not None and _OURS not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None or frame.f_code.co_name == "<module>":
        return ""
    module = frame.f_code.co_filename.rpartition(_OURS)[2].removesuffix(".py")
    inner = "" if frame is leaf else f" > {leaf.f_code.co_qualname}"
    return f"{module}.{frame.f_code.co_qualname}{inner}"


if __name__ == "__main__":
    out = sys.argv[1]
    sampler = Sampler()
    # Else a thread that computes is seen only where it lets go of the interpreter by itself.
    sys.setswitchinterval(0.0002)
    sampler.start()
    began = time.perf_counter()
    sys.argv = ["cadence", "run", "--drain", "--quiet"]
    code = main()
    took, cpu = time.perf_counter() - began, os.times()
    Path(out).write_text(
        json.dumps(
            {
                "seconds": took,
                "looks": sampler.looks,
                "user": cpu.user,
                "system": cpu.system,
                "places": sampler.places.most_common(40),
            }
        ),
        encoding="utf-8",
    )
    sys.exit(code)
