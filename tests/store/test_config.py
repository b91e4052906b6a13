"""cadence.yaml: flags win over the environment, that over the file, and no bad value is a silent default."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model.key_reference import commented_settings
from cadencebus.model.settings import Retention, Settings
from cadencebus.store import glance
from cadencebus.store.badfile import BadFile
from cadencebus.store.config import LiveSettings
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import FakeClock

ROOT = Path(__file__).parents[2]
NOTHING: Mapping[str, Any] = {}


def load(
    home: Path, *, flags: Mapping[str, object] = NOTHING, environ: Mapping[str, str] = NOTHING
) -> Settings:
    """Load the settings of a home, with nothing around it but what is given."""
    return LiveSettings(Home(str(home)), flags=flags, environ=environ).current


def problems(home: Path, **around: Any) -> list[str]:
    """Say what is wrong with the settings."""
    with pytest.raises(BadFile) as caught:
        load(home, **around)
    assert caught.value.exit_code == 78
    return [str(problem) for problem in caught.value.problems]


# --- where a setting comes from ----------------------------------------------------------------------


def test_without_a_file_all_is_as_usual(home: Path) -> None:
    """Every key has a default, and an empty or commented file says no more than none."""
    assert load(home) == Settings()
    for text in ("", "# nothing\n", commented_settings(), "---\n", "\N{BYTE ORDER MARK}"):
        (home / "cadence.yaml").write_text(text)
        assert load(home) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(home: Path) -> None:
    """The nearer to the hand, the stronger."""
    (home / "cadence.yaml").write_text("max_sessions: 3\nmax_inline: 5\nsettle: 1s\n")
    environ = {"CADENCE_SET_MAX_SESSIONS": "6", "CADENCE_SET_MAX_INLINE": "7", "UNRELATED": "x"}
    found = load(home, flags={"max_sessions": 9}, environ=environ)
    assert (found.max_sessions, found.max_inline, found.settle, found.max_inbox) == (9, 7, 1.0, 0)


def test_a_variable_is_read_as_yaml(home: Path) -> None:
    """So that maps and lists can be said there too; a map in part keeps the rest of the file's."""
    (home / "cadence.yaml").write_text(
        "retention: {done: 1d, runs: 2d}\ndefaults: {timeout: 5m, retries: 0}\n"
    )
    environ = {
        "CADENCE_SET_RETENTION": "{runs: 3d}",
        "CADENCE_SET_DEFAULTS": "{retries: 1}",
        "CADENCE_SET_MAX_USD_PER_DAY": "null",
        "CADENCE_SET_GATES": "{load: {max_per_core: 0.5}}",
    }
    found = load(home, environ=environ)
    assert found.retention == Retention(done=86400.0, runs=3 * 86400.0)
    assert found.defaults == {"timeout": "5m", "retries": 1}
    assert found.max_usd_per_day is None
    assert found.gates.load is not None


def test_a_subscription_may_be_preferred_for_the_whole_bus(home: Path) -> None:
    """Only a flag is stronger; what is no yes and no no is refused."""
    (home / "cadence.yaml").write_text("auth: api-key\n")
    prefer = "CADENCE_PREFER_SUBSCRIPTION"
    assert load(home, environ={prefer: "1"}).auth == "subscription"
    assert load(home, environ={prefer: "true", "CADENCE_SET_AUTH": "auto"}).auth == "subscription"
    assert load(home, environ={prefer: "0"}).auth == "api-key"
    assert load(home, environ={prefer: ""}).auth == "api-key"
    assert load(home, environ={prefer: "1"}, flags={"auth": "auto"}).auth == "auto"
    assert problems(home, environ={prefer: "maybe"}) == [f"{prefer}: allowed is 1, or 0 or nothing"]


def test_what_the_reference_shows_can_be_copied(home: Path) -> None:
    """Every block of settings in docs/cadence.md loads."""
    page = (ROOT / "docs" / "cadence.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) >= 2
    for text in shown:
        (home / "cadence.yaml").write_text(text)
        assert load(home) != Settings()


# --- what is wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "max_sessions: 2\nmax_sesions: 3\n",
            "cadence.yaml:2: max_sesions: unknown key; did you mean `max_sessions`?",
        ),
        (
            "max_sessions: many\n",
            'cadence.yaml:1: max_sessions: found "many", allowed a whole number from 0 to 1000',
        ),
        (
            "gates:\n  usage:\n    command: [u]\n    hold_at: 900\n",
            "cadence.yaml:4: gates.usage.hold_at: found 900",
        ),
        (
            "defaults:\n  retires: 1\n",
            "cadence.yaml:2: defaults.retires: unknown key; did you mean `retries`?",
        ),
        ("retention: {dune: 1d}\n", "cadence.yaml:1: retention.dune: unknown key; did you mean `done`?"),
        (
            "gates: {xyz: 1}\n",
            "cadence.yaml:1: gates.xyz: unknown key; known are usage, pressure, load, memory",
        ),
        ("max_sessions:\n", "cadence.yaml:1: max_sessions: found nothing, allowed a whole number"),
        ("- max_sessions\n", "cadence.yaml:1: not a map of keys"),
        ("a: [1\n", "cadence.yaml:1: not YAML"),
        ("max_sessions: 1\nmax_sessions: 2\n", "cadence.yaml:2: max_sessions: stands twice, first on line 1"),
    ],
)
def test_a_fault_names_its_place(home: Path, text: str, said: str) -> None:
    """File, line, key, what was found, what is allowed, and what may have been meant."""
    (home / "cadence.yaml").write_text(text)
    (problem,) = problems(home)
    assert problem.startswith(said)


