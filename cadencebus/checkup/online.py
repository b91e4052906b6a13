"""A cheap question to each provider: is this key any good? The key goes into one header, and nowhere else."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from cadencebus.checkup.finding import found
from cadencebus.model.legible import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cadencebus.checkup.finding import Finding

    Asked = Mapping[tuple[str, tuple[tuple[str, str], ...]], str]

WITHIN = 8.0
_REFUSED = {401, 402, 403}
_ENOUGH = 65536


class Question(NamedTuple):
    """Where to ask, and with what headers."""

    url: str
    headers: dict[str, str]


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would carry the key to somebody else."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


def ask(asked: Asked) -> Iterator[Finding]:
    """Ask all at the same time; whoever has not answered after eight seconds has not answered."""
    answers: dict[int, tuple[int | None, str]] = {}
    wanted = ((question_of(credentials, dict(environ)), who) for (credentials, environ), who in asked.items())
    questions = [(question, who) for question, who in wanted if question is not None]
    threads = [
        threading.Thread(target=_put, args=(question, answers, at), daemon=True)
        for at, (question, _) in enumerate(questions)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + WITHIN
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for at, (question, who) in enumerate(questions):
        code, said = answers.get(at, (None, f"no answer within {WITHIN:g} s"))
        host = urllib.parse.urlsplit(question.url).hostname or "?"
        if code in _REFUSED:
            yield found("credentials.refused", f"{host} refuses the key of {who}: {code}{said}")
        elif code is None:
            yield found("credentials.unreachable", f"{host} can't be reached for {who}: {said}")


def question_of(credentials: str, environ: Mapping[str, str]) -> Question | None:
    """The cheapest call that needs the key; None where there is none, or a login that is not ours to use."""
    if credentials in {"anthropic", "claude"}:
        base = environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
        version = {"anthropic-version": "2023-06-01"}
        url = f"{base.rstrip('/')}/v1/models?limit=1"
        if token := environ.get("ANTHROPIC_AUTH_TOKEN"):
            return Question(url, {"authorization": f"Bearer {token}", **version})
        key = environ.get("ANTHROPIC_API_KEY")
        return Question(url, {"x-api-key": key, **version}) if key else None
    if credentials in {"openai", "codex"}:
        base = environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        key = environ.get("OPENAI_API_KEY") or environ.get("CODEX_API_KEY")
        return Question(f"{base.rstrip('/')}/models", {"authorization": f"Bearer {key}"}) if key else None
    if credentials in {"google", "gemini"}:
        base = environ.get("GOOGLE_GEMINI_BASE_URL") or "https://generativelanguage.googleapis.com"
        key = environ.get("GEMINI_API_KEY") or environ.get("GOOGLE_API_KEY")
        url = f"{base.rstrip('/')}/v1beta/models?pageSize=1"
        return Question(url, {"x-goog-api-key": key}) if key else None
    return None


def _put(question: Question, answers: dict[int, tuple[int | None, str]], at: int) -> None:
    """Put a question; an answer of any kind shows that somebody is there."""
    if not question.url.startswith(("http://", "https://")):
        answers[at] = (None, "the base URL is not an http address")
        return
    try:
        request = urllib.request.Request(question.url, headers=question.headers)  # noqa: S310 - looked at above
        opener = urllib.request.build_opener(_Straight)
        try:
            with opener.open(request, timeout=WITHIN) as answer:
                answers[at] = (answer.status, "")
        except urllib.error.HTTPError as error:
            with error:
                answers[at] = (error.code, _said(error.read(_ENOUGH), question))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        answers[at] = (None, _without(question, one_line(str(reason), 120)))


def _said(body: bytes, question: Question) -> str:
    return f" {text}" if (text := _without(question, one_line(body.decode("utf-8", "replace"), 120))) else ""


def _without(question: Question, text: str) -> str:
    """Some providers repeat the key, or half of it, in their answer."""
    for value in question.headers.values():
        secret = value.removeprefix("Bearer ")
        for size in range(len(secret), 7, -1):
            text = text.replace(secret[:size], "…").replace(secret[-size:], "…")
    return text
