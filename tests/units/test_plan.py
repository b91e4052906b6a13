"""The plan for each manager: what it fires, what it must leave, whose files are whose; and the orders."""

from __future__ import annotations

import pytest

from cadencebus.policy.timetable import cron_line
from cadencebus.units.activation import after_writing, before_removal, listens
from cadencebus.units.plan import MANAGERS, Manager, fired_by, is_ours, plan, trigger
from cadencebus.units.site import Producer, Site

MAIL = Producer(name="mail", line=cron_line("*/5 * * * *"))
LAST = Producer(name="last", line=cron_line("0 9 L * *"))
ALL = Producer(name="all", line=cron_line("0 9 * * *"), catch_up="all")


@pytest.mark.parametrize("manager", MANAGERS)
def test_each_manager_is_given_the_consumer_and_what_it_can_fire(manager: Manager, site: Site) -> None:
    """What it can't is left to the bus's own clock, with the reason."""
    made = plan(manager, site, [MAIL, LAST])
    if manager == "systemd":
        assert made.fires == ("mail", "last")
        assert len(made.units) == 5
    else:
        assert made.fires == ("mail",)
        assert "no last or n-th day" in made.left["last"]
        assert len(made.units) == (1 if manager == "cron" else 2)
    assert made.units[0].file.startswith("cadencebus" if manager != "cron" else "crontab")
    promised = plan(manager, site, [MAIL, ALL]).caveats
    assert "catch_up all is not kept" in promised["all"][0]
    assert ("mail" in promised) is (manager != "systemd")


@pytest.mark.parametrize("manager", ["launchd", "systemd"])
def test_a_unit_is_known_by_its_name(manager: Manager, site: Site) -> None:
    """Its home's, and of which cadence; not that of a neighbour whose name begins alike."""
    made = plan(manager, site, [MAIL])
    assert [fired_by(manager, site, unit.file) for unit in made.units][:2] == [None, "mail"]
    assert [file for unit in made.units if (file := unit.file) == trigger(manager, site, "mail")]
    assert trigger(manager, site, "mail").endswith("mail.plist" if manager == "launchd" else "mail.timer")
    assert all(is_ours(manager, site, unit.file) for unit in made.units)
    neighbour = Site(home=f"{site.home}2", program=site.program, path=site.path, logs=site.logs)
    assert not any(is_ours(manager, neighbour, unit.file) for unit in made.units)
    assert not is_ours(manager, site, made.units[0].file + ".before-cadence")


def test_what_has_changed_is_restarted_but_no_tick_is_put_in_by_it(site: Site) -> None:
    """The service of a timer runs once a firing, and only then."""
    files = [unit.file for unit in plan("systemd", site, [MAIL]).units]
    consumer, service, timer = files
    orders = [str(order) for order in after_writing("systemd", "/u", files, files, 501)]
    assert orders == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {consumer} {timer}",
        f"systemctl --user restart {consumer} {timer}",
    ]
    assert not any(service in order for order in orders)
    assert (
        str(before_removal("systemd", [service, timer], 501)[0]) == f"systemctl --user disable --now {timer}"
    )
    assert before_removal("systemd", [], 501) == []


def test_launchd_is_asked_before_an_agent_is_loaded_twice(site: Site) -> None:
    """A changed one is unloaded first, an unchanged one only loaded where it is not."""
    files = [unit.file for unit in plan("launchd", site, [MAIL]).units]
    orders = after_writing("launchd", "/u", files, files[:1], 501)
    domain = f"gui/501/cadencebus.{site.slug}"
    assert [order.argv[1:] for order in orders] == [
        ("bootout", domain),
        ("enable", domain),
        ("bootstrap", "gui/501", f"/u/{files[0]}"),
        ("enable", f"{domain}.mail"),
        ("bootstrap", "gui/501", f"/u/{files[1]}"),
    ]
    assert [order.unless for order in orders if order.argv[1] == "bootstrap"] == [
        (),
        ("launchctl", "print", f"{domain}.mail"),
    ]
    assert listens("cron", 501) is None
