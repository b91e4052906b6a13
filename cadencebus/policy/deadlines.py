"""When to end a run: its time-out, its silence, its grace after a result, the size of its log."""

from __future__ import annotations

from dataclasses import dataclass

from cadencebus.model.duration import in_digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The deadlines of a run; 0 switches a watch off."""

    timeout: float
    idle_timeout: float
    result_grace: float
    max_log_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was seen of a run; all times on the monotonic clock."""

    started: float
    last_output: float
    log_bytes: int
    believed_until: float | None = None
    result_at: float | None = None


@dataclass(frozen=True, slots=True)
class EndRun:
    """End the run, for this class and reason."""

    klass: str
    detail: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Let it run; look again at this monotonic time."""

    at: float


# The shim ends the run at `timeout`; the consumer acts only where the shim did not.
SHIM_SLACK = 5.0


def judge(limits: Limits, signs: Signs, now: float) -> EndRun | LookAgain:
    """End the run for the first deadline that has passed, or say when to look again."""
    deadlines: list[tuple[float, EndRun]] = [
        (
            signs.started + limits.timeout + SHIM_SLACK,
            EndRun("timeout", f"{in_digits(limits.timeout)} s"),
        )
    ]
    if limits.max_log_bytes and signs.log_bytes > limits.max_log_bytes:
        return EndRun(
            "log_overflow", f"{signs.log_bytes} bytes of log, where {limits.max_log_bytes} are allowed"
        )
    if signs.result_at is not None:
        said = f"still alive {in_digits(limits.result_grace)} s after its result"
        deadlines.append((signs.result_at + limits.result_grace, EndRun("result_grace", said)))
    elif limits.idle_timeout:
        # A stream that says what it waits for is believed, up to its own bound.
        silent_until = max(signs.last_output + limits.idle_timeout, signs.believed_until or 0.0)
        deadlines.append(
            (silent_until, EndRun("stalled", f"no output for {in_digits(limits.idle_timeout)} s"))
        )
    passed = [stop for at, stop in deadlines if at <= now]
    return passed[0] if passed else LookAgain(min(at for at, _ in deadlines))
