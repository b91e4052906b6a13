"""`cadence proof`: the word of a run that its work is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


@pytest.mark.parametrize(("script", "status"), [("cadence proof 'three of three'", "ok"), ("true", "dead")])
def test_a_cadence_that_expects_proof_is_done_by_proof_alone(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    script: str,
    status: str,
) -> None:
    """Called from inside its run, it lies in the run's folder."""
    define("work", script, expect={"proof": True}, retries=0)
    tick = enqueue("work")
    cadence("run", "--drain", "--quiet")
    ended = (ticks("done") | ticks("dead"))[tick]["outcome"]
    assert ended["status"] == status
    proofs = list((home / "state" / "runs").glob("*/*/proof"))
    assert [json.loads(path.read_text())["text"] for path in proofs] == ["three of three"][: len(proofs)]
    assert len(proofs) == (status == "ok")


def test_outside_a_run_there_is_nothing_to_prove(cadence: Cadence, tmp_path: Path) -> None:
    """Exit 78; empty words are 65; the last word counts."""
    assert cadence("proof", "done").returncode == 78
    assert cadence("proof", "done", env={"CADENCE_RUN_DIR": str(tmp_path)}).returncode == 78
    (tmp_path / "run.json").write_text("{}")
    inside = {"CADENCE_RUN_DIR": str(tmp_path), "CADENCE_HOME": ""}
    assert cadence("proof", "  ", env=inside).returncode == 65
    assert cadence("proof", "half of it", env=inside).returncode == 0
    assert cadence("proof", "all of it", env=inside).returncode == 0
    assert json.loads((tmp_path / "proof").read_text())["text"] == "all of it"
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"run.json", "proof"}
