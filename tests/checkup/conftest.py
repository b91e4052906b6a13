"""What the doctor's tests share: `cadence doctor` without the price of a process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cadencebus.checkup.finding import Finding
from cadencebus.checkup.patient import Patient
from cadencebus.cli import doctor
from cadencebus.desk.context import Context
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


class Doctor(Protocol):
    """Calls the doctor to this test's home, and gives back his findings."""

    def __call__(self, *words: str) -> dict[str, Any]:
        """The JSON document; `code` is the exit code, `screen` what a pipe would get."""


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Call the doctor, twice: for a program, and for a person."""
    monkeypatch.setenv("HOME", str(home.parent))
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)

    def look(*words: str) -> dict[str, Any]:
        context = Context()
        context.home_flag = str(home)
        capsys.readouterr()
        context.json = True
        code = doctor.main(list(words), context)
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        context.json = False
        if "--fix" not in words:
            # The same findings, as a person sees them.
            seen = [
                Finding(**one, mend=None) for one in told["findings"] if one.pop("fixable") in {True, False}
            ]
            with monkeypatch.context() as patched:
                patient = Patient(Home(str(home)), 0.0)
                patient.programs = told["programs"]
                patched.setattr(doctor, "_look", lambda *_, **__: (patient, seen))
                assert doctor.main(list(words), context) == code
        return told | {"code": code, "screen": capsys.readouterr().out}

    return look
