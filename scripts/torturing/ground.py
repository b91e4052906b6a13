"""The ground that torture happens on: throw-away homes, and the real program run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import own_python

from torturing import scratch

ROOT = Path(__file__).resolve().parents[2]
MUTANT = Path(__file__).with_name("mutant.py")
REFUSING = Path(__file__).with_name("refusing.py")
TICKS_LIE_IN = ("inbox", "deferred", "claimed", "done", "dead")
FOLDERS = (*TICKS_LIE_IN, "tmp", "runs", "keys", "holds", "cadences", "events")
LOG = "ran.log"
PATIENCE = 60.0

SETTINGS = """\
max_sessions: 2
settle: 200ms
unknown_grace: 500ms
defaults:
  runner: command
  overlap: queue
  backoff: [20ms]
  kill_grace: 500ms
  circuit: {failures: 0}
"""

# Every run says when it starts and when it ends; two runs of one tick that overlap give themselves away.
_TOLD = """\
---
{keys}command:
  - sh
  - -c
  - |
    echo "start $CADENCE_TICK_ID $CADENCE_RUN_ID $$" >> "$CADENCE_HOME/ran.log"
    {work}
    echo "end $CADENCE_TICK_ID $CADENCE_RUN_ID $code" >> "$CADENCE_HOME/ran.log"
    exit $code
---
A tick under torture.
"""


def cadence(work: str, keys: str = "") -> str:
    """A prompt file whose command does `work`, sets `code`, and writes a line before and after."""
    return _TOLD.format(work=work, keys=keys)


CADENCES = {
    "plain": cadence("sleep 0.03; code=0"),
    "second": cadence('if [ "$CADENCE_ATTEMPT" -ge 2 ]; then code=0; else code=1; fi'),
    "keyed": cadence("code=0"),
    "merged": cadence("sleep 0.03; code=0", "overlap: coalesce\n"),
    "first": cadence("code=0", "then: after\n"),
    "after": cadence("code=0"),
    "dies": cadence("code=3", "retries: 0\n"),
    # Their ends come while others are being settled: they are settled together.
    "many": cadence('if [ "$CADENCE_ATTEMPT" -ge 2 ]; then code=0; else code=1; fi', "concurrency: 8\n"),
    "long": cadence("sleep 1; code=0", "concurrency: 20\n"),
}


@dataclass(kw_only=True)
class Ground:
    """One home, and how the program is run in it."""

    root: Path
    mutant: str | None = None
    refused: str | None = None
    acknowledged: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The home's state/."""
        return self.root / "state"

    @property
    def program(self) -> list[str]:
        """The program's command line: as it is, with a fault put in on purpose, or with a call refused."""
        if self.refused:
            return [own_python.find(), str(REFUSING), self.refused, self.mutant or "-"]
        if self.mutant:
            return [own_python.find(), str(MUTANT), self.mutant]
        return [own_python.find(), "-P", "-m", "cadencebus"]

    def environment(self, **more: str) -> dict[str, str]:
        """An environment in which no other bus is heard of."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CADENCE_")}
        # tests/doubles/elsewhere may be among them: then it is done on something like a Mac.
        path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
        ours = {"CADENCE_HOME": str(self.root), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | ours | more

    @property
    def said(self) -> str:
        """What a consumer in the background said on standard error."""
        path = self.root.parent / "said"
        return path.read_text(errors="replace") if path.exists() else ""

    def behind(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start the program in the background: it outlives its strace, so it must hold no pipe of ours."""
        with open(self.root.parent / "said", "ab") as said:
            return subprocess.Popen(
                [*before, *self.program, *words],
                env=self.environment(),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def start(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start the program; a watchman of words `before` it (strace, setpriv) may look on."""
        return subprocess.Popen(
            [*before, *self.program, *words],
            env=self.environment(),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def bus(
        self, *words: str, before: tuple[str, ...] = (), within: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end; one that does not end is killed and answers 124."""
        process = self.start(*words, before=before)
        try:
            out, err = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return subprocess.CompletedProcess(words, 124, out, err)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def enqueue(self, *words: str) -> str:
        """Put a tick in and remember that the bus said yes."""
        done = self.bus("enqueue", *words)
        if done.returncode:
            raise RuntimeError(f"enqueue {' '.join(words)}: {done.returncode}: {done.stderr}")
        tick_id = done.stdout.strip()
        self.acknowledged.append(tick_id)
        return tick_id

    def drain(self, within: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Let an ordinary consumer take everything to its end."""
        return self.bus("run", "--drain", within=within)

    def copy(self) -> Ground:
        """The same home once more; nothing in it may depend on where it lies."""
        target = scratch.new("home") / "home"
        shutil.copytree(self.root, target, symlinks=True)
        return Ground(root=target, mutant=self.mutant, acknowledged=list(self.acknowledged))

    def remove(self) -> None:
        """Leave nothing behind, unless somebody wants to look at it."""
        if scratch.KEEP:
            print(f"kept: {self.root}")
            return
        shutil.rmtree(self.root.parent, ignore_errors=True)


def fresh(*, mutant: str | None = None, folder: Path | None = None, settings: str = SETTINGS) -> Ground:
    """Make a home by hand, as the contract lists it."""
    parent = folder or scratch.new("home")
    root = parent / "home"
    root.mkdir(mode=0o700)
    (root / "prompts").mkdir()
    (root / "state").mkdir(mode=0o700)
    for name in FOLDERS:
        (root / "state" / name).mkdir(mode=0o700)
    (root / "state" / "FORMAT").write_text("1\n")
    (root / "cadence.yaml").write_text(settings)
    for name, text in CADENCES.items():
        (root / "prompts" / f"{name}.md").write_text(text)
    return Ground(root=root, mutant=mutant)


def mixed(*, mutant: str | None = None) -> Ground:
    """A home with a bit of everything: works, fails, dies, follows, is doubled, ends together, is late."""
    ground = fresh()
    ground.enqueue("plain")
    ground.enqueue("second")
    ground.enqueue("keyed", "--key", "once")
    ground.enqueue("keyed", "--key", "once")
    ground.enqueue("merged")
    ground.enqueue("merged")
    ground.enqueue("first")
    ground.enqueue("dies")
    for _ in range(3):
        ground.enqueue("many")
    ground.enqueue("plain", "--in", "2s")
    ground.mutant = mutant
    return ground
