"""`cadence enqueue`: put a tick in, durably, in near bare-interpreter time.

The plain form loads neither argparse nor json; everything dearer is imported where it is asked for.
"""

from __future__ import annotations

import os
import sys

from cadencebus.desk import enqueue_checks
from cadencebus.errors import Usage
from cadencebus.model.naming import is_id
from cadencebus.store import inlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

HELP = """usage: cadence enqueue NAME [--payload JSON|@FILE|-] [--set k=v …]
                       [--in 10m|--at TIME] [--priority N] [--key K] [--ttl D]
                       [--source S] [--force] [--wait [--timeout D]]
       cadence enqueue --batch FILE|-

Puts a tick into the queue and prints its id. Exit 0: it is on disk. 66: no such
cadence. 73: refused, nothing is visible. 74: don't know (to enqueue it again
with the same --key is safe). 75: the queue is full.

  --payload JSON|@FILE|-   an object, handed to the run as data
  --set k=v                a member of the payload; v is JSON if it can be
  --in 10m, --at TIME      not before then (14:30, 2026-12-01 09:00, RFC 3339)
  --priority N             0 first, 9 last (default: the cadence's own)
  --key K                  a second tick with this key is a `duplicate`
  --ttl D                  not worth running after that long
  --source S               who asks (default: cli)
  --force                  past holds and full slots, never past a stop
  --wait                   until it is finished; exits as `cadence wait` does
  --timeout D              with --wait: give up after that time, exit 75
  --batch FILE|-           one tick object per JSON line, all or none

  cadence enqueue inbox-triage
  cadence enqueue report --set week=47 --in 2h --key report-47
  jq -c '.[]' jobs.json | cadence enqueue --batch -
"""
_WITH_VALUE = (
    "--payload",
    "--set",
    "--in",
    "--at",
    "--priority",
    "--key",
    "--ttl",
    "--source",
    "--batch",
    "--timeout",
)
_BARE = ("-h", "--help", "--wait", "--force")


def main(words: list[str], context: Context) -> int:
    """Parse by hand, put, print the id."""
    options, names = _parse(words)
    if "help" in options:
        sys.stdout.write(HELP)
        return 0
    if "batch" in options:
        from cadencebus.desk.batch import put_batch  # noqa: PLC0415 - not on the fast path

        if names or len(options) > 1 or len(options["batch"]) > 1:
            raise Usage("--batch goes alone: each line says for itself what the other options would")
        return put_batch(options["batch"][0], context)
    if len(names) != 1:
        extra = f", and {names[1]!r} is one word too many" if names else ""
        raise Usage(f"enqueue wants the name of one cadence{extra}", next_step="cadence enqueue --help")
    name, home = names[0], context.home
    within = _timeout(options)
    enqueue_checks.check_cadence(home, name)
    enqueue_checks.check_room(home, 1)
    tick_id = _put(home, name, options)
    if context.json:
        sys.stdout.write(f'{{"id": "{tick_id}", "cadence": "{name}"}}\n')
    else:
        sys.stdout.write(f"{tick_id}\n")
        if sys.stderr.isatty() and not context.quiet:
            _say_why_it_waits(home)
    if "wait" in options:
        from cadencebus.cli.wait import until_finished  # noqa: PLC0415 - not on the fast path

        sys.stdout.flush()
        return until_finished(home, [tick_id], context, timeout=within)
    return 0


def _say_why_it_waits(home: Home) -> None:
    """At a terminal, say why nothing happens where no consumer is up."""
    from cadencebus.desk.stdio import to_stderr  # noqa: PLC0415 - not on the fast path
    from cadencebus.store import lock  # noqa: PLC0415 - likewise

    sys.stdout.flush()
    if os.path.lexists(home.stop):
        to_stderr("stopped: nothing starts until cadence start")
    elif not lock.is_held(home):
        to_stderr("no consumer is up: cadence up, or cadence run --drain")


