"""`doctor --online`: is the key any good? It is told to its provider, and to nobody else."""

from __future__ import annotations

import http.server
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.checkup import online

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.checkup.conftest import Doctor

    Start = Callable[..., tuple[str, type["Provider"]]]

KEY = "sk-ant-api03-verysecretindeed-0123456789"


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers as it was told to, and remembers what it was sent."""

    answer = (200, b"{}")
    moved = ""
    silent = 0.0
    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        """Answer."""
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        time.sleep(self.silent)
        self.send_response(302 if self.moved else self.answer[0])
        if self.moved:
            self.send_header("location", self.moved)
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[Callable[..., tuple[str, type[Provider]]]]:
    """Start providers on this machine: where they are, and what they have seen."""
    started = []

    def start(**how: object) -> tuple[str, type[Provider]]:
        kind = type("Told", (Provider,), {"seen": [], **how})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}", kind

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def cadence(home: Path, base: str, more: str = "") -> None:
    """A cadence of Claude's with this key, at this address."""
    env = f"env: {{ANTHROPIC_API_KEY: {KEY}, ANTHROPIC_BASE_URL: '{base}'}}"
    (home / "prompts" / "brief.md").write_text(f"---\n{env}\n{more}---\nDo it.\n", encoding="utf-8")


def kinds(told: dict[str, list[dict[str, str]]]) -> set[str]:
    """What was found of credentials."""
    return {one["kind"] for one in told["findings"] if one["kind"].startswith("credentials")}


def test_a_good_key_is_no_finding(home: Path, call: Doctor, provider: Start) -> None:
    """One cheap call, at the base URL that the run would use; offline nobody is asked."""
    base, seen = provider()
    cadence(home, base)
    assert kinds(call()) == set()
    assert seen.seen == []
    assert kinds(call("--online")) == set()
    path, headers = seen.seen[0]
    assert path == "/v1/models?limit=1"
    assert headers["x-api-key"] == KEY


@pytest.mark.parametrize("code", [401, 403, 402])
def test_a_refused_key_is_ill_and_never_shown(home: Path, call: Doctor, provider: Start, code: int) -> None:
    """Though the provider repeats it in its answer, with an escape sequence around it."""
    said = f'{{"error": "invalid x-api-key: \x1b[31m{KEY}, {KEY[:20]}"}}'
    base, _ = provider(answer=(code, said.encode()))
    cadence(home, base)
    told = call("--online")
    assert told["code"] == 1
    assert kinds(told) == {"credentials.refused"}
    assert f"refuses the key of brief: {code}" in told["screen"]
    assert KEY[:12] not in str(told)
    assert "\x1b" not in told["screen"]


def test_a_key_is_never_carried_on_by_a_redirect(home: Path, call: Doctor, provider: Start) -> None:
    """Whoever a provider points at does not get it."""
    other, seen = provider()
    base, _ = provider(moved=f"{other}/v1/models")
    cadence(home, base)
    call("--online")
    assert seen.seen == []


def test_whoever_does_not_answer_in_time_is_not_waited_for(
    home: Path, call: Doctor, provider: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight seconds for all of them together; here a fraction of it."""
    monkeypatch.setattr(online, "WITHIN", 0.2)
    base, _ = provider(silent=2.0)
    cadence(home, base)
    began = time.monotonic()
    assert kinds(call("--online")) == {"credentials.unreachable"}
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "file:///etc/passwd", "nonsense"])
def test_nobody_there_is_told_as_such(home: Path, call: Doctor, base: str) -> None:
    """A file is no provider."""
    cadence(home, base)
    told = call("--online")
    assert kinds(told) == {"credentials.unreachable"}
    assert "root:" not in told["screen"]


def test_the_rule_is_the_one_that_runs_go_by(home: Path, call: Doctor, provider: Start) -> None:
    """`auth: subscription` drops the key: it is not asked about either."""
    base, seen = provider()
    cadence(home, base, "auth: subscription\n")
    assert kinds(call("--online")) == {"credentials.none"}
    assert seen.seen == []


def test_each_provider_is_asked_in_its_own_way() -> None:
    """Where each is asked, and in which header the key goes."""
    asked = {
        "openai": online.question_of("openai", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://x/v1/"}),
        "google": online.question_of("google", {"GEMINI_API_KEY": "k"}),
        "anthropic": online.question_of("anthropic", {"ANTHROPIC_AUTH_TOKEN": "t"}),
    }
    assert {name: question and question.url for name, question in asked.items()} == {
        "openai": "http://x/v1/models",
        "google": "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1",
        "anthropic": "https://api.anthropic.com/v1/models?limit=1",
    }
    assert all("k" not in question.url.rpartition("/")[2] for question in asked.values() if question)
    assert online.question_of("anthropic", {}) is None
