"""What the CLIs say, understood whatever the release words it like."""

from __future__ import annotations

import pytest

from cadencebus.model.ending import Ending, Report, Result
from cadencebus.policy.failure import classify
from cadencebus.policy.phrases import http_status, last_words

SAYINGS = {
    "rate_limited": (
        "You've hit your usage limit. Upgrade to Plus to continue using Codex, or try again later.",
        "You\u2019ve hit your usage limit. Try again at Nov 24th, 2026 3:08 PM.",
        "stream disconnected before completion: Rate limit reached for gpt-x. Please try again in 11.054s.",
        "[API Error: You exceeded your current quota, please check your plan and billing details.]",
        "[API Error: Resource has been exhausted (e.g. check quota). (Status: RESOURCE_EXHAUSTED)]",
        "Claude usage limit reached. Your limit will reset at 3pm (UTC).",
        "5-hour limit reached ∙ resets 3pm",
        "You're out of extra usage · resets Dec 1, 12am (UTC)",
        "exceeded retry limit, last status: 429 Too Many Requests, request id: x",
    ),
    "billing": (
        "Your workspace is out of credits. Add credits to continue.",
        "You hit your spend cap set in your workspace. Increase your spend cap to continue.",
        "unexpected status 429 Too Many Requests: insufficient_quota",
        "To use Codex with your ChatGPT plan, upgrade to Plus: https://example.org",
    ),
    "auth": (
        "unexpected status 401 Unauthorized: Missing bearer or basic authentication in header",
        "exceeded retry limit, last status: 401 Unauthorized, request id: x",
        "Your access token could not be refreshed because it was revoked. Please log out and sign in again.",
        "Access blocked by Cloudflare. This usually happens from a restricted region (status 403 Forbidden)",
        "[API Error: API key expired. Please renew the API key. (Status: INVALID_ARGUMENT)]",
        "[API Error: Method doesn't allow unregistered callers. (Status: PERMISSION_DENIED)]",
        "OAuth token revoked · Please run /login",
    ),
    "overloaded": (
        "Selected model is at capacity. Please try a different model.",
        "stream disconnected before completion: The server had an error processing your request.",
        "exceeded retry limit, last status: 503 Service Unavailable",
        "[API Error: The model is overloaded. Please try again later. (Status: UNAVAILABLE)]",
        "[API Error: An internal error has occurred. (Status: INTERNAL)]",
        "[API Error: Deadline expired before operation could complete.]",
    ),
    "network": (
        "stream disconnected before completion: idle timeout waiting for SSE",
        "Connection failed: error sending request for url (https://example.org)",
        "Error while reading the server response: error decoding response body",
        "request timed out",
        "[API Error: exception TypeError: fetch failed sending request]",
        "getaddrinfo ENOTFOUND generativelanguage.googleapis.com",
        "API Error: Connection error.",
    ),
    "prompt_too_long": (
        "Your input exceeds the context window of this model. Please adjust your input.",
        "unexpected status 400 Bad Request: context_length_exceeded",
        "[API Error: The input token count (1200000) exceeds the maximum (1048576).]",
    ),
    "output_limit": (
        "stream disconnected before completion: Incomplete response returned, reason: max_output_tokens",
    ),
    "refused": (
        "Incomplete response returned, reason: content_filter",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
    ),
    "never_ran": (
        "The 'gpt-x' model is not supported when using Codex with a ChatGPT account.",
        "unexpected status 404 Not Found: no such thing",
    ),
    "turn_limit": ("Reached max session turns for this session. Increase the number of turns.",),
    "invalid_request": ("unexpected status 422 Unprocessable Entity: no",),
    "aborted": ("interrupted (Ctrl-C). Something went wrong?",),
    "crash": ("Loop detected, stopping execution",),
}
CASES = [(words, klass) for klass, sayings in SAYINGS.items() for words in sayings]


@pytest.mark.parametrize(("words", "klass"), CASES)
def test_other_words_of_the_same_kind_mean_the_same(words: str, klass: str) -> None:
    """As the result of an agent, or as bare text of one that told no events."""
    result = Result(subtype="turn.failed", is_error=True, text=words)
    told = Ending(exit_code=1, agent=True, report=Report(stream="codex", result=result, events=3))
    bare = Ending(exit_code=1, agent=True, report=Report(stream="claude"), stderr_tail=f"{words}\n")
    assert classify(told, now=0.0).klass == klass
    assert classify(bare, now=0.0).klass == klass


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("API Error: 529 Overloaded", 529),
        ("API Error: Request rejected (429) · later", 429),
        ("unexpected status 401 Unauthorized: no", 401),
        ('{"error":{"code":400,"message":"no"}}', 400),
        ("status: 400\nthen again\nstatus: 503", 503),
        ("502 Bad Gateway", 502),
        ("API returned an empty response (HTTP 200)", None),
        ("it took 500ms on port 40400", None),
        ("http://127.0.0.1:500/", None),
        ("read 404 lines", None),
    ],
)
def test_an_http_status_is_one_that_is_called_so(words: str, status: int | None) -> None:
    """The last one: what came before was tried again."""
    assert http_status(words) == status


def test_last_words_leave_out_source_and_frames() -> None:
    """Minified lines, code frames and stack frames contain phrases that nobody said."""
    noise = "x" * 5000 + "\n33619 | if(rateLimit)\n    at rateLimit (cli.js:1:1)\n"
    ending = Ending(stderr_head=noise, stderr_tail="error: no\n", stdout_tail="1\n2\n3\n4\n5\n6\n")
    assert last_words(ending).splitlines() == ["error: no", "2", "3", "4", "5", "6"]
