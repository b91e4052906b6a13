"""Where the bus lives, and what can't be written into any unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cadencebus.units.site import Producer, Site


def test_two_homes_of_one_name_have_different_slugs(site: Site) -> None:
    """Their units lie side by side in one folder."""
    other = replace(site, home="/srv/mail")
    assert site.slug.startswith("mail-")
    assert other.slug.startswith("mail-")
    assert site.slug != other.slug


@pytest.mark.parametrize(
    ("home", "slug"),
    [
        ("/srv/ann/mail", "mail-9ef88374"),
        ("/", "bus-8a5edab2"),
        ("/ü", "bus-80c0f51a"),
        ('/a/..."', "bus-a9d880a8"),
        ("/x/" + "long" * 40, "longlonglonglonglonglong-658ceaea"),
        ("/a/My  Bus (2)/", "my-bus-2-2a4fdefc"),
        ("/a/snake_case and-dash and more", "snake_case-and-dash-and-69084f10"),
    ],
)
def test_a_slug_is_fit_for_every_unit_name_and_stays_what_it_is(site: Site, home: str, slug: str) -> None:
    """Letters, digits, dashes, underscores, and short; by another one nothing that is installed is found."""
    assert replace(site, home=home).slug == slug


@pytest.mark.parametrize(
    "change",
    [
        {"home": "/srv/ann\nExecStart=/bin/sh"},
        {"home": "mail"},
        {"program": ("cadence",)},
        {"program": ("/usr/bin/python3", "a\rb")},
        {"path": "/usr/bin\x00"},
        {"logs": "~/Library/Logs"},
        {"logs": "/var/log\n"},
    ],
)
def test_what_could_start_a_new_line_or_is_relative_is_refused(
    site: Site, change: dict[str, str | tuple[str, ...]]
) -> None:
    """No format can escape a line break, and a service manager has no current folder."""
    with pytest.raises(ValueError, match=r"absolute path|control characters"):
        replace(site, **change)  # type: ignore[arg-type]


def test_a_producer_enqueues_and_lets_its_share_of_the_jitter_wait_on_disk(site: Site) -> None:
    """Nobody sleeps in a shell; the same share as the bus's own clock takes."""
    producer = Producer(name="inbox", every=60.0, delay=12.5)
    assert producer.argv(site, "cron") == (
        *site.program,
        "enqueue",
        "inbox",
        "--source",
        "cron",
        "--in",
        "12.5s",
    )
    assert "--in" not in producer.argv(site, "systemd", delayed=False)
    assert replace(producer, delay=1036800.125).argv(site, "cron")[-1] == "1036800.125s"
