"""What a run finds in its environment."""

from __future__ import annotations

import pytest

from cadencebus.errors import Misconfigured
from cadencebus.session.environment import credentialed, environment, inherited, is_placeholder, search_path


def test_ours_wins_over_the_cadences_over_the_runners_over_the_bus() -> None:
    """And nobody can pretend to be another run."""
    found = environment(
        {"A": "bus", "B": "bus", "HOME": "/h"},
        {"CADENCE_RUN_ID": "ours"},
        {"B": "runner", "C": "runner"},
        {"C": "cadence", "CADENCE_RUN_ID": "forged"},
    )
    assert {name: found[name] for name in ("A", "B", "C", "CADENCE_RUN_ID")} == {
        "A": "bus",
        "B": "runner",
        "C": "cadence",
        "CADENCE_RUN_ID": "ours",
    }


@pytest.mark.parametrize(
    "name",
    ["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "CADENCE_SET_X"],
)
def test_what_would_make_an_agent_think_it_is_nested_is_gone(name: str) -> None:
    """Or make it answer somebody else's supervisor."""
    assert name not in inherited({name: "1"})
    assert environment({name: "1"}, {}, {}, {name: "2"})[name] == "2", "asked for by name it is meant"


def test_a_bare_path_gains_what_people_install_for_themselves() -> None:
    """Behind what was there; twice nothing."""
    found = search_path("/usr/bin:/bin", "/home/me").split(":")
    assert found[:2] == ["/usr/bin", "/bin"]
    assert {"/home/me/.local/bin", "/opt/homebrew/bin", "/usr/local/bin"} <= set(found)
    assert len(found) == len(set(found))
    assert search_path("", "/h").startswith("/h/.local/bin")


@pytest.mark.parametrize(
    "key",
    [
        *("", " ", "changeme", "REPLACE_ME", "API_KEY", "<your key>", "your-api-key", "sk-ant-your-key-here"),
        *("sk-ant-xxxx", "sk-ant-api03-xxxxxxxx", "sk-proj-***", "sk-...", "sk-ant-abc...", "${KEY}"),
    ],
)
def test_a_key_that_is_nobodys_is_dropped(key: str) -> None:
    """So that the CLI falls back to its own login."""
    assert is_placeholder(key)
    assert credentialed({"ANTHROPIC_API_KEY": key, "A": "1"}, "anthropic", "auto") == {"A": "1"}
    with pytest.raises(Misconfigured, match="ANTHROPIC_API_KEY is not set to a real key"):
        credentialed({"ANTHROPIC_API_KEY": key}, "anthropic", "api-key")


def test_a_real_key_is_used_unless_the_subscription_is_wanted() -> None:
    """Only the keys of these credentials are looked at."""
    both = {"ANTHROPIC_API_KEY": "sk-ant-api03-real", "OPENAI_API_KEY": "changeme"}
    assert credentialed(both, "anthropic", "auto") == both
    assert credentialed(both, "anthropic", "api-key") == both
    assert credentialed(both, "anthropic", "subscription") == {"OPENAI_API_KEY": "changeme"}
    assert credentialed(both, "somebody", "api-key") == both
