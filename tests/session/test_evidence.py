"""Tails that go into letters: nothing in them commands a terminal or gives a key away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cadencebus.model.cadence import Cadence
from cadencebus.session.evidence import TAIL, clean, gather
from cadencebus.store.runs import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.model.ending import Ending


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[31mred\x1b[0m\x1b]0;title\x07", "red"),
        (b"caf\xc3\xa9 \xff", "café �"),
        (b"key sk-ant-api03-abcdefghijkl left", "key sk-ant-[redacted] left"),
        (b"ghp_abcdefghij0123456789", "ghp_[redacted]"),
        (b"Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        (b'{"api_key": "abcdef123456"}', '{"api_key": "[redacted]"}'),
        (b"password=hunter2000 token: abcdefgh", "password=[redacted] token: [redacted]"),
        (b"Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        (b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[redacted]"),
        (b"at https://me:hunter2@example.org/x", "at https://me:[redacted]@example.org/x"),
        (b"github_pat_11AAAAAAA0abcdef glpat-abcdefghij01", "github_pat_[redacted] glpat-[redacted]"),
        (b"jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM_x end", "jwt eyJ[redacted] end"),
        (b"hf_abcdefghijklmnopqrstuv, hf_hub_download", "hf_[redacted], hf_hub_download"),
        (
            b"-----BEGIN RSA PRIVATE KEY-----\nMIIEabc/d=\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\n[redacted]-----END RSA PRIVATE KEY-----\n",
        ),
        (b"eyJson.is no token", "eyJson.is no token"),
        (b"see http://example.org:8080/a@b", "see http://example.org:8080/a@b"),
        (b"the token is short", "the token is short"),
        (b"skipped a task-force", "skipped a task-force"),
    ],
)
def test_a_tail_is_safe_to_show(log: bytes, shown: str) -> None:
    """What is no secret is left as it is."""
    assert clean(log) == shown


@pytest.mark.parametrize(
    "line",
    [b"token=abcdef\n", b"\xff" * 64, b"\x1b[1mbold\x1b[0m\n", "é\n".encode()],
    ids=["secrets", "no-text", "colours", "accents"],
)
def test_a_tail_is_never_longer_than_promised(tmp_path: Path, line: bytes) -> None:
    """Neither by what stands for a secret nor by what stands for a byte that is no text."""
    (tmp_path / "stderr.log").write_bytes(line * 2000)
    assert len(_ended(tmp_path).stderr_tail.encode()) <= TAIL


def test_a_secret_that_begins_before_the_tail_is_not_told_either(tmp_path: Path) -> None:
    """Its second half would bear no sign of what it is."""
    (tmp_path / "stderr.log").write_bytes(b"sk-ant-" + b"Q" * 200 + b"\n" + b"x" * (TAIL - 101))
    tail = _ended(tmp_path).stderr_tail
    assert tail.endswith("x" * (TAIL - 101))
    assert "QQ" not in tail


def _ended(folder: Path) -> Ending:
    cadence = Cadence(name="brief", runner="command")
    run = RunFolder(str(folder), "tick", 1)
    return gather(run, cadence, ".", None, None, started_at=0.0, ran_s=1.0, resumed=False)
