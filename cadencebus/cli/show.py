"""`cadence show`: a tick's whole story."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cadencebus.cli import output
from cadencebus.cli.finding import Found, find
from cadencebus.cli.options import Parser
from cadencebus.cli.reasons import why_it_waits
from cadencebus.store import runs
from cadencebus.store.corrupt import load_object

if TYPE_CHECKING:
    from cadencebus.cli.context import Context


def main(words: list[str], context: Context) -> int:
    """Tell where a tick is, what was tried, how it ended, and where everything lies."""
    parser = Parser(
        "show",
        "Everything about a tick.",
        "  cadence show 7f3k9q2m\n  cadence --json show 7f3k | jq .attempts",
    )
    parser.add_argument("tick", help="its id, or any unique part of it")
    asked = parser.parse_args(words)
    found = find(context.home, asked.tick)
    path = f"{context.home.state}/{found.folder}/{found.file}"
    try:
        members = load_object(path)
    except ValueError:
        members = {"id": found.name.id, "cadence": found.name.cadence}
    folders = [f"runs/{run.path.split('/runs/')[1]}" for run in runs.every(context.home, found.name.id)]
    wait = why_it_waits(context.home, found, members) if found.state in {"inbox", "deferred"} else None
    if context.json:
        output.emit_json(
            {
                "state": found.state,
                "file": f"{found.folder}/{found.file}",
                "waits": wait,
                "runs": folders,
                **members,
            }
        )
        return 0
    for name, value in _head(found, members, wait):
        sys.stdout.write(f"{output.bold(name.ljust(9))} {output.safe(value)}\n")
    for attempt in members.get("attempts", []):
        _attempt(attempt)
    for folder in folders:
        sys.stdout.write(f"{output.bold('run'.ljust(9))} state/{folder}/\n")
    return 0


def _head(found: Found, members: dict[str, Any], wait: str | None) -> list[tuple[str, object]]:
    outcome = members.get("outcome") or {}
    rows: list[tuple[str, object]] = [
        ("tick", found.name.id),
        ("cadence", found.name.cadence),
        ("state", f"{found.state}  (state/{found.folder}/{found.file})"),
        ("created", f"{members.get('created_at', '?')} by {members.get('source', '?')}"),
    ]
    if wait:
        rows.append(("waits", wait))
    rows += [
        (key, members[key])
        for key in ("payload", "key", "not_before", "expires_at", "parent", "retry_of")
        if members.get(key)
    ]
    if outcome:
        rows.append(
            ("outcome", f"{outcome.get('status')}: {outcome.get('reason')}  ({outcome.get('finished_at')})")
        )
        rows += [(key, outcome[key]) for key in ("cure", "logs", "raw", "absorbed") if outcome.get(key)]
    return rows


def _attempt(attempt: dict[str, Any]) -> None:
    how = (
        f"exit {attempt.get('exit_code')}"
        if attempt.get("signal") is None
        else f"signal {attempt.get('signal')}"
    )
    counted = "" if attempt.get("counted") or attempt.get("class") == "ok" else ", not counted"
    line = f"{attempt.get('started_at')}  {attempt.get('class')} ({how}{counted}): {attempt.get('reason')}"
    name = f"attempt {attempt.get('n')}".ljust(9)
    sys.stdout.write(f"{output.bold(name)} {output.safe(line)}\n")
    for text in str(attempt.get("stderr_tail") or "").splitlines()[-8:]:
        sys.stdout.write(f"          | {output.safe(text)}\n")
