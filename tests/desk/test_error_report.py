"""What a command says of an error, and the exit code that goes with it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.desk.error_report import report
from cadencebus.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_whose_home_it_is_is_said_to_who_may_not(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`Permission denied` alone has a person look for a fault where there is none."""
    refused = PermissionError(errno.EACCES, "Permission denied", f"{home}/state/tmp/x.json")
    assert report(refused, debug=False) == 77
    assert "try: cadence doctor" in capsys.readouterr().err
    os.chown(home / "state", NOBODY, -1)
    assert report(refused, debug=False) == 77
    said = capsys.readouterr().err
    assert "the home is " in said
    assert "sudo -u " in said


def test_what_another_program_said_stands_below_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line: it is read, not searched."""
    error = Misconfigured("the consumer ended", next_step="fix that")
    error.said = ("one line", "another")
    assert report(error, debug=False) == 78
    told = capsys.readouterr().err.splitlines()
    assert told == ["cadence: the consumer ended; try: fix that", "  | one line", "  | another"]


def test_a_disk_without_room_is_named_though_the_system_names_no_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`No space left on device` alone says neither where nor what to do."""
    assert report(OSError(errno.ENOSPC, "No space left on device"), debug=False) == 74
    assert capsys.readouterr().err == (
        "cadence: No space left on device; try: cadence doctor, which says how much room is left\n"
    )


def test_a_ctrl_c_that_python_wraps_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a class is being made, the interpreter calls it a RuntimeError of its own."""

    class Slow:
        def __set_name__(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises((RuntimeError, KeyboardInterrupt)) as raised:
        type("Made", (), {"field": Slow()})
    assert (report(raised.value, debug=False), capsys.readouterr().err) == (130, "")
