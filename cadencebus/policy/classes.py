"""Every way a tick can end, as one table: what it counts, what becomes of the tick, what people are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Literal


class Class(StrEnum):
    """How a tick or one of its runs ended; the words stand in files and never change."""

    OK = "ok"
    CONTRACT_MISSING = "contract_missing"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    DUPLICATE = "duplicate"
    ABSORBED = "absorbed"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    BILLING = "billing"
    OVERLOADED = "overloaded"
    NETWORK = "network"
    NEVER_RAN = "never_ran"
    NO_RESOURCES = "no_resources"
    BAD_PROMPT = "bad_prompt"
    TURN_LIMIT = "turn_limit"
    BUDGET = "budget"
    PROMPT_TOO_LONG = "prompt_too_long"
    REFUSED = "refused"
    OUTPUT_LIMIT = "output_limit"
    INVALID_REQUEST = "invalid_request"
    RESUME_UNKNOWN = "resume_unknown"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    WEDGED = "wedged"
    LOG_OVERFLOW = "log_overflow"
    KILLED = "killed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    TRUNCATED = "truncated"
    CRASH = "crash"
    EX_CONFIG = "ex_config"
    EX_TEMPFAIL = "ex_tempfail"


class Fate(Enum):
    """What becomes of a tick whose run ended so."""

    DONE = auto()
    """It lies in done/."""
    RETRY = auto()
    """Again, until its retries are used up."""
    AGAIN = auto()
    """Again, as if nothing had been tried."""
    DEAD = auto()
    """A dead letter at once: trying again can't help."""
    KILLED = auto()
    """In done/, because somebody wanted it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One class: its numbers for the machine, its words for people."""

    counted: bool
    """Whether the run counts toward `retries`."""
    circuit: Literal["fails", "closes", "leaves"]
    """What it does to the cadence's circuit."""
    fate: Fate
    fresh_helps: bool = False
    """A run that resumed a session may do better with a fresh one."""
    status: str = "dead"
    """The status of the outcome where this run is the tick's last."""
    saying: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one run is judged: its class, why in one line, and what of the class holds for this run."""

    klass: Class
    reason: str
    retry_at: float | None = None
    counted: bool
    counts_circuit: bool


def _done(saying: str, cure: str = "Nothing is to be done.", *, status: str) -> Row:
    return Row(counted=False, circuit="leaves", fate=Fate.DONE, status=status, saying=saying, cure=cure)


def _failed(saying: str, cure: str) -> Row:
    return Row(counted=True, circuit="fails", fate=Fate.RETRY, saying=saying, cure=cure)


def _hopeless(saying: str, cure: str) -> Row:
    return Row(counted=True, circuit="fails", fate=Fate.DEAD, fresh_helps=True, saying=saying, cure=cure)


def _again(saying: str, cure: str) -> Row:
    return Row(counted=False, circuit="leaves", fate=Fate.AGAIN, saying=saying, cure=cure)


def _not_blamed(saying: str, cure: str) -> Row:
    """It counts toward `retries`, and says nothing of whether the cadence is well."""
    return Row(counted=True, circuit="leaves", fate=Fate.RETRY, saying=saying, cure=cure)


CLASSES: dict[Class, Row] = {
    Class.OK: Row(
        counted=False,
        circuit="closes",
        fate=Fate.DONE,
        status="ok",
        saying="the work is done",
        cure="Nothing is to be done.",
    ),
    Class.CONTRACT_MISSING: _failed(
        "it ended well, but `expect` is not met",
        "Read the run's log. If it was not permitted to, say `permission_mode` or `allowed_tools`; else make "
        "the prompt say what `expect` demands, or correct `expect`.",
    ),
    Class.SKIPPED: _done("its guard found nothing to do", status="skipped"),
    Class.EXPIRED: _done(
        "it waited longer than it was worth running",
        "If that happens often, raise `ttl` or make the queue shorter.",
        status="expired",
    ),
    Class.DUPLICATE: _done("a tick with the same key came before it", status="duplicate"),
    Class.ABSORBED: _done("a run of the same cadence did its work, too", status="absorbed"),
    Class.RATE_LIMITED: _again(
        "the account has reached a usage or rate limit",
        "Wait for the reset; raise the plan, lower the schedules, or use other credentials.",
    ),
    Class.AUTH: _again(
        "the agent is not signed in, or not allowed",
        "Sign in again or correct the key, then release the hold.",
    ),
    Class.BILLING: _again(
        "the account has no credit left",
        "Add credit or settle the invoice, then release the hold.",
    ),
    Class.OVERLOADED: _failed(
        "the API is overloaded or broken", "Usually it passes; look at the provider's status page."
    ),
    Class.NETWORK: _failed(
        "the API could not be reached", "Check the network, the proxy and DNS of this machine."
    ),
    Class.NEVER_RAN: _again(
        "the program could not start",
        "Correct the command, its flags, its model or its configuration; a changed file releases the hold.",
    ),
    Class.NO_RESOURCES: _again(
        "the machine had no room to start a run",
        "Free memory, disk, processes or file descriptors, or lower max_sessions.",
    ),
    Class.BAD_PROMPT: Row(
        counted=True,
        circuit="leaves",
        fate=Fate.DEAD,
        saying="the prompt holds bytes that no prompt may hold",
        cure="Remove the control bytes from the payload or the prompt, and put the tick in again.",
    ),
    Class.TURN_LIMIT: _not_blamed("it used up its turns", "Raise max_turns, or give it less to do."),
    Class.BUDGET: _not_blamed("it used up its money", "Raise max_usd, or give it less to do."),
    Class.PROMPT_TOO_LONG: _hopeless(
        "the prompt or the conversation is too long for the model",
        "Shorten prompt and payload, or start from a fresh session.",
    ),
    Class.REFUSED: _hopeless("the model refused", "Reword the prompt; trying it again unchanged can't help."),
    Class.OUTPUT_LIMIT: _hopeless(
        "the answer was longer than the model may write", "Ask for less at a time."
    ),
    Class.INVALID_REQUEST: _hopeless(
        "the API called the request invalid",
        "Read the message; often the CLI is out of date, or the session is broken.",
    ),
    Class.RESUME_UNKNOWN: _again(
        "the session to resume is unknown",
        "It starts afresh by itself; sessions belong to one cwd and one configuration folder.",
    ),
    Class.TIMEOUT: _failed("it ran longer than its timeout", "Raise `timeout`, or give it less to do."),
    Class.STALLED: _failed(
        "it was silent for too long", "Read the end of its log; raise `idle_timeout` if it was at work."
    ),
    Class.WEDGED: _failed(
        "its probe called it wedged", "Read the end of its log, and what the probe looked at."
    ),
    Class.LOG_OVERFLOW: _failed(
        "it wrote more log than is allowed", "Make it quieter, or raise max_log_bytes."
    ),
    Class.KILLED: Row(
        counted=False,
        circuit="leaves",
        fate=Fate.KILLED,
        status="killed",
        saying="an operator killed it",
        cure="Put it in again if it is still wanted.",
    ),
    Class.ABORTED: _failed(
        "it was cut short, not by the bus",
        "Read the end of its log; look for the out-of-memory killer, a logout, or somebody's kill.",
    ),
    Class.INTERRUPTED: _again(
        "the consumer or the machine died under it",
        "Look why: power, memory, or a kill -9; the tick runs again.",
    ),
    Class.TRUNCATED: _failed(
        "its output was cut off", "Look for a full disk, or something that reads its output."
    ),
    Class.CRASH: _failed("it failed", "Read the end of its standard error."),
    Class.EX_CONFIG: Row(
        counted=True,
        circuit="fails",
        fate=Fate.DEAD,
        saying="the command says that it is misconfigured",
        cure="Correct what the command complains of, then `cadence dead retry`.",
    ),
    Class.EX_TEMPFAIL: _not_blamed(
        "the command says to try again later", "Usually it passes; read the end of its standard error."
    ),
}


def verdict_on(
    klass: Class, reason: str, *, retry_at: float | None = None, counts_circuit: bool | None = None
) -> Verdict:
    """A verdict with what its class says, but for what is told otherwise."""
    row = CLASSES[klass]
    fails = row.circuit == "fails"
    return Verdict(
        klass=klass,
        reason=reason,
        retry_at=retry_at,
        counted=row.counted,
        counts_circuit=fails if counts_circuit is None else fails and counts_circuit,
    )
