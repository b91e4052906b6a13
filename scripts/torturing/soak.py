"""Ten sessions at once that misbehave at random, under a consumer that is killed, stopped and replaced.

A point is a seed. Afterwards every tick has ended once, with the class that its misbehaviour deserves.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from torturing import audit, deserts, scratch
from torturing.ground import SETTINGS, fresh
from torturing.report import Report
from torturing.waiting import until

if TYPE_CHECKING:
    from torturing.modes import Options

SESSIONS = 10
# More would wait in the queue than a short soak can see the end of.
WAITING = 12
ROUND = 60.0
LATE = 3.0
SLOTS = SETTINGS.replace("max_sessions: 2", f"max_sessions: {SESSIONS}")
SOAKED = f"{SLOTS}max_log_bytes: {deserts.MAX_LOG}\n{deserts.RUNNERS}"


def main(options: Options) -> Report:
    """As many rounds as there is time for, each with a seed and a home of its own."""
    report = Report("soak")
    seeds = [int(point) for point in options.points]
    deadline = time.monotonic() + options.seconds
    seed = options.seed
    while seeds or (not options.points and (not report.tried or time.monotonic() < deadline)):
        chosen = seeds.pop(0) if seeds else seed
        seed += 1
        soak = Soak(chosen, options.mutant)
        length = options.seconds if options.points else max(5.0, deadline - time.monotonic())
        report.add(str(chosen), soak.run(min(ROUND, length)))
        report.notes.append(soak.summary())
    return report


class Soak:
    """One round."""

    def __init__(self, seed: int, mutant: str | None) -> None:
        self.seed = seed
        self.rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.ground = fresh(mutant=mutant, settings=SOAKED)
        for name, text in deserts.prompts().items():
            (self.ground.root / "prompts" / f"{name}.md").write_text(text)
        self.consumer: subprocess.Popen[bytes] | None = None
        self.killed: set[str] = set()
        self.faults: list[str] = []
        self.strikes: dict[str, int] = {}
        self.peak_kb = 0

    def run(self, seconds: float) -> list[str]:
        """Soak, let an ordinary consumer end it all, look."""
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                self._ensure_consumer()
                self._produce()
                time.sleep(self.rng.uniform(0.1, 0.9))
                self._strike()
            self._leave()
            done = self.ground.drain()
            if done.returncode:
                self.faults.append(f"the last consumer: exit {done.returncode}: {done.stderr[-300:]}")
            if "Traceback" in self.ground.said + done.stderr or "fault of cadencebus" in self.ground.said:
                self.faults.append(f"a fault of its own: {self.ground.said[-800:]}")
            return self.faults + audit.settled(self.ground) + deserts.judged(self.ground, self.killed)
        finally:
            self._leave()
            scratch.put_down(self.ground.root.parent)
            self.ground.remove()

    def summary(self) -> str:
        """What there was of it, in a line."""
        ticks = len(self.ground.acknowledged)
        struck = ", ".join(f"{name} {n}" for name, n in sorted(self.strikes.items()))
        return f"seed {self.seed}: {ticks} ticks; {struck}; consumer {self.peak_kb} kB"

    def _ensure_consumer(self) -> None:
        if self.consumer is None or self.consumer.poll() is not None:
            self.consumer = self.ground.behind("run")

    def _produce(self) -> None:
        """A batch of ticks; now and then its producer is killed, and has promised nothing."""
        lying = sum(len(os.listdir(self.ground.state / name)) for name in ("inbox", "deferred"))
        names = self.rng.choices(sorted(deserts.DESERTS), k=max(0, min(6, WAITING - lying)))
        if not names:
            return
        lines = [json.dumps({"cadence": name, "payload": {"n": self.rng.random()}}) for name in names]
        (self.ground.root / "batch.jsonl").write_text("\n".join(lines) + "\n")
        producer = self.ground.start("enqueue", "--batch", "batch.jsonl")
        if self.rng.random() < 0.1:  # noqa: PLR2004 - one in ten
            time.sleep(self.rng.uniform(0.0, 0.1))
            producer.kill()
            self._count("producer killed")
        out, _ = producer.communicate(timeout=20)
        self.ground.acknowledged += out.split()

    def _strike(self) -> None:
        """Something happens to the consumer, to a shim, or to a session."""
        acts = {
            self._kill_consumer: 5,
            self._replace_consumer: 3,
            self._stop_consumer: 2,
            self._kill_shim: 2,
            self._kill_session: 2,
            self._requeue_session: 1,
            self._nothing: 4,
        }
        (act,) = self.rng.choices(list(acts), weights=list(acts.values()))
        act()
        self._count(act.__name__.strip("_").replace("_", " "))
        if self.consumer is None or self.consumer.poll() is not None:
            # Only now does nobody move ticks while they are looked for.
            self.faults += [f"meanwhile: {fault}" for fault in audit.kept(self.ground)]

    def _kill_consumer(self) -> None:
        if self.consumer is not None:
            self._measure()
            self.consumer.kill()
            self.consumer.wait(10)

    def _replace_consumer(self) -> None:
        self._leave()

    def _stop_consumer(self) -> None:
        if self.consumer is not None:
            self.consumer.send_signal(signal.SIGSTOP)
            time.sleep(self.rng.uniform(0.2, 1.5))
            self.consumer.send_signal(signal.SIGCONT)

    def _kill_shim(self) -> None:
        alive = audit.shims(self.ground)
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.rng.choice(alive), signal.SIGKILL)

    def _kill_session(self) -> None:
        tick = self._some_tick()
        if tick:
            self.ground.bus("kill", tick)
            self.killed.add(tick)

    def _requeue_session(self) -> None:
        tick = self._some_tick()
        if tick:
            self.ground.bus("kill", "--requeue", tick)

    def _nothing(self) -> None:
        """Time passes."""

    def _some_tick(self) -> str | None:
        claimed = [tick for folder, tick, _ in audit.tick_files(self.ground) if folder == "claimed"]
        return self.rng.choice(sorted(claimed)) if claimed else None

    def _leave(self) -> None:
        """SIGTERM, which a consumer obeys within two seconds and with 0, sessions or not."""
        if self.consumer is None or self.consumer.poll() is not None:
            return
        # One that has not got hold of its signals yet dies of it, as any young process does.
        pid = self.consumer.pid
        up = until(lambda: audit.leads(self.ground, pid), 5.0)
        self._measure()
        began = time.monotonic()
        self.consumer.send_signal(signal.SIGTERM)
        try:
            code = self.consumer.wait(15)
        except subprocess.TimeoutExpired:
            self.consumer.kill()
            code = 124
        took = time.monotonic() - began
        if up and (code or took > LATE):
            self.faults.append(f"SIGTERM: exit {code} after {took:.1f} s")

    def _measure(self) -> None:
        if self.consumer is None:
            return
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.consumer.pid}/status") as status:
                told = dict(line.split(":", 1) for line in status if ":" in line)
            self.peak_kb = max(self.peak_kb, int(told["VmHWM"].split()[0]))

    def _count(self, what: str) -> None:
        self.strikes[what] = self.strikes.get(what, 0) + 1
