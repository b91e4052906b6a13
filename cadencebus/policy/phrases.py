"""What the CLIs say when they fail, by what it means; one table of phrases, read without regard to case.

The fields of an event are the safer sign where there are some. Codex and Gemini have words only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadencebus.model.ending import Ending

_PHRASES: dict[str, tuple[str, ...]] = {
    "resume": (
        r"no conversation found",
        r"no rollout found",
        r"thread/resume failed",
        r"error resuming session",
        r"no previous sessions? found",
        r"invalid session identifier",
    ),
    "turns": (
        r"reached max(?:imum)? (?:number of )?(?:session )?turns",
        r"max(?:imum)? session turns",
        r"TurnLimited",
    ),
    "budget": (r"exceeded usd budget", r"reached maximum budget"),
    "interrupted": (
        r"^execution error$",
        r"^operation cancell?ed",
        r"^(?:turn (?:aborted|interrupted)|interrupted)\b",
        r"request interrupted by user",
    ),
    "limit": (
        r"rate.?limit",
        r"(?:usage|session|weekly|hourly|daily|opus|sonnet|5-hour|five-hour) limit",
        r"hit your [\w ]{1,30}limit",
        r"api usage limits",
        r"regain access on",
        r"too many requests",
        r"limit reached",
        r"out of (?:extra )?usage",
        r"resource[ _](?:has been )?exhausted",
        r"exhausted your (?:[\w ]{1,20} )?(?:quota|capacity|limit)",
        r"quota (?:will reset|exceeded|exhausted)",
        r"(?:exceeded|exhausted) [\w ]{0,30}quota",
        r"temporarily limiting requests",
        r"\btry again at \d",
    ),
    "billing": (
        r"credit balance",
        r"insufficient[ _](?:quota|credits?|funds|balance|g1_credits)",
        r"out of credits",
        r"quota exceeded\. check your plan and billing",
        r"spend cap",
        r"payment required",
        r"unpaid invoice",
        r"billing (?:is )?(?:hard limit|not active|disabled)",
        r"purchase (?:more )?credits (?:to continue|in order)",
        r"upgrade to plus: ",
    ),
    "output": (
        r"output token maximum",
        r"max(?:imum)?[ _]output[ _]tokens",
        r"has reached its context window limit",
    ),
    "long": (
        r"prompt is too long",
        r"request too large",
        r"context[ _](?:window|length)",
        r"exceeds? (?:the )?context limit",
        r"input token count[^.]{0,60}exceeds",
        r"(?:input|conversation) (?:is )?too long",
        r"maximum context",
        r"too many tokens",
        r"reduce the length of (?:the|your)",
    ),
    "auth": (
        r"invalid (?:api|authentication|x-api-key|bearer)[ -]?\w*",
        r"api[ _-]key (?:not valid|expired|not found|is (?:invalid|missing))",
        r"incorrect api key",
        r"invalid_api_key",
        r"not logged in",
        r"please (?:run )?/?log ?in",
        r"login again",
        r"sign in again",
        r"failed to authenticate",
        r"authentication (?:failed|required|error|is required)",
        r"authentication_(?:failed|error)",
        r"unauthori[sz]ed",
        r"unauthenticated",
        r"oauth (?:token|authentication)",
        r"token (?:has |included in the request is )?(?:expired|(?:been )?revoked|is (?:expired|invalid))",
        r"(?:access|refresh) token could not be refreshed",
        r"disabled organi[sz]ation",
        r"organi[sz]ation has (?:been )?disabled",
        r"does not have (?:access to claude|permission)",
        r"permission[ _]denied: consumer",
        r"\bpermission_denied\b",
        r"missing bearer",
        r"missing environment variable: `?\w*(?:key|token)",
        r"(?:set|invalid|select\w*) (?:an )?auth method",
        r"access blocked by cloudflare",
        r"(?:territory|location is) not supported",
    ),
    "model": (
        r"issue with the selected model",
        r"model_not_found",
        r"model\b.{0,80}(?:does not exist|not found|is not supported|isn't supported|not available)",
        r"models/\S+ is not found",
        r"unknown model",
    ),
    "overloaded": (
        r"overloaded",
        r"at capacity",
        r"high demand",
        r"server-side issue",
        r"internal (?:server )?error",
        r"server (?:had an )?error",
        r"server is busy",
        r"(?:service|model|temporarily) (?:is )?(?:currently )?unavailable",
        r"bad gateway",
        r"gateway time-?out",
        r"deadline[ _](?:expired|exceeded)",
    ),
    "network": (
        r"unable to connect",
        r"\bE(?:CONNRESET|CONNREFUSED|CONNABORTED|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|PIPE)\b",
        r"connection (?:to the api was lost|failed|error|refused|reset|closed|timed out)",
        r"(?:request|operation|connection|stream) timed out",
        r"stream disconnected",
        r"error sending request",
        r"error while reading the server response",
        r"waiting for network",
        r"fetch failed",
        r"socket hang up",
        r"premature close",
        r"network (?:error|is unreachable)",
        r"getaddrinfo",
        r"could not resolve host",
        r"empty (?:or malformed )?response",
        r"stream ended (?:without|unexpectedly)",
        r"failed to parse json",
        r"incomplete json segment",
        r"certificate",
        r"tls handshake",
    ),
    "refused": (
        r"usage polic(?:y|ies)",
        r"content[ _](?:filter|policy)",
        r"prohibited[ _]content",
        r"flagged (?:as|for)",
        r"blocked (?:due to|by|for) (?:safety|policy|content)",
        r"finish ?reason:? safety",
    ),
    "invalid": (
        r"invalid_request",
        r"invalid_argument",
        r"invalid (?:request|prompt|json payload)",
        r"unsupported (?:parameter|value)",
        r"bad request",
        r"image poisoning",
    ),
    "no room": (
        r"\b(?:ENOSPC|ENOMEM|EMFILE|ENFILE|EAGAIN)\b",
        r"no space left on device",
        r"cannot allocate memory",
        r"too many open files",
        r"resource temporarily unavailable",
    ),
    "start": (
        r"^(?:fatal )?error\b ?[:(]",
        r"^\w*error: ",
        r"^configuration error",
        r"^error (?:loading|reading|parsing) ",
        r"cannot be used with (?:root|sudo)",
        r"^unknown (?:argument|option|command)",
        r"^(?:usage|try '.*--help')",
        r"not (?:inside|running in) a trusted directory",
        r"no input provided via stdin",
        r"cannot find module",
        r"(?:command )?not found$",
        r"permission denied$",
        r"is corrupted",
    ),
}

# Longer lines are minified source, which contains every phrase there is; frames show source, too.
_LINE_MOST = 700
_FRAME = re.compile(r"\s*at |\s*\d+ \| ")

PHRASES = {
    meaning: re.compile("|".join(f"(?:{phrase})" for phrase in phrases), re.IGNORECASE | re.MULTILINE)
    for meaning, phrases in _PHRASES.items()
}

_REASONS = (
    "bad request|unauthori[sz]ed|payment required|forbidden|not found|request timeout|payload too large|"
    "too many requests|internal server error|bad gateway|service unavailable|gateway time-?out"
)
_STATUS = re.compile(
    r"(?:status(?: code)?|api error|rejected|https?(?:/\d(?:\.\d)?)?(?: error)?|\"?code\"?)"
    r"[\"':= (]{1,4}([45]\d\d)\b"
    rf"|\b([45]\d\d) (?:{_REASONS})",
    re.IGNORECASE,
)


def last_words(ending: Ending) -> str:
    """What a CLI said that told no events: on standard error, or at the end of standard output."""
    head = "" if ending.stderr_tail.startswith(ending.stderr_head) else ending.stderr_head
    errors = [*head.splitlines(), *ending.stderr_tail.splitlines()]
    lines = [*errors, *ending.stdout_tail.splitlines()[-5:]]
    return "\n".join(line for line in lines if len(line) <= _LINE_MOST and not _FRAME.match(line))


def http_status(said: str) -> int | None:
    """The last HTTP error that the words name: what came before it was tried again."""
    found = [first or second for first, second in _STATUS.findall(said)]
    return int(found[-1]) if found else None
