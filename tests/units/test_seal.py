"""A generated file is known again."""

from __future__ import annotations

import pytest

from cadencebus.units.seal import Condition, condition, seal

WANTED = seal(["[Unit]", "Description=x"])


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (None, Condition.MISSING),
        (WANTED, Condition.CURRENT),
        (seal(["[Unit]", "Description=older"]), Condition.STALE),
        (WANTED.replace("=x", "=mine"), Condition.EDITED),
        (WANTED + "[Install]\n", Condition.EDITED),
        ("[Unit]\nDescription=x\n", Condition.FOREIGN),
        ("", Condition.FOREIGN),
        ("[Unit]\nDescription=a fingerprint: 0123456789abcdef\n", Condition.FOREIGN),
    ],
)
def test_what_lies_there_is_told_apart(installed: str | None, expected: Condition) -> None:
    """Ours and current, ours from another release, changed by hand, or never ours."""
    assert condition(installed, WANTED) is expected


def test_what_an_earlier_version_wrote_is_still_known() -> None:
    """Were the fingerprint made otherwise, an upgrade would take every unit for one that a person edited."""
    installed = (
        "# Made by `cadence install`: it will be overwritten, edit the cadence instead.\n"
        "# fingerprint: 28e263120c31964c\n"
        "[Unit]\n"
        "Description=cadencebus timer for inbox\n"
    )
    assert seal(["[Unit]", "Description=cadencebus timer for inbox"]) == installed
    assert condition(installed, WANTED) is Condition.STALE
    assert condition(installed + "\n", WANTED) is Condition.EDITED
    assert condition(installed.replace("[Unit]\n", "[Unit]"), WANTED) is Condition.EDITED
    marked = seal(["a fingerprint: 0", "b"])
    assert condition(marked, marked) is Condition.CURRENT


def test_the_header_says_where_to_edit() -> None:
    """Whoever opens the file reads it first."""
    assert WANTED.splitlines()[0] == (
        "# Made by `cadence install`: it will be overwritten, edit the cadence instead."
    )


def test_comments_of_another_language_hold_it_too() -> None:
    """In XML they stand below the declaration."""
    text = seal(["<?xml?>", "<plist/>"], at=1, opening="<!-- ", closing=" -->")
    assert text.splitlines()[::3] == ["<?xml?>", "<plist/>"]
    assert text.splitlines()[2].startswith("<!-- fingerprint: ")
    assert condition(text, text) is Condition.CURRENT
