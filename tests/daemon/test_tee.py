"""`run -v` repeats what runs say on standard error."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from cadencebus.daemon.tee import Tee

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_nothing_is_left_out_however_much_comes_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More than one piece between two looks; and a line that is longer than a piece."""
    log = tmp_path / "stderr.log"
    lines = [f"line {number}" for number in range(20_000)] + ["x" * 200_000]
    log.write_text("\n".join(lines) + "\n")
    Tee(str(log), "brief").read_on(log.stat().st_size)
    assert capsys.readouterr().err.splitlines() == [f"brief: {line}" for line in lines]


def test_a_line_is_repeated_when_it_is_whole_and_the_last_one_in_any_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever prints dots without a line end is heard in the end; orders to the terminal are not."""
    log = tmp_path / "stderr.log"
    tee = Tee(str(log), "brief")
    tee.read_on(1)
    tee.finish()
    log.write_text("one\ntw")
    tee.read_on(log.stat().st_size)
    assert capsys.readouterr().err == "brief: one\n"
    log.write_text("one\ntwo\x1b[2J")
    tee.read_on(log.stat().st_size)
    tee.finish()
    tee.finish()
    assert capsys.readouterr().err == "brief: two\n"


def test_a_reader_who_goes_is_no_trouble_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `cadence run -v 2>&1 | head -1` an error came that the consumer took for the state folder's."""
    reader, writer = os.pipe()
    os.close(reader)
    log = tmp_path / "stderr.log"
    log.write_text("one\ntwo\n")
    # Without a buffer: what that keeps would only fail again when it is closed.
    with os.fdopen(writer, "wb", 0) as broken:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(broken, write_through=True))
        Tee(str(log), "brief").read_on(log.stat().st_size)
