"""The reason of an end in one line: what its class means, what is known of this run, exit code or signal."""

from __future__ import annotations

from signal import Signals

from cadencebus.model.legible import one_line, redacted


def explain(
    saying: str, detail: str, *, status: int | None, exit_code: int | None, signal: int | None
) -> str:
    """What the class means, what is known here, and the exit: `it failed: no such table (exit 3)`."""
    traces = [f"HTTP {status}"] if status else []
    if signal is not None:
        traces.append(_name(signal))
    elif exit_code:
        traces.append(f"exit {exit_code}")
    line = one_line(f"{saying}: {one_line(redacted(detail))}" if detail else saying, 300)
    return f"{line} ({', '.join(traces)})" if traces else line


def _name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
