"""Instants as people read them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.desk.human_time import ago, clock
from cadencebus.model.foreign import instant

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the machine's clock to Japan's time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_for_ever_is_a_time_everywhere() -> None:
    """Somebody's hold says 9999-12-31: east of Greenwich no verb could show it."""
    at = instant("9999-12-31T23:59:59Z")
    assert at is not None
    assert clock(at) == "9999-12-31 23:59"


@pytest.mark.usefixtures("tokyo")
def test_the_date_is_told_unless_it_is_today() -> None:
    """In local time: what is still yesterday in Greenwich may be today."""
    now = instant("2026-11-21T20:00:00Z")
    assert now is not None
    assert clock(now - 3600, now) == "04:00:00"
    assert clock(now - 6 * 3600, now) == "2026-11-21 23:00"


def test_a_span_is_told_in_its_largest_unit() -> None:
    """And the same whether it lies behind or ahead."""
    assert [ago(seconds) for seconds in (0, 59, 60, 3600, -7200, 86400)] == [
        "0s",
        "59s",
        "1m",
        "1h",
        "2h",
        "1d",
    ]
