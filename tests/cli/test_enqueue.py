"""`cadence enqueue`: its words, parsed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("said", "words", "code"),
    [
        ("max_tick_bytes: 2000", ("--set", f"x={'y' * 1700}"), 0),
        ("max_tick_bytes: 2000", ("--set", f"x={'y' * 1900}"), 65),
        ("max_tick_bytes: 2000", ("--key", "y" * 1900), 65),
        ("max_tick_bytes: 2MiB", ("--payload", "@large"), 0),
        ("# max_tick_bytes: 2MiB", ("--payload", "@large"), 65),
    ],
)
def test_a_tick_is_as_large_as_the_settings_allow(
    cadence: Cadence, define: Define, home: Path, said: str, words: tuple[str, str], code: int
) -> None:
    """What was accepted would be buried by the consumer, and what it would take was refused."""
    define("work")
    (home / "cadence.yaml").write_text(f"{said}\n")
    (home / "large").write_text(f'{{"x": "{"y" * (1 << 20)}"}}')
    ended = cadence("enqueue", "work", words[0], words[1].replace("@", f"@{home}/"))
    assert ended.returncode == code, ended.stderr
    assert bool(ended.stdout) is not bool(code)
    assert code == 0 or " bytes, where " in ended.stderr
