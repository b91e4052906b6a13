"""The verb table, and how a command line finds its verb.

VERBS maps a name to a module *string*: only the verb that is asked for is loaded, and `enqueue` not
even argparse.
"""

from __future__ import annotations

import os
import sys

from cadencebus.desk.context import GLOBALS, Context
from cadencebus.errors import INTERRUPTED, CadenceError, Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# name: (module in cadencebus.cli, what it does)
VERBS: dict[str, tuple[str, str]] = {
    "init": ("init", "make a home"),
    "enqueue": ("enqueue", "put a tick in"),
    "run": ("run", "the consumer, in the foreground"),
    "check": ("check", "validate every cadence and cadence.yaml"),
    "up": ("up", "the consumer, in the background, kept up"),
    "down": ("down", "end that consumer; sessions go on"),
    "restart": ("restart", "a new consumer in its place"),
    "ps": ("ps", "supervisor, consumer, sessions"),
    "status": ("status", "the whole bus on one screen"),
    "top": ("top", "the same, live, with keys to act"),
    "ls": ("ls", "ticks as a table"),
    "show": ("show", "everything about a tick"),
    "logs": ("logs", "what a run printed"),
    "cadences": ("cadences", "what exists, and how it fares"),
    "next": ("next", "what is due"),
    "collisions": ("collisions", "schedules that pile up"),
    "fire": ("fire", "run a cadence now, or say why not"),
    "wait": ("wait", "wait until ticks are finished"),
    "rm": ("rm", "cancel waiting ticks"),
    "edit": ("edit", "change a waiting tick"),
    "bump": ("bump", "move waiting ticks to the front"),
    "doctor": ("doctor", "what is wrong, and what to type"),
    "holds": ("holds", "why things wait"),
    "pause": ("pause", "hold a cadence, or the whole bus"),
    "resume": ("resume", "release what is held"),
    "circuit": ("circuit", "open circuits, and their reset"),
    "dead": ("dead", "dead letters: read, retry, remove"),
    "kill": ("kill", "end a running session"),
    "stop": ("stop", "the emergency stop"),
    "start": ("start", "lift the stop"),
    "history": ("history", "runs that ended"),
    "stats": ("stats", "how each cadence fares, in numbers"),
    "metrics": ("metrics", "the same for Prometheus"),
    "install": ("install", "consumer and timers as units of systemd, launchd, cron"),
    "uninstall": ("uninstall", "remove these units"),
    "export": ("export", "the queue as one file"),
    "import": ("import_", "take in what export wrote"),
    "gc": ("gc", "archive and remove what is old"),
    "completion": ("completion", "for bash, zsh and fish"),
    "help": ("help", "the documents"),
    "proof": ("proof", "from inside a run: the work is done"),
}
_NEW_HERE = "New here? `cadence init my-bus`, then `cadence help cookbook`."
# Before which verbs the list of them has a heading.
_HEADINGS = {
    "init": "every day",
    "rm": "waiting ticks",
    "doctor": "when something is wrong",
    "history": "looking back",
    "install": "the house",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code, with everything said and flushed."""
    try:
        return _main(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        # Before there was anything to interrupt, or a second time while the first was being reported.
        return INTERRUPTED


def _main(words: list[str]) -> int:
    context = Context()
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        from cadencebus.desk.stdio import fill_closed  # noqa: PLC0415 - only where one is closed

        fill_closed()
    if hasattr(sys.stdout, "reconfigure"):
        if sys.stdout.encoding.lower() == "utf-8":
            sys.stdout.reconfigure(errors="replace")
        else:
            from cadencebus.desk.stdio import spell_plainly  # noqa: PLC0415 - a locale from before

            spell_plainly(sys.stdout)
    try:
        code = _run(context.take_globals(words), context)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - each becomes a line and an exit code
        from cadencebus.desk.error_report import report  # noqa: PLC0415 - only for a mistake

        code = report(error, debug=context.debug)
    try:
        sys.stderr.flush()
    except OSError:
        from cadencebus.desk.stdio import silence_if_broken  # noqa: PLC0415 - only where it fails

        silence_if_broken(sys.stderr)
    return code


def _run(words: list[str], context: Context) -> int:
    if not words:
        sys.stderr.write(f"{all_verbs()}{_here(context)}\n")
        return Usage.exit_code
    if words[0] in {"-h", "--help"}:
        sys.stdout.write(f"{all_verbs()}{_NEW_HERE}\n")
        return 0
    if words[0] in {"-V", "--version", "version"}:
        from cadencebus import __version__  # noqa: PLC0415 - asked for

        sys.stdout.write(f"cadence {__version__}\n")
        return 0
    found = VERBS.get(words[0])
    if found is None:
        raise _unknown(words[0])
    if words[0] == "run":
        from cadencebus.desk.early_leave import allow  # noqa: PLC0415 - loading what it needs takes a while

        allow()
        if os.getpid() == 1:
            from cadencebus.desk.first_process import stay_behind  # noqa: PLC0415 - only in a container

            if (ended := stay_behind()) is not None:
                return ended
    module = __import__(f"cadencebus.cli.{found[0]}", fromlist=["main"])
    try:
        return int(module.main(words[1:], context))
    except SystemExit as ended:
        # argparse has printed the help that was asked for; its errors are our own.
        return int(ended.code or 0)


def _here(context: Context) -> str:
    """The state of the home in which `cadence` was typed alone."""
    from cadencebus.desk.overview import overview  # noqa: PLC0415 - asked for
    from cadencebus.desk.status_screen import headline  # noqa: PLC0415 - asked for
    from cadencebus.store.paths import NoHome  # noqa: PLC0415 - asked for

    try:
        return f"\n{headline(overview(context.home))}"
    except NoHome:
        return _NEW_HERE
    except CadenceError as error:
        return f"\n{error.message}\n  → {error.next_step or 'cadence doctor'}"


def _unknown(word: str) -> Usage:
    from cadencebus.desk.nearest import meant  # noqa: PLC0415 - only for a mistake

    what = "option" if word.startswith("-") else "verb"
    return Usage(f"no {what} {word!r}{meant(word, (*VERBS, *GLOBALS))}", next_step="cadence --help")


def all_verbs() -> str:
    """All verbs, a line each, by what one is about to do."""
    lines = [
        "usage: cadence VERB …",
        "",
        "The small, durable bus between “it is time” and “it was done”.",
    ]
    for verb, (_, what) in VERBS.items():
        if verb in _HEADINGS:
            lines += ["", _HEADINGS[verb]]
        lines.append(f"  {verb:<11} {what}")
    lines += [
        "",
        "Everywhere: --home DIR, --json, --quiet, --debug. More: `cadence VERB --help`.",
        "",
    ]
    return "\n".join(lines)