def test_a_bad_value_around_the_file_names_where_it_stands(home: Path) -> None:
    """An operator looks for a variable or a flag by its name."""
    environ = {"CADENCE_SET_SETTLE": "soon", "CADENCE_SET_MAX_SESION": "1"}
    assert problems(home, environ=environ, flags={"max_inline": -1}) == [
        "--set max_inline: max_inline: found -1, allowed a whole number from 0 to 1000",
        "CADENCE_SET_MAX_SESION: max_sesion: unknown key; did you mean `max_sessions`?",
        (
            'CADENCE_SET_SETTLE: settle: found "soon", allowed'
            " a duration such as 90s, 20m, 2h, 1d or plain seconds"
        ),
    ]
    assert problems(home, environ={"CADENCE_SET_GATES": "{"})[0].startswith("CADENCE_SET_GATES: not YAML")


def test_a_bad_value_is_an_error_though_a_stronger_one_hides_it(home: Path) -> None:
    """It would come to light on the worst day."""
    (home / "cadence.yaml").write_text("max_sessions: many\n")
    assert len(problems(home, environ={"CADENCE_SET_MAX_SESSIONS": "4"})) == 1


def test_all_faults_of_all_places_are_told_at_once(home: Path) -> None:
    """By place, and there by line."""
    (home / "cadence.yaml").write_text("settle: x\nmax_inbox: x\nrunners: {a: {}}\n")
    found = problems(home, environ={"CADENCE_SET_AUTH": "x"})
    assert [problem.split(": ")[0] for problem in found] == [
        *("CADENCE_SET_AUTH", "cadence.yaml:1", "cadence.yaml:2", "cadence.yaml:3"),
    ]


def test_what_is_no_text_is_refused(home: Path) -> None:
    """Not UTF-8, far too long, no regular file: each says so, and none hangs."""
    path = home / "cadence.yaml"
    path.write_bytes(b"auth: auto\n# caf\xe9\n")
    assert problems(home) == ["cadence.yaml:2: not UTF-8"]
    path.write_bytes(b"#" * ((1 << 20) + 1))
    assert problems(home) == ["cadence.yaml: can't be read: more than 1048576 bytes"]
    path.unlink()
    os.mkfifo(path)
    assert problems(home) == ["cadence.yaml: can't be read: not a regular file"]
    path.unlink()
    path.mkdir()
    assert problems(home)[0].startswith("cadence.yaml: can't be read: ")
    path.rmdir()
    path.symlink_to(path.name)
    assert problems(home) == ["cadence.yaml: can't be read: Too many levels of symbolic links"]
    assert LiveSettings(Home(str(home)), flags={}, environ={}, lenient=True).current == Settings()


def test_a_linked_file_is_followed(home: Path, tmp_path: Path) -> None:
    """People keep their settings with their dotfiles."""
    (tmp_path / "kept.yaml").write_text("max_sessions: 7\n")
    (home / "cadence.yaml").symlink_to(tmp_path / "kept.yaml")
    assert load(home).max_sessions == 7


# --- edits while the consumer runs -------------------------------------------------------------------


@pytest.fixture
def live(home: Path, fake_clock: FakeClock) -> LiveSettings:
    """Start with three sessions at a time."""
    (home / "cadence.yaml").write_text("max_sessions: 3\n")
    return LiveSettings(Home(str(home)), flags={}, environ={}, monotonic=fake_clock.monotonic)


def test_an_edit_takes_effect_at_the_next_look(home: Path, live: LiveSettings) -> None:
    """In place, or renamed over."""
    (home / "cadence.yaml").write_text("max_sessions: 4\n")
    assert live.refresh() is None
    assert live.current.max_sessions == 4
    (home / "new").write_text("max_sessions: 5\n")
    (home / "new").rename(home / "cadence.yaml")
    assert live.refresh() is None
    assert live.current.max_sessions == 5


