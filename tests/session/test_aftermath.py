"""What a run left behind: tails that are safe to show, who ended it, whether its work is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model.cadence import Cadence, Expect
from cadencebus.model.ending import Report, Result, Stop
from cadencebus.session.aftermath import TAIL, clean, gather, looks
from cadencebus.session.life import ExitRecord
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


def test_what_the_environment_calls_secret_is_not_repeated(tmp_path: Path) -> None:
    """Not from the logs, nor from an agent's last words; what is short, a path or a placeholder is none."""
    env = {"DB_PASSWORD": "correct-horse", "DB_PASSWORD_OLD": "correct-horse-battery", "PIN_TOKEN": "1234"}
    env |= {"TLS_KEY": "/etc/tls.pem", "SOME_API_KEY": "changeme", "KEYBOARD": "de-latin1-nodeadkeys"}
    said = " ".join(env.values())
    shown = "[redacted] [redacted] 1234 /etc/tls.pem changeme de-latin1-nodeadkeys"
    (tmp_path / "stdout.log").write_text(said)
    (tmp_path / "stderr.log").write_text(said)
    last_words = Result(subtype="success", is_error=True, text=said, errors=(said,))
    ending = _ended(tmp_path, report=Report(stream="claude", result=last_words), env=env)
    assert ending.report is not None
    assert ending.report.result == Result(subtype="success", is_error=True, text=shown, errors=(shown,))
    assert (ending.stdout_tail, ending.stderr_tail, ending.stderr_head) == (shown, shown, shown)


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


@pytest.mark.parametrize(
    ("what", "cwd", "argv", "name"),
    [
        ("cwd", "sub/dir", ["true"], "sub/dir"),
        ("cwd", None, ["true"], "."),
        ("program", "sub/dir", ["nosuch", "--help"], "nosuch"),
        ("program", None, [], ""),
    ],
)
def test_what_could_not_be_had_is_called_as_it_was_asked_for(
    tmp_path: Path, what: str, cwd: str | None, argv: list[str], name: str
) -> None:
    """The folder or the program; where nothing else is known, nothing."""
    (tmp_path / "run.json").write_text(json.dumps({"argv": argv}))
    end = ExitRecord(spawn_error="ENOENT", spawn_what=what)
    assert _ended(tmp_path, end, cwd=cwd).spawn_name == name
    assert _ended(tmp_path, ExitRecord(code=1), cwd=cwd).spawn_name == ""


@pytest.mark.parametrize(
    "note",
    ["", "[]", "{}", '{"class": "timeout"}', '{"class": "timeout", "by": "shim", "at": "noon"}'],
)
def test_a_note_that_makes_no_sense_still_says_that_the_run_was_ended(tmp_path: Path, note: str) -> None:
    """So nothing is counted; without a note it ended by itself, and a sound one is believed."""
    assert _ended(tmp_path).stop is None
    (tmp_path / "ending.json").write_text(note)
    stop = _ended(tmp_path).stop
    assert stop is not None
    assert (stop.klass, stop.requeue) == ("killed", True)
    sound = Stop(klass="timeout", by="shim", at=1.5, detail="too long")
    (tmp_path / "ending.json").write_text(json.dumps(sound.dump()))
    assert _ended(tmp_path).stop == sound


def test_what_is_expected_must_be_the_work_of_this_run(tmp_path: Path) -> None:
    """Not there, a folder with nothing in it, a file as it was before, the same one written anew."""
    out, unmet = tmp_path / "out", []
    expect = Expect(file=("out",))

    def look(before: list[list[int] | None]) -> None:
        (tmp_path / "run.json").write_text(json.dumps({"expected": before}))
        unmet.append(_ended(tmp_path, expect=expect).contract_unmet)

    look(looks(expect.file, str(tmp_path)))
    out.mkdir()
    look([None])
    (out / "file").touch()
    look([None])
    look(looks(expect.file, str(tmp_path)))
    look(["of older make", "and not as many"])  # type: ignore[list-item]
    assert unmet == [
        "expected file out does not exist",
        "expected file out is empty",
        None,
        "expected file out was not written since the run started",
        None,
    ]


def _ended(
    folder: Path,
    end: ExitRecord | None = None,
    *,
    report: Report | None = None,
    env: dict[str, str] | None = None,
    **keys: Any,
) -> Ending:
    cadence = Cadence(name="brief", runner="command", **keys)
    run = RunFolder(str(folder), "tick", 1)
    return gather(run, cadence, str(folder), end, report, env=env or {}, started_at=0.0, ran_s=1.0)
