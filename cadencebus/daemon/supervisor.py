"""Keeping the consumer up where no service manager does: started again when it dies, ended when it hangs.

    python -P -m cadencebus.daemon.supervisor HOME SILENT FIRST_WAIT

The consumer is a child, but never depends on it: a supervisor that is killed leaves it at work, and the next
one takes it over as it is.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339, time_of_day
from cadencebus.daemon import supervision
from cadencebus.daemon.supervision import Death, Process, State
from cadencebus.errors import TryLater
from cadencebus.policy import upkeep
from cadencebus.policy.upkeep import LetGo, Park, Restart, Upkeep
from cadencebus.store import files, lock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_POLL = 1.0
_END_WITHIN = 10.0
_LOCKS_WITHIN = 1.0
_MOST_DEATHS = 10


class SignalWaiter:
    """Waits, but not longer than until a signal: a request to leave, or the end of a child."""

    def __init__(self) -> None:
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._leave)
        # A handler that does nothing, so that the signal interrupts the wait.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _leave(self, *_: object) -> None:
        self._asked = True

    def leaving(self) -> bool:
        """Whether we were asked to go."""
        return self._asked

    def nap(self, seconds: float) -> None:
        """Wait so long, or until a signal comes."""
        if select.select([self._reader], [], [], max(0.0, seconds))[0]:
            os.read(self._reader, 4096)

    def until(self, happened: Callable[[], bool], within: float, *, pause: float = _POLL / 20) -> bool:
        """Wait until something is so; False at the time-out."""
        deadline = time.monotonic() + within
        while not happened():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.nap(min(pause, left))
        return True


class KeptConsumer:
    """The consumer that is kept up: our own child, or one that a former supervisor left."""

    def __init__(self, process: Process, child: subprocess.Popen[bytes] | None = None) -> None:
        self.process = process
        self.hung = False
        self._child = child
        self._since = time.monotonic()

    @property
    def adopted(self) -> bool:
        """Whether it was there before this supervisor."""
        return self._child is None

    def over(self) -> bool:
        """Whether it has ended."""
        return not self.process.lives() if self._child is None else self._child.poll() is not None

    def code(self, home: Home) -> int | None:
        """How it ended; one that was taken over ended well if it removed its consumer.json."""
        if self.hung:
            return None
        if self._child is not None:
            return self._child.returncode
        return None if files.exists(home.consumer) else 0

    def lived(self) -> float:
        """How long it lived, as far as this supervisor has seen."""
        return time.monotonic() - self._since

    def send(self, number: int) -> None:
        """Signal it."""
        if self._child is None:
            self.process.send(number)
        else:
            self._child.send_signal(number)


class Supervisor:
    """One consumer after the other."""

    def __init__(self, home: Home, silent: float, first_wait: float) -> None:
        me = Process.of(os.getpid(), rfc3339(time.time()))
        assert me is not None  # noqa: S101 - who asks, lives
        self._home = home
        self._silent = silent
        self._upkeep = Upkeep(first=first_wait, wait=first_wait)
        self._state = State(supervisor=me)
        self._signals = SignalWaiter()

    def keep_up(self) -> int:
        """Run until told to leave, or nothing is left to keep up; return how the last consumer ended."""
        kept = self._left_over()
        while not self._signals.leaving():
            kept = kept or self._start()
            self._say("running", consumer=kept.process)
            self._watch(kept)
            if self._signals.leaving():
                self._end(kept)
                break
            decision = self._decide(kept)
            if isinstance(decision, Park):
                self._say("parked", reason=decision.reason)
                return self._last_code() or 1
            if isinstance(decision, LetGo):
                break
            self._upkeep, kept = decision.upkeep, None
            self._signals.until(self._signals.leaving, decision.after, pause=decision.after)
        supervision.forget(self._home)
        return 0 if self._signals.leaving() else self._last_code()

    def _left_over(self) -> KeptConsumer | None:
        """The consumer of a supervisor that is no more."""
        former = supervision.load(self._home)
        if former is None or former.consumer is None or not former.consumer.lives():
            return None
        # It may be just coming up; where it never locks this home, this is a copy, and it is another home's.
        if not self._signals.until(lambda: lock.is_held(self._home), _LOCKS_WITHIN):
            return None
        self._tell(f"took over the consumer that was there, pid {former.consumer.pid}")
        return KeptConsumer(former.consumer)

    def _start(self) -> KeptConsumer:
        if self._state.deaths:
            # The lock of one that was killed is free once the last of what it forked has seen it die.
            self._signals.until(lambda: not lock.is_held(self._home), _END_WITHIN)
        with supervision.log(self._home) as log:
            child = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-P", "-m", "cadencebus", "--home", self._home.root, "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home.root,
                # Signals to our group, or a hang-up of our terminal, must not reach it.
                start_new_session=True,
            )
        now = rfc3339(time.time())
        started = Process.of(child.pid, now)
        # Of one that is dead already the start is not known; its end is reported all the same.
        return KeptConsumer(started or Process(pid=child.pid, started=0.0, boot="", since=now), child)

    def _watch(self, kept: KeptConsumer) -> None:
        """Watch it until it ends, or we are to leave; end a consumer that is silent for too long."""
        silent, beat, has_beaten = 0.0, self._beat(), kept.adopted
        # A child's end wakes us; that of one taken over has to be looked for.
        looked, pause = time.monotonic(), min(_POLL / 4 if kept.adopted else _POLL, self._silent / 4)
        while not kept.over() and not self._signals.leaving():
            self._signals.nap(pause)
            now = time.monotonic()
            # A suspended supervisor must not count the time in which the consumer was suspended, too.
            silent += min(now - looked, 2 * pause)
            looked, heard = now, self._beat()
            if heard != beat:
                silent, beat, has_beaten = 0.0, heard, True
            elif upkeep.hangs(silent, within=self._silent, has_beaten=has_beaten):
                # Where not even we can write, its silence means nothing, and ending it would not help.
                kept.hung = self._can_write()
                silent = 0.0
                if not kept.hung:
                    self._tell(f"the consumer, pid {kept.process.pid}, is silent, but nobody can write here")
            if kept.hung:
                self._tell(f"the consumer, pid {kept.process.pid}, makes no progress: ending it")
                self._end(kept)

    def _beat(self) -> tuple[int, int] | None:
        """What changes whenever the consumer shows itself; None where it does not."""
        try:
            seen = os.stat(self._home.consumer)
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_ino

    def _can_write(self) -> bool:
        probe = f"{self._home.tmp}/.supervisor.probe.{os.getpid()}"
        files.discard(probe)
        try:
            files.write_new(probe, b".", durable=False)
        except OSError:
            return False
        files.discard(probe)
        return True

    def _end(self, kept: KeptConsumer) -> None:
        """TERM, which leaves its sessions running, then KILL, which does so too."""
        kept.send(signal.SIGTERM)
        if not self._signals.until(kept.over, min(_END_WITHIN, self._silent)):
            kept.send(signal.SIGKILL)
            self._signals.until(kept.over, _END_WITHIN)

    def _decide(self, kept: KeptConsumer) -> Restart | Park | LetGo:
        lived, code = kept.lived(), kept.code(self._home)
        death = Death(at=rfc3339(time.time()), lived=round(lived, 3), code=code)
        self._state.deaths = [*self._state.deaths, death][-_MOST_DEATHS:]
        decision = upkeep.after_death(self._upkeep, lived=lived, code=code)
        ended = f"the consumer ended after {lived:.0f} s, {upkeep.spell(code)}"
        if isinstance(decision, Restart):
            self._tell(f"{ended}: again in {decision.after:g} s")
            until = rfc3339(time.time() + decision.after)
            self._say("waiting", reason=upkeep.spell(code), until=until)
        else:
            self._tell(f"{ended}: {decision.reason}")
        return decision

    def _last_code(self) -> int:
        code = self._state.deaths[-1].code if self._state.deaths else 0
        return 1 if code is None or code < 0 else code

    def _say(
        self, state: str, *, consumer: Process | None = None, reason: str = "", until: str | None = None
    ) -> None:
        self._state.state, self._state.reason, self._state.until = state, reason, until
        self._state.consumer = consumer
        supervision.save(self._home, self._state)

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{time_of_day(time.time())} supervisor: {text}\n")
            sys.stderr.flush()


def main(words: Sequence[str]) -> int:
    """Be the supervisor of a home, the only one."""
    home = Home(words[0])
    silent, first_wait = map(float, words[1:])
    with supervision.sole(home) as alone:
        if not alone:
            return TryLater.exit_code
        with supervision.log(home) as log:
            os.dup2(log, 1)
            os.dup2(log, 2)
        return Supervisor(home, silent, first_wait).keep_up()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
