"""Work waits for a thread where the system gives no more of them; none of it is done behind a failure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cadencebus.workers import Workers

# Room for so many more stacks, then none; twenty pieces of work, each long enough for others to be begun.
POOR = """
import resource, sys, threading, time
from cadencebus.workers import Workers
with open("/proc/self/statm") as statm:
    now = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    workers = Workers(20)
except OSError as error:
    sys.exit(error.strerror)
done = [workers.submit(time.sleep, 0.005) for _ in range(20)]
print(threading.active_count() - 1, len([work.result() for work in done]))
"""


def test_what_is_taken_on_is_done_and_failures_are_handed_on() -> None:
    """A result, an exception; nothing more once the pool is closed."""
    with Workers(2) as workers:
        assert workers.submit(pow, 2, 3).result() == 8
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 1, 0).result()
    with pytest.raises(RuntimeError):
        workers.submit(int)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="limits the address space by what /proc says"
)
def test_few_threads_do_all_of_the_work_and_none_is_an_error() -> None:
    """Where the system gives fewer than are wanted."""
    few = subprocess.run(
        [sys.executable, "-c", POOR, str(24 << 20)], capture_output=True, text=True, check=False
    )
    threads, done = few.stdout.split()
    assert (0 < int(threads) < 20, int(done)) == (True, 20), few.stderr
    none = subprocess.run(
        [sys.executable, "-c", POOR, str(1 << 20)], capture_output=True, text=True, check=False
    )
    assert none.returncode == 1
    assert none.stderr.startswith("the system gives no thread")
