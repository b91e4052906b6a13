"""How a run ended, judged: what the bus did, what the system says, what the process says, in this order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from cadencebus.clock import parse_rfc3339
from cadencebus.model.ending import Denials, Ending, RateLimit, Report, Result, Stop
from cadencebus.policy.classes import Class, Verdict
from cadencebus.policy.failure import classify, rules

NOW = parse_rfc3339("2026-11-21T03:10:00Z")


def judged(ending: Ending) -> Verdict:
    """The verdict on an ending, here and now."""
    return classify(ending, now=NOW, tz=UTC)


def said(text: str, *, stream: str = "codex", exit_code: int = 1, **fields: Any) -> Ending:
    """An agent that failed with these words."""
    result = Result(subtype="turn.failed", is_error=True, text=text, **fields)
    return Ending(exit_code=exit_code, agent=True, report=Report(stream=stream, result=result, events=3))


GOOD = Result(subtype="success", is_error=False, num_turns=2, text="done")
WELL = Ending(
    exit_code=0,
    ran_s=90.0,
    agent=True,
    report=Report(stream="claude", result=GOOD, events=5, model_messages=2),
)
SILENT = replace(WELL, report=Report(stream="claude", events=1))


@pytest.mark.parametrize("klass", ["timeout", "stalled", "wedged", "log_overflow", "killed"])
def test_what_the_bus_did_comes_before_anything_the_process_says(klass: str) -> None:
    """A good result, a rate limit, a signal, a missing record: the note of the stop decides."""
    stop = Stop(klass=klass, by="shim", at=NOW, detail="ran longer than 60 s")
    for ending in (
        WELL,
        said("429 Too Many Requests"),
        replace(SILENT, exit_code=None, signal=9),
        Ending(interrupted=True),
    ):
        verdict = judged(replace(ending, stop=stop))
        assert verdict.klass == klass
        assert "ran longer than 60 s" in verdict.reason
        assert "shim" not in verdict.reason


def test_a_kill_after_the_result_leaves_the_result_standing() -> None:
    """Help, not failure: a success stays one, however the process then died, and so does an error."""
    stop = Stop(klass="result_grace", by="consumer", at=NOW)
    for died in (
        {"exit_code": 143},
        {"exit_code": None, "signal": 9},
        {"exit_code": None, "interrupted": True},
    ):
        helped = replace(WELL, stop=stop, **died)
        assert judged(helped).klass is Class.OK
        assert (
            judged(replace(helped, contract_unmet="expected file x does not exist")).klass
            is Class.CONTRACT_MISSING
        )
    assert judged(replace(said("401 Unauthorized"), stop=stop)).klass is Class.AUTH


def test_a_stop_of_a_version_to_come_costs_the_tick_nothing() -> None:
    """It is the bus's doing, whatever it means."""
    verdict = judged(replace(WELL, stop=Stop(klass="moonshine", by="shim", at=NOW)))
    assert (verdict.klass, verdict.counted) == (Class.INTERRUPTED, False)


@pytest.mark.parametrize("errno", ["ENOENT", "EACCES", "ENOTDIR", "ENOEXEC", "E2BIG", "NUL"])
def test_a_start_that_waiting_will_not_mend_never_ran(errno: str) -> None:
    """The reason names what was at fault, and how."""
    verdict = judged(Ending(spawn_error=errno, spawn_what="cwd", agent=True))
    assert (verdict.klass, verdict.counted) == (Class.NEVER_RAN, False)
    assert f"({errno})" in verdict.reason
    assert "cwd: " in verdict.reason


