"""A bus whose paths need every kind of quoting, and cron lines that every renderer must get right."""

from __future__ import annotations

import pytest

from cadencebus.units.site import Site


@pytest.fixture
def site() -> Site:
    """An ordinary bus of an ordinary user."""
    return Site(
        home="/srv/ann/mail",
        program=("/srv/ann/.local/bin/cadence",),
        path="/srv/ann/.local/bin:/usr/bin:/bin",
        logs="/srv/ann/Library/Logs/cadencebus",
    )


@pytest.fixture
def nasty() -> Site:
    """A bus whose paths mean something to XML, to systemd, to cron or to a shell."""
    return Site(
        home='/srv/ann/50% "mail" & <it\'s> $HOME;#ü',
        program=("/opt/a b%h/cadence", "-x", "100%"),
        path="/opt/a b%h:/usr/bin:/bin",
        logs="/srv/ann/Log's 100%",
    )
