"""How did it end? One ordered table, read from the top; the first rule that holds decides."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from cadencebus.model.ending import RESULT_GRACE, Report
from cadencebus.policy.classes import CLASSES, Class, Verdict, verdict_on
from cadencebus.policy.end_reason import explain
from cadencebus.policy.evidence import SIGNALLED_EXITS, Evidence
from cadencebus.policy.phrases import PHRASES, http_status, last_words
from cadencebus.policy.resets import reset_time
from cadencebus.policy.start_errors import hopeless, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from cadencebus.model.ending import Ending

__all__ = ["Rule", "Verdict", "classify", "rules"]

# A run that was aborted this soon after its start tells nothing of the cadence: a logout, a reboot.
ABORTED_EARLY_S = 45.0
# Gemini's exit codes from here on are HTTP statuses modulo 256.
GEMINI_HTTP = 400 - 256
_WORDS = {
    Class.AUTH: "auth",
    Class.RATE_LIMITED: "limit",
    Class.BILLING: "billing",
    Class.OVERLOADED: "overloaded",
}
# Ends of which the last line, if there is one, tells most.
_TOLD_LAST = frozenset({Class.CRASH, Class.EX_CONFIG, Class.EX_TEMPFAIL, Class.NEVER_RAN})
NOT_ALLOWED = ("authentication_failed", "oauth_org_not_allowed")


class Rule(NamedTuple):
    """One line of the table; a rule that holds may name the words that made it hold."""

    name: str
    holds: Callable[[Evidence], str | bool | None]
    klass: Class


def _says(meaning: str, *statuses: int) -> Callable[[Evidence], str | None]:
    """Whether the words mean that, where no HTTP status (but a vague one) says otherwise."""

    def holds(e: Evidence) -> str | None:
        found = PHRASES[meaning].search(e.said) if e.status is None or e.status in statuses else None
        return _line_at(e.said, found.start()) if found else None

    return holds


def _called(*names: str) -> Callable[[Evidence], bool]:
    return lambda e: e.called in names


def _http(*statuses: int) -> Callable[[Evidence], bool]:
    return lambda e: e.status in statuses


def _exit(*codes: int) -> Callable[[Evidence], bool]:
    return lambda e: e.exit_code in codes and e.result is None


def _gemini(*codes: int) -> Callable[[Evidence], bool]:
    """Whether Gemini left with one of its own exit codes."""
    return lambda e: e.report.stream == "gemini" and e.exit_code in codes and e.result is None


def _subtype(name: str) -> Callable[[Evidence], bool]:
    return lambda e: e.failed is not None and e.failed.subtype == name


def _terminal(reason: str) -> Callable[[Evidence], bool]:
    return lambda e: (e.terminal_reason or "").startswith(reason)


def _stopped(klass: Class) -> Callable[[Evidence], bool]:
    return lambda e: e.stopped_as == klass


def _server_trouble(e: Evidence) -> bool:
    return e.status == HTTPStatus.REQUEST_TIMEOUT or (e.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR


_BUS = (
    *(Rule(f"the bus ended it: {klass}", _stopped(klass), klass) for klass in Class),
    Rule("the bus ended it, for a reason unknown here", lambda e: e.stopped_as, Class.INTERRUPTED),
)

_START = (
    Rule("the prompt can't be given", lambda e: e.ending.spawn_what == "prompt", Class.BAD_PROMPT),
    Rule(
        "the start failed for good",
        lambda e: hopeless(e.ending.spawn_what, e.ending.spawn_error),
        Class.NEVER_RAN,
    ),
    Rule("the start lacked something", lambda e: e.ending.spawn_error is not None, Class.NO_RESOURCES),
    Rule("no record of its end", lambda e: e.ending.interrupted and e.exit_code is None, Class.INTERRUPTED),
)

_COMMAND = (
    *_START,
    Rule("exit 0, contract unmet", lambda e: e.exit_code == 0 and e.unmet, Class.CONTRACT_MISSING),
    Rule("exit 0", _exit(0), Class.OK),
    Rule("a signal", lambda e: e.signalled, Class.ABORTED),
    Rule("not found, not executable", _exit(126, 127), Class.NEVER_RAN),
    Rule("EX_TEMPFAIL", _exit(75), Class.EX_TEMPFAIL),
    Rule("EX_CONFIG", _exit(78), Class.EX_CONFIG),
    Rule("any exit will do", lambda e: e.any_will_do, Class.OK),
    Rule("another exit", lambda _: True, Class.CRASH),
)

_AGENT_SAYS = (
    Rule("any result will do", lambda e: e.exit_code == 0 and e.any_will_do, Class.OK),
    Rule("not found, not executable", _exit(126, 127), Class.NEVER_RAN),
    Rule("unknown session", lambda e: e.ending.resumed and _says("resume")(e), Class.RESUME_UNKNOWN),
    Rule("unknown session, not asked for", _says("resume"), Class.NEVER_RAN),
    Rule("turns used up", _subtype("error_max_turns"), Class.TURN_LIMIT),
    Rule("turns used up", _says("turns"), Class.TURN_LIMIT),
    Rule("turns used up", _gemini(53), Class.TURN_LIMIT),
    Rule("money used up", _subtype("error_max_budget_usd"), Class.BUDGET),
    Rule("money used up", _says("budget"), Class.BUDGET),
    Rule("interrupted", lambda e: _terminal("aborted_")(e) and e.terminal_reason, Class.ABORTED),
    Rule("interrupted", _says("interrupted"), Class.ABORTED),
    Rule("an error of the start", lambda e: e.start_error, Class.NEVER_RAN),
    Rule("no room", _says("no room"), Class.NO_RESOURCES),
    # Before the limits: an account without credit is told of its quota, too.
    Rule("no credit", _http(402), Class.BILLING),
    Rule("no credit", _called("billing_error"), Class.BILLING),
    Rule("no credit", _says("billing", 400, 403, 429), Class.BILLING),
    Rule("a limit", _http(429), Class.RATE_LIMITED),
    Rule("a limit", _called("rate_limit"), Class.RATE_LIMITED),
    Rule("a limit", _says("limit", 400, 403), Class.RATE_LIMITED),
    Rule("a limit", lambda e: e.limit_announced, Class.RATE_LIMITED),
    Rule("the answer is too long", _called("max_output_tokens"), Class.OUTPUT_LIMIT),
    Rule("the answer is too long", _says("output", 400), Class.OUTPUT_LIMIT),
    Rule("the prompt is too long", _http(413), Class.PROMPT_TOO_LONG),
    Rule("the prompt is too long", _terminal("prompt_too_long"), Class.PROMPT_TOO_LONG),
    Rule("the prompt is too long", _says("long", 400), Class.PROMPT_TOO_LONG),
    Rule("not allowed", _http(401, 403), Class.AUTH),
    Rule("not allowed", _called(*NOT_ALLOWED), Class.AUTH),
    Rule("not allowed", _says("auth", 400), Class.AUTH),
    Rule("not allowed", _gemini(41), Class.AUTH),
    Rule("no such model", _http(404), Class.NEVER_RAN),
    Rule("no such model", _called("model_not_found"), Class.NEVER_RAN),
    Rule("no such model", _says("model", 400), Class.NEVER_RAN),
    Rule("refused", lambda e: e.report.refused and e.failed is not None, Class.REFUSED),
    Rule("refused", _says("refused", 400), Class.REFUSED),
    Rule("server trouble", _server_trouble, Class.OVERLOADED),
    Rule("server trouble", _called("overloaded"), Class.OVERLOADED),
    Rule("server trouble", _says("overloaded"), Class.OVERLOADED),
    Rule("no connection", _says("network"), Class.NETWORK),
    # After the connection: the CLI calls that a server error, too.
    Rule("server trouble", _called("server_error"), Class.OVERLOADED),
    Rule("another HTTP error", lambda e: e.status is not None, Class.INVALID_REQUEST),
    Rule("invalid request", _called("invalid_request"), Class.INVALID_REQUEST),
    Rule("invalid request", _says("invalid"), Class.INVALID_REQUEST),
)

_AGENT_ENDED = (
    Rule("a signal", lambda e: e.signalled, Class.ABORTED),
    Rule("its last words are cut", lambda e: e.report.truncated, Class.TRUNCATED),
    Rule("an error of the start", _says("start"), Class.NEVER_RAN),
    Rule("an error of the start", _gemini(42, 44, 52, 55), Class.NEVER_RAN),
    Rule("no turn of a model", lambda e: e.no_turn, Class.CONTRACT_MISSING),
    Rule("contract unmet", lambda e: e.well and e.unmet, Class.CONTRACT_MISSING),
    Rule("well", lambda e: e.well, Class.OK),
    Rule("exit 0 without a result", _exit(0), Class.ABORTED),
    # Codex reports each failure of its own; a turn that just stops was interrupted.
    Rule("stopped in mid-turn", lambda e: e.report.open_turn and _exit(1)(e), Class.ABORTED),
    Rule("anything else", lambda _: True, Class.CRASH),
)

_AGENT = _START + _AGENT_SAYS + _AGENT_ENDED


def rules(*, agent: bool) -> tuple[Rule, ...]:
    """The table, as it is read for an agent or for a plain command."""
    return _BUS + (_AGENT if agent else _COMMAND)


def classify(ending: Ending, *, now: float, tz: tzinfo | None = None) -> Verdict:
    """Judge how a run ended.

    `now` is when it ended, `tz` the zone in which its CLI tells clock times (None: this machine's).
    """
    evidence = _evidence(ending)
    # Most runs come to their own end: the table's first part is not for them.
    table = _BUS if evidence.stopped_as else _AGENT if ending.agent else _COMMAND
    rule, found = next((rule, found) for rule in table if (found := rule.holds(evidence)))
    limited = rule.klass is Class.RATE_LIMITED
    early = rule.klass is Class.ABORTED and ending.ran_s < ABORTED_EARLY_S
    return verdict_on(
        rule.klass,
        _reason(rule, evidence, found if isinstance(found, str) else ""),
        retry_at=_retry_at(evidence, now, tz) if limited else None,
        counts_circuit=False if early else None,
    )


def _retry_at(e: Evidence, now: float, tz: tzinfo | None) -> float | None:
    announced = e.report.rate_limit.resets_at if e.report.rate_limit else None
    return announced if announced is not None else reset_time(e.said, now=now, tz=tz)


def _evidence(ending: Ending) -> Evidence:
    report = ending.report or Report(stream="")
    # A kill after the result is help, not a failure: the result stands.
    helped = ending.stop is not None and ending.stop.klass == RESULT_GRACE
    exit_code, signal = (0, None) if helped else (ending.exit_code, ending.signal)
    said = _said(ending, report, exit_code, signal).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    status = _http_status(report, said, exit_code)
    return Evidence(
        ending=ending, report=report, said=said, status=status, exit_code=exit_code, signal=signal
    )


def _said(ending: Ending, report: Report, exit_code: int | None, signal: int | None) -> str:
    """The words of a failure: of the result; of all output only where no event was ever told."""
    if report.result is not None:
        result = report.result
        return "" if result.good else "\n".join((result.text, *result.errors, result.subtype))
    ended_oddly = signal is not None or exit_code in (0, *SIGNALLED_EXITS) or report.truncated
    return "" if ended_oddly or report.events or not ending.agent else last_words(ending)


def _http_status(report: Report, said: str, exit_code: int | None) -> int | None:
    result = report.result
    if result is not None and (result.good or result.api_error_status):
        return result.api_error_status
    if report.stream == "gemini" and said and exit_code is not None and exit_code >= GEMINI_HTTP:
        return 256 + exit_code
    return http_status(said)


def _reason(rule: Rule, e: Evidence, words: str) -> str:
    """One line that a person understands."""
    ending, klass = e.ending, rule.klass
    if e.stopped_as and ending.stop:
        detail = ending.stop.detail or f"by {ending.stop.by}"
    elif ending.spawn_error is not None:
        detail = problem(ending.spawn_what or "program", ending.spawn_error, ending.spawn_name)
    elif klass is Class.CONTRACT_MISSING:
        detail = ending.contract_unmet or f"no turn of a model ({e.result.text if e.result else ''})"
        # Mostly the reason why it is not there: the CLI calls a run without permission a success.
        if denied := e.report.permission_denials.names:
            detail += f"; it was not permitted to use {', '.join(denied)}"
    elif klass in {Class.OK, Class.TRUNCATED, Class.INTERRUPTED}:
        detail = ""
    elif e.said:
        detail = words or _telling_line(klass, e.said)
    elif e.result is not None and e.result.good and klass is Class.CRASH:
        detail = "after a good result"
    elif klass in _TOLD_LAST:
        detail = _last_line(ending) or ("" if klass is Class.CRASH else rule.name)
    else:
        detail = "a signal from elsewhere" if e.signalled else rule.name
    return explain(CLASSES[klass].saying, detail, status=e.status, exit_code=e.exit_code, signal=e.signal)


def _last_line(ending: Ending) -> str:
    """What it said last; an agent's events are no words."""
    said = ending.stderr_tail.strip() or ("" if ending.agent else ending.stdout_tail.strip())
    return said.rpartition("\n")[2]


def _telling_line(klass: Class, said: str) -> str:
    """The line that speaks of this class, else the first."""
    found = PHRASES[_WORDS[klass]].search(said) if klass in _WORDS else None
    return _line_at(said.strip(), 0) if found is None else _line_at(said, found.start())


def _line_at(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