def _timeout(options: dict[str, list[str]]) -> float | None:
    """How long --wait may take; said before anything is put in."""
    if "timeout" not in options:
        return None
    from cadencebus.desk.moments import duration  # noqa: PLC0415 - only where there is one

    if "wait" not in options:
        raise Usage("--timeout goes with --wait")
    return duration("--timeout", options["timeout"][-1])


def _parse(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    options: dict[str, list[str]] = {}
    names: list[str] = []
    flag = ""
    it = iter(words)
    for word in it:
        if word == "--":
            names += it
        elif word in _BARE:
            options["help" if word == "-h" else word[2:]] = []
        elif word.startswith("--"):
            flag, value = _with_value(word, it)
            options.setdefault(flag[2:], []).append(value)
        elif word.startswith("-") and word != "-":
            raise _unknown(word)
        elif flag == "--set" and "=" in word:
            # `--set k=v k=v`: no cadence is called so.
            options["set"].append(word)
        else:
            names.append(word)
    return options, names


def _with_value(word: str, following: Iterator[str]) -> tuple[str, str]:
    flag, equals, value = word.partition("=")
    if flag in _BARE:
        raise Usage(f"enqueue: {flag} takes no value", next_step="cadence enqueue --help")
    if flag not in _WITH_VALUE:
        raise _unknown(flag)
    if equals:
        return flag, value
    for value in following:
        return flag, value
    raise Usage(f"{flag} wants a value")


def _unknown(flag: str) -> Usage:
    from cadencebus.desk.nearest import meant  # noqa: PLC0415 - only for a mistake

    hint = meant(flag, (*_WITH_VALUE, *_BARE))
    return Usage(f"enqueue: no option {flag}{hint}", next_step="cadence enqueue --help")


def _put(home: Home, name: str, options: dict[str, list[str]]) -> str:
    more, not_before, most = "", None, None
    if options or "CADENCE_TICK_ID" in os.environ:
        most = enqueue_checks.most_bytes(home)
        more, not_before = _members(options, most)
    priority = options.get("priority", [None])[-1]
    source = options.get("source", ["cli"])[-1]
    if not (
        source and source.isascii() and source.isprintable() and '"' not in source and "\\" not in source
    ):
        raise Usage("--source takes plain characters")
    if priority is not None and priority not in tuple("0123456789"):
        raise Usage(f"--priority {priority}: 0 to 9 is allowed")
    return inlet.put_small(
        home,
        name,
        source=source,
        priority=None if priority is None else int(priority),
        more=more,
        not_before=not_before,
        most=most,
    )


def _members(options: dict[str, list[str]], most: int) -> tuple[str, float | None]:
    """What the dearer options add to the tick, as JSON members, and when it is due."""
    more = ""
    if "CADENCE_TICK_ID" in os.environ:
        more += _parentage(os.environ["CADENCE_TICK_ID"])
    if "force" in options:
        more += ', "force": true'
    if "payload" in options or "set" in options:
        from cadencebus.desk.payload import payload_of  # noqa: PLC0415 - only where there is one

        more += f', "payload": {payload_of(options, most)}'
    if "key" in options:
        import json  # noqa: PLC0415 - a key may be any text

        from cadencebus.desk.payload import utf8  # noqa: PLC0415 - likewise

        key = utf8("--key", options["key"][-1])
        if not key:
            # A variable that was never set: all its ticks but the first would be duplicates.
            raise Usage("--key is empty: whatever has no key of its own goes without one")
        more += f', "key": {json.dumps(key)}'
    not_before = None
    if "in" in options or "at" in options or "ttl" in options:
        from cadencebus.desk.moments import expiry, moment  # noqa: PLC0415 - only where there is one

        not_before = moment(options)
        more += expiry(options)
    return more, not_before


def _parentage(parent: str) -> str:
    """Inside a run: the new tick is a child, one hop further."""
    hops = os.environ.get("CADENCE_HOPS", "0")
    # One hop too many is not refused here, where only a run would hear of it: it ends in dead/.
    count = (int(hops) if hops.isascii() and hops.isdigit() else 0) + 1
    more = f', "hops": {count}'
    # The parent's id comes from the environment: only what is an id is written down.
    if is_id(parent):
        more += f', "parent": "{parent}"'
    return more