@pytest.mark.parametrize("errno", ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ENOSPC", "EIO"])
def test_every_other_error_of_the_start_is_a_lack_of_something(errno: str) -> None:
    """The machine's fault, for all ticks alike."""
    assert judged(Ending(spawn_error=errno, spawn_what="fork")).klass is Class.NO_RESOURCES


@pytest.mark.parametrize("what", ["files", "fork"])
@pytest.mark.parametrize("errno", ["ENOENT", "EACCES", "ENOTDIR"])
def test_what_the_bus_itself_lacked_is_no_cadences_fault(what: str, errno: str) -> None:
    """It was held as misconfigured until somebody edited it, though the disk was well again at once."""
    assert judged(Ending(spawn_error=errno, spawn_what=what)).klass is Class.NO_RESOURCES


def test_a_full_disk_that_the_cli_meets_at_its_start_is_a_lack_too() -> None:
    """Not an error of configuration, though it reads like one."""
    full = Ending(
        exit_code=1,
        agent=True,
        report=Report(stream="claude"),
        stderr_tail="Error: ENOSPC: no space left on device, mkdir\n",
    )
    assert judged(full).klass is Class.NO_RESOURCES


def test_a_prompt_with_control_bytes_is_the_ticks_own_fault() -> None:
    """Dead at once, and no burden on the cadence."""
    verdict = judged(Ending(spawn_error="NUL", spawn_what="prompt"))
    assert (verdict.klass, verdict.counts_circuit) == (Class.BAD_PROMPT, False)


def test_a_run_without_a_record_of_its_end_was_interrupted() -> None:
    """Even with a good result in its log: nobody saw it leave."""
    assert judged(replace(WELL, exit_code=None, interrupted=True)).klass is Class.INTERRUPTED


@pytest.mark.parametrize(
    ("exit_code", "klass"),
    [
        *((0, "ok"), (1, "crash"), (2, "crash"), (75, "ex_tempfail"), (78, "ex_config"), (126, "never_ran")),
        *(
            (127, "never_ran"),
            (129, "aborted"),
            (130, "aborted"),
            (143, "aborted"),
            (145, "crash"),
            (255, "crash"),
        ),
    ],
)
def test_a_plain_command_is_judged_by_its_exit_code(exit_code: int, klass: str) -> None:
    """And by nothing that it prints."""
    noisy = Ending(exit_code=exit_code, ran_s=90.0, stderr_tail="Error: 429 rate limit\n", stdout_tail="401")
    assert judged(noisy).klass == klass


def test_a_plain_commands_last_line_is_the_reason() -> None:
    """Of standard error, or of standard output where that is empty."""
    verdict = judged(Ending(exit_code=3, stderr_tail="warming up\nno such table: mails\n"))
    assert verdict.reason == "it failed: no such table: mails (exit 3)"
    assert judged(Ending(exit_code=3, stdout_tail="oops\n")).reason == "it failed: oops (exit 3)"


@pytest.mark.parametrize("agent", [True, False])
def test_a_signal_from_elsewhere_aborts_even_after_a_good_result(agent: bool) -> None:
    """Within 45 s of the start it says nothing about the cadence; later it does."""
    for died in ({"exit_code": None, "signal": 9}, {"exit_code": 143}, {"exit_code": 130}):
        late = replace(WELL, agent=agent, **died)
        assert (judged(late).klass, judged(late).counted, judged(late).counts_circuit) == (
            Class.ABORTED,
            True,
            True,
        )
        assert not judged(replace(late, ran_s=44.9)).counts_circuit
    assert "SIGKILL" in judged(replace(WELL, exit_code=None, signal=9)).reason
    assert "signal 99" in judged(replace(WELL, exit_code=None, signal=99)).reason


def test_words_of_a_run_that_a_signal_ended_explain_nothing() -> None:
    """It was going to try again when somebody ended it."""
    silent = Ending(
        agent=True, report=Report(stream="claude"), stderr_tail="401 Unauthorized, trying again\n"
    )
    for died in ({"exit_code": None, "signal": 15}, {"exit_code": 143}, {"exit_code": 129}):
        assert judged(replace(silent, **died)).klass is Class.ABORTED


def test_exit_0_is_no_success_without_a_result() -> None:
    """SIGINT before the first byte looks like this; so does a closed standard output."""
    assert judged(SILENT).klass is Class.ABORTED
    assert judged(replace(SILENT, report=Report(stream="claude"))).klass is Class.ABORTED
    assert judged(replace(SILENT, report=None)).klass is Class.ABORTED


def test_a_session_that_just_stops_is_not_blamed_on_somebody_outside() -> None:
    """Nobody sent it a signal, as far as anybody knows: whoever looks for a killer looks in vain."""
    assert judged(SILENT).reason == "it was cut short, not by the bus: exit 0 without a result"
    assert judged(replace(SILENT, exit_code=None, signal=9)).reason == (
        "it was cut short, not by the bus: a signal from elsewhere (SIGKILL)"
    )


def test_a_good_result_is_no_success_with_another_exit() -> None:
    """Something went wrong after it."""
    assert judged(replace(WELL, exit_code=1)).klass is Class.CRASH


def test_success_without_the_contract_is_no_success() -> None:
    """The reason is what is missing."""
    for ending in (WELL, Ending(exit_code=0)):
        verdict = judged(replace(ending, contract_unmet="expected file out.md is empty"))
        assert verdict.klass is Class.CONTRACT_MISSING
        assert "not permitted" not in verdict.reason
        assert "expected file out.md is empty" in verdict.reason


def test_what_was_not_permitted_is_named_where_the_contract_is_unmet() -> None:
    """The CLI calls it a success, and a person would look for the fault in the prompt."""
    report = replace(
        WELL.report or Report(stream="claude"), permission_denials=Denials(count=2, names=("Write", "Bash"))
    )
    verdict = judged(replace(WELL, report=report, contract_unmet="expected file out.md does not exist"))
    assert verdict.klass is Class.CONTRACT_MISSING
    assert verdict.reason.endswith("out.md does not exist; it was not permitted to use Write, Bash")
    assert judged(replace(WELL, report=report)).klass is Class.OK


def test_where_any_result_will_do_the_rest_of_the_contract_decides() -> None:
    """`expect: {result: any}` drops one condition, not all of them."""
    for ending in (SILENT, said("Loop detected", exit_code=0), Ending(exit_code=3)):
        lenient = replace(ending, result_required=False)
        assert judged(lenient).klass is Class.OK
        assert judged(replace(lenient, contract_unmet="no proof")).klass is not Class.OK
    assert judged(replace(said("429 Too Many Requests"), result_required=False)).klass is Class.RATE_LIMITED
    assert judged(Ending(exit_code=None, signal=9, result_required=False)).klass is Class.ABORTED


def test_words_in_a_good_answer_mean_nothing() -> None:
    """A model may talk of rate limits as much as it likes."""
    assert WELL.report is not None
    chatty = replace(GOOD, text="API Error: 429 rate limit reached, invalid API key")
    noisy = replace(WELL, report=replace(WELL.report, result=chatty), stderr_tail="Error: 401 Unauthorized\n")
    assert judged(noisy).klass is Class.OK


def test_a_failure_after_a_good_result_says_that_there_was_one() -> None:
    """The last line of standard error, written long before, would look like the cause."""
    verdict = judged(replace(WELL, exit_code=1, stderr_tail="Reading additional input from stdin...\n"))
    assert (verdict.klass, verdict.reason) == (Class.CRASH, "it failed: after a good result (exit 1)")


def test_words_of_a_stream_that_worked_come_from_events_only() -> None:
    """What tools and hooks print on standard error does not hold anybody's credentials."""
    noisy = replace(SILENT, exit_code=1, stderr_tail="hook: 401 Unauthorized, rate limit\n")
    assert judged(noisy).klass is Class.CRASH


def test_minified_source_in_a_stack_trace_means_nothing() -> None:
    """It contains every phrase there is."""
    source = 'case 429:return"rate limit";case 401:return"Invalid API key";' * 20
    crashed = Ending(
        exit_code=1, agent=True, report=Report(stream="claude"), stderr_head=source, stderr_tail="TypeError\n"
    )
    assert judged(crashed).klass is Class.CRASH


def test_a_session_is_unknown_only_to_a_run_that_resumed() -> None:
    """Otherwise an argument is wrong, and trying again can't help."""
    unknown = said("No conversation found with session ID: 87b9ce2e")
    assert judged(replace(unknown, resumed=True)).klass is Class.RESUME_UNKNOWN
    assert judged(unknown).klass is Class.NEVER_RAN


def test_a_reset_that_was_announced_comes_before_one_in_words() -> None:
    """The event has seconds, the text whole minutes."""
    limited = said("You've hit your limit · resets 6:08am (UTC)", api_error_status=429)
    assert limited.report is not None
    announced = replace(limited, report=replace(limited.report, rate_limit=RateLimit(resets_at=1795489718.0)))
    assert judged(announced).retry_at == 1795489718.0
    assert judged(limited).retry_at == parse_rfc3339("2026-11-21T06:08:00Z")


def test_a_limit_that_was_announced_explains_an_end_without_words() -> None:
    """No result, no status: but a rejected `rate_limit_event`."""
    limited = replace(
        SILENT, exit_code=1, report=Report(stream="claude", events=2, rate_limit=RateLimit(resets_at=9.0))
    )
    assert (judged(limited).klass, judged(limited).retry_at) == (Class.RATE_LIMITED, 9.0)


@pytest.mark.parametrize(
    ("exit_code", "klass"),
    [
        (145, "auth"),
        (147, "auth"),
        (148, "never_ran"),
        (173, "rate_limited"),
        (157, "prompt_too_long"),
        (247, "overloaded"),
    ],
)
def test_an_exit_code_of_gemini_is_an_http_status_and_no_signal(exit_code: int, klass: str) -> None:
    """Modulo 256, and more to the point than the words."""
    assert judged(said("[API Error: something]", stream="gemini", exit_code=exit_code)).klass == klass
    assert judged(said("something", stream="codex", exit_code=exit_code)).klass is Class.CRASH


@pytest.mark.parametrize(
    ("exit_code", "klass"),
    [(41, "auth"), (42, "never_ran"), (52, "never_ran"), (53, "turn_limit"), (55, "never_ran")],
)
def test_gemini_has_exit_codes_of_its_own(exit_code: int, klass: str) -> None:
    """Where it printed nothing that helps."""
    silent = Ending(
        exit_code=exit_code, agent=True, report=Report(stream="gemini"), stderr_tail="Es ging nicht.\n"
    )
    assert judged(silent).klass == klass


def test_the_table_can_be_read_and_always_ends() -> None:
    """Every rule has a name; the last one of each table holds of everything."""
    for agent in (True, False):
        table = rules(agent=agent)
        assert all(rule.name for rule in table)
        assert table[-1].klass is Class.CRASH
        assert judged(Ending(agent=agent)).klass is Class.CRASH


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        (78, "the command says that it is misconfigured: no such account (exit 78)"),
        (75, "the command says to try again later: no such account (exit 75)"),
        (127, "the program could not start: no such account (exit 127)"),
        (3, "it failed: no such account (exit 3)"),
    ],
)
def test_a_plain_command_says_why_in_its_last_line(exit_code: int, reason: str) -> None:
    """On standard error; on standard output where the other has nothing but blanks."""
    loud = Ending(exit_code=exit_code, stderr_tail="first\nno such account\n", stdout_tail="elsewhere\n")
    quiet = Ending(exit_code=exit_code, stderr_tail=" \n", stdout_tail="no such account\n")
    assert judged(loud).reason == judged(quiet).reason == reason


def test_a_reason_gives_no_secret_away() -> None:
    """It goes into letters, holds, the journal and notices; an agent repeats what an API told it."""
    reason = judged(said("Incorrect API key provided: sk-proj-abcdefghijkl. Find yours.")).reason
    assert "abcdefghijkl" not in reason
