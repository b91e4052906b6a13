"""`cadence enqueue`: its words, parsed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


def test_one_set_takes_several_members(cadence: Cadence, define: Define, ticks: Ticks) -> None:
    """As the reference writes it, `--set k=v …`; a value may have an equals sign of its own."""
    define("work")
    ended = cadence("enqueue", "--set", "k=v", "n=5", "work", "--set", "m=x=y", "--priority", "1")
    assert ended.returncode == 0, ended.stderr
    assert [tick["payload"] for tick in ticks("inbox").values()] == [{"k": "v", "n": 5, "m": "x=y"}]
    assert cadence("enqueue", "work", "k=v").returncode == 64


def test_a_payload_that_is_no_json_is_bad_data_and_told_where(cadence: Cadence, define: Define) -> None:
    """In one line; nothing of the interpreter that `enqueue` does without is missed."""
    define("work")
    ended = cadence("enqueue", "work", "--payload", "{a: 1}")
    assert (ended.returncode, ended.stdout) == (65, "")
    assert ended.stderr.startswith("cadence: --payload: not JSON: Expecting property name")