def test_a_broken_edit_keeps_the_last_good_and_says_so_once(home: Path, live: LiveSettings) -> None:
    """Until it is mended; another fault is told again."""
    good = live.current
    (home / "cadence.yaml").write_text("max_sessions: many\n")
    said = live.refresh()
    assert said is not None
    assert said.startswith('cadence.yaml:1: max_sessions: found "many"')
    assert said.endswith("the last good settings stay in force")
    assert live.refresh() is None
    assert live.current is good
    assert live.problem == said
    (home / "cadence.yaml").write_text("max_sessions: lots\n")
    assert '"lots"' in str(live.refresh())
    (home / "cadence.yaml").write_text("max_sessions: 8\n")
    assert live.refresh() is None
    assert live.current.max_sessions == 8
    assert not live.problem


def test_what_wins_over_the_file_wins_after_an_edit_too(home: Path, fake_clock: FakeClock) -> None:
    """A flag is said once, at the start."""
    live = LiveSettings(Home(str(home)), flags={"max_sessions": 1}, environ={"CADENCE_SET_MAX_INLINE": "2"})
    (home / "cadence.yaml").write_text("max_sessions: 4\nmax_inline: 4\nmax_inbox: 4\n")
    live.refresh()
    assert (live.current.max_sessions, live.current.max_inline, live.current.max_inbox) == (1, 2, 4)


def test_the_first_load_must_be_good(home: Path) -> None:
    """There is nothing to fall back to."""
    (home / "cadence.yaml").write_text("max_sessions: many\n")
    with pytest.raises(BadFile):
        LiveSettings(Home(str(home)), flags={}, environ={})


def test_an_edit_that_changes_nothing_keeps_the_very_settings(home: Path, live: LiveSettings) -> None:
    """Cadences that lie over the same defaults need not be read again."""
    before = live.current
    (home / "cadence.yaml").write_text("max_sessions: 3 # as ever\n")
    assert live.refresh() is None
    assert live.current is before


def test_a_look_at_a_file_that_stood_still_is_one_stat(
    home: Path, live: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens on every turn of the consumer."""
    monkeypatch.setattr(glance, "_FINE", 0)
    (home / "cadence.yaml").write_text("max_sessions: 4\n")
    live.refresh()

    def forbidden(path: str, limit: int) -> bytes:
        pytest.fail(f"{path} was read again")

    monkeypatch.setattr("cadencebus.store.files.read", forbidden)
    for _ in range(3):
        assert live.refresh() is None


def test_an_edit_within_the_same_stamp_is_seen(home: Path, live: LiveSettings) -> None:
    """Two edits in one tick of the file system's clock, of the same size."""
    path = home / "cadence.yaml"
    at = path.stat()
    for sessions in (4, 5, 6):
        path.write_text(f"max_sessions: {sessions}\n")
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
        live.refresh()
        assert live.current.max_sessions == sessions


@pytest.mark.parametrize("way", ["away", "empty"])
def test_a_file_that_is_away_for_a_moment_changes_nothing(
    way: str, home: Path, live: LiveSettings, fake_clock: FakeClock
) -> None:
    """Editors truncate before they write, checkouts unlink: the bus must not run on defaults meanwhile."""
    path = home / "cadence.yaml"
    if way == "away":
        path.unlink()
    else:
        path.write_text("")
    assert live.refresh() is None
    fake_clock.advance(1.9)
    assert live.refresh() is None
    assert live.current.max_sessions == 3
    path.write_text("max_sessions: 4\n")
    assert live.refresh() is None
    assert live.current.max_sessions == 4


def test_a_file_that_stays_away_is_gone(home: Path, live: LiveSettings, fake_clock: FakeClock) -> None:
    """After a while somebody meant it, and is told what that means."""
    (home / "cadence.yaml").unlink()
    live.refresh()
    fake_clock.advance(2.1)
    assert live.refresh() == "cadence.yaml is gone: the defaults are in force"
    assert live.current == Settings()
    assert live.refresh() is None


def test_a_file_that_is_emptied_on_purpose_means_the_defaults(
    home: Path, live: LiveSettings, fake_clock: FakeClock
) -> None:
    """It may take a moment."""
    (home / "cadence.yaml").write_text("")
    live.refresh()
    fake_clock.advance(2.1)
    assert live.refresh() is None
    assert live.current == Settings()


def test_a_file_that_can_not_be_read_keeps_the_last_good(
    home: Path, live: LiveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails is no edit, and when it recovers nothing has to be done."""

    def failing(path: str, limit: int) -> bytes:
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patch:
        patch.setattr("cadencebus.store.files.read", failing)
        (home / "cadence.yaml").write_text("max_sessions: 4\n")
        assert "can't be read: Input/output error" in str(live.refresh())
        assert live.refresh() is None
        assert live.current.max_sessions == 3
    assert live.refresh() is None
    assert live.current.max_sessions == 4
