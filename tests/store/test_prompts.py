"""The folder prompts/: the newest version always runs, a broken file stops that cadence only."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model.cadence_keys import KEYS
from cadencebus.store import files, glance
from cadencebus.store.badfile import BadFile
from cadencebus.store.paths import Home
from cadencebus.store.prompts import Prompts, UnknownCadence, read_cadence, split
from cadencebus.store.yamltext import BadYAML

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "---\ncommand: [echo, hello]\n---\n"


@pytest.fixture
def folder(home: Path) -> Path:
    """Give the folder of the cadences."""
    return home / "prompts"


@pytest.fixture
def cadences(home: Path) -> Prompts:
    """Read the cadences of the home, over no defaults."""
    return Prompts(Home(str(home)))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every file that is read rather than looked at."""
    noted: list[str] = []
    read = files.read

    def noting(path: str, limit: int) -> bytes:
        noted.append(os.path.basename(path))
        return read(path, limit)

    monkeypatch.setattr(files, "read", noting)
    return noted


def write(path: Path, text: str | bytes) -> None:
    """Write a file in place."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def problems(text: str | bytes, **defaults: Any) -> list[str]:
    """Say what is wrong with the text of `prompts/x.md`."""
    with pytest.raises(BadFile) as caught:
        read_cadence("x", text.encode() if isinstance(text, str) else text, defaults)
    return [str(problem) for problem in caught.value.problems]


# --- front matter and body ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "matter", "body"),
    [
        ("", None, ""),
        ("only a prompt\n", None, "only a prompt\n"),
        ("---\na: 1\n---\nbody\n", "a: 1", "body\n"),
        ("---\na: 1\n---\n\n\nbody\n---\nmore\n", "a: 1", "body\n---\nmore\n"),
        ("---\na: 1\n...\nbody", "a: 1", "body"),
        ("--- \na: 1\n--- \nbody", "a: 1", "body"),
        ("---\n---\nbody", "", "body"),
        ("---\r\na: 1\r\n---\r\none\r\ntwo\r\n", "a: 1", "one\ntwo\n"),
        ("\n---\na: 1\n---\n", None, "\n---\na: 1\n---\n"),
        ("----\nnot a fence\n", None, "----\nnot a fence\n"),
    ],
)
def test_front_matter_stands_between_the_first_two_fences(text: str, matter: str | None, body: str) -> None:
    """Later fences belong to the prompt, and a file without any is all prompt."""
    assert split(text) == (matter, body)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\na: 1\n", "never closed"),
        ("---", "never closed"),
        ("\N{BYTE ORDER MARK}---\n---\n", "byte order mark"),
    ],
)
def test_front_matter_that_is_not_closed_is_refused(text: str, said: str) -> None:
    """Half a file must not be taken for a whole prompt."""
    with pytest.raises(BadYAML, match=said):
        split(text)


def test_a_cadence_is_its_keys_its_prompt_and_its_digest() -> None:
    """The digest is that of the bytes: any edit changes it."""
    text = b"---\ncommand: [wc, -w]\ntimeout: 5m\n---\nCount this.\n"
    cadence = read_cadence("count", text, {"retries": 9})
    assert (cadence.name, cadence.path) == ("count", "prompts/count.md")
    assert (cadence.command, cadence.timeout, cadence.retries) == (("wc", "-w"), 300.0, 9)
    assert cadence.prompt == "Count this.\n"
    assert hashlib.sha256(text).hexdigest().startswith(cadence.digest)
    assert len(cadence.digest) == 16


def test_an_argument_reaches_its_program_as_it_was_typed() -> None:
    """Numbers go back to their text: `1.10` is a version, `007` is an agent."""
    cadence = read_cadence(
        "x", b"---\ncommand: [run, 1.10, 007, 5, true, null-like]\nenv: {V: 3.10}\n---\n", {}
    )
    assert cadence.command == ("run", "1.10", "007", "5", "true", "null-like")
    assert cadence.env == (("V", "3.10"),)


def test_a_tilde_is_the_users_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file that must be written as in every path."""
    monkeypatch.setenv("HOME", "/home/alice")
    cadence = read_cadence("x", b"---\ncommand: [x]\nexpect: {file: [~/notes/brief.md, out.md]}\n---\n", {})
    assert cadence.expect.file == ("/home/alice/notes/brief.md", "out.md")


# --- what is wrong with a file -----------------------------------------------------------------------


def test_a_fault_names_file_line_key_what_was_found_and_what_is_allowed() -> None:
    """One line that says all a person needs."""
    assert problems("---\ncommand: [x]\n\nretires: 3\n---\n") == [
        "prompts/x.md:4: retires: unknown key; did you mean `retries`?"
    ]
    assert problems('---\ncommand: [x]\njitter: "soon"\n---\n') == [
        'prompts/x.md:3: jitter: found "soon", allowed a duration such as 90s, 20m, 2h, 1d or plain seconds'
    ]
    assert problems("---\nmode: gaurded\nguard: [x]\n---\n") == [
        'prompts/x.md:2: mode: found "gaurded", allowed session, inline or guarded; did you mean `guarded`?'
    ]
    assert problems("---\ncommand: [x]\ncatch_up: None\noverlap: SKIP\npayload: null\n---\n") == [
        'prompts/x.md:3: catch_up: found "None", allowed none, one or all; did you mean `none`?',
        'prompts/x.md:4: overlap: found "SKIP", allowed queue, coalesce or skip; did you mean `skip`?',
        "prompts/x.md:5: payload: found nothing, allowed append, file or none",
    ]
    (said,) = problems("---\ntimezone: europe/berlin\n---\n")
    assert said.endswith("did you mean `Europe/Berlin`?")


def test_everything_that_is_wrong_is_told_by_line() -> None:
    """However many keys deep, in the order of the file."""
    text = "---\nexpect:\n  file: [a, ../b]\n  prof: true\nretries: many\ncommand: echo\n---\n"
    assert [problem.split(": ")[:2] for problem in problems(text)] == [
        ["prompts/x.md:3", "expect.file.1"],
        ["prompts/x.md:4", "expect.prof"],
        ["prompts/x.md:5", "retries"],
        ["prompts/x.md:6", "command"],
    ]


def test_the_error_itself_is_one_line_and_carries_the_rest() -> None:
    """A journal or a hold has room for one."""
    with pytest.raises(BadFile) as caught:
        read_cadence("x", b"---\nretires: 1\ntimeout: soon\nmode: x\n---\n", {})
    error = caught.value
    assert error.message == "prompts/x.md:2: retires: unknown key; did you mean `retries`? (and 2 more)"
    assert error.next_step == "fix prompts/x.md, then `cadence check`"
    assert error.exit_code == 78
    assert error.problem.dump() == {
        "file": "prompts/x.md",
        "line": 2,
        "key": "retires",
        "found": "1",
        "allowed": error.problem.allowed,
        "nearest": "retries",
        "message": "unknown key",
        "text": str(error.problem),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\n- a\n---\n", "prompts/x.md:2: front matter: not a map of keys"),
        ("---\nhello\n---\n", "prompts/x.md:2: front matter: not a map of keys"),
        ("---\na: 1\n", "prompts/x.md:1: front matter: opened with --- and never closed"),
        ("---\nretries: 1\nretries: 2\n---\n", "prompts/x.md:3: retries: stands twice, first on line 2"),
        (b"---\ncommand: [x]\n---\nd\xe9j\xe0 vu\n", "prompts/x.md:4: not UTF-8: byte 0xe9"),
        ("---\ncommand: [x]\nschedule: */5 * * * *\n---\n", "prompts/x.md:3: not YAML: "),
        (
            "---\ncommand: [x]\nschedule: '61 * * * *'\n---\n",
            'prompts/x.md:3: schedule: found "61 * * * *", allowed a cron line such as',
        ),
        ("---\ncommand: [x]\nschedule: '0 0 30 2 *'\n---\n", "bad day-of-month"),
        (
            "---\nrunner: command\n---\n",
            'prompts/x.md:2: runner: found "command", allowed command only with a `command`',
        ),
        ("---\ncommand: [x]\nevery: 5m\nschedule: '@daily'\n---\n", "prompts/x.md:3: every: "),
    ],
)
def test_what_makes_no_sense_has_its_line(text: str | bytes, said: str) -> None:
    """In the text, in the YAML, in a key, in two keys together."""
    (problem,) = problems(text)
    assert said in problem


def test_a_fault_that_comes_from_the_defaults_says_so() -> None:
    """Its key is nowhere in the file that a person is looking at."""
    (problem,) = problems("---\ndescription: x\n---\n", runner="command")
    assert problem == (
        'prompts/x.md:2: runner: found "command", allowed command only with a `command`, an argv list'
        " (it comes from `defaults` in cadence.yaml)"
    )


def test_a_file_can_not_paint_the_terminal() -> None:
    """Escape sequences and long values are shown as harmless text of one line."""
    text = '---\ncommand: [x]\n"\\e[31mred\\n": 1\nmode: "\\u202e\\x9b31m' + "x" * 500 + '"\n---\n'
    for problem in problems(text):
        assert problem.isprintable()
        assert len(problem) < 200


WORDS = st.sampled_from(sorted(KEYS)) | st.sampled_from(
    ["[", "{", "a", "1", "~", "&x", "*", "!", "|", "-", "'", "5s"]
)
SCRAPS = st.lists(WORDS | st.sampled_from([": ", "\n", " ", ",", "]", "}", "#", "\t"]), max_size=30).map(
    "".join
)


@given(st.binary(max_size=100) | SCRAPS.map(lambda scraps: f"---\n{scraps}\n---\nbody".encode()))
def test_no_file_is_a_surprise(data: bytes) -> None:
    """Whatever its bytes, it is a cadence or a BadFile that names the file."""
    try:
        said = read_cadence("x", data, {}).path
    except BadFile as error:
        said = error.message
    assert said.startswith("prompts/x.md")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(KEYS)), ANYTHING)
def test_no_value_is_a_surprise(key: str, value: Any) -> None:
    """As a default of the bus, whatever JSON can hold is taken or refused with its key."""
    try:
        said = [read_cadence("x", b"", {key: value}).name]
    except BadFile as error:
        said = [problem.key.split(".")[0] for problem in error.problems]
    assert set(said) <= {"x", key, "mode", "runner", "command"}


# --- the folder --------------------------------------------------------------------------------------


def test_names_are_those_of_files_that_can_be_cadences(folder: Path, cadences: Prompts) -> None:
    """Parts of prompts, backups and oddities are none."""
    for name in (
        "b.md",
        "a.md",
        "a.b-c_d.md",
        "_part.md",
        ".hidden.md",
        "UPPER.md",
        "x.txt",
        "a..b.md",
        "a.md~",
        ".md",
    ):
        write(folder / name, COMMAND)
    assert cadences.names() == ["a", "a.b-c_d", "b"]


def test_without_a_folder_there_are_no_names(tmp_path: Path) -> None:
    """A home half made is not a reason to fall over."""
    assert Prompts(Home(str(tmp_path / "nowhere"))).names() == []


def test_an_unknown_cadence_is_an_error_that_knows_better(folder: Path, cadences: Prompts) -> None:
    """It has the exit code of no such cadence."""
    write(folder / "inbox-processor.md", COMMAND)
    with pytest.raises(UnknownCadence, match="did you mean 'inbox-processor'") as caught:
        cadences.load("inbox-procesor")
    assert caught.value.exit_code == 66


@pytest.mark.parametrize("name", ["../x", "a/b", "_part", "", "..", "x" * 65, "A"])
def test_a_name_that_can_be_none_is_never_looked_for(name: str, cadences: Prompts) -> None:
    """It leads out of the folder, or to a part."""
    with pytest.raises(UnknownCadence):
        cadences.load(name)


@pytest.fixture
def old_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every stamp for one that can be trusted, as it can two seconds later."""
    monkeypatch.setattr(glance, "_FINE", 0)


def test_a_file_that_stood_still_is_read_once(
    folder: Path, cadences: Prompts, reads: list[str], old_stamps: None
) -> None:
    """After that it costs one stat, broken or not."""
    write(folder / "good.md", COMMAND)
    write(folder / "bad.md", "---\nretires: 1\n---\n")
    first = cadences.load("good")
    for _ in range(5):
        assert cadences.load("good") is first
        with pytest.raises(BadFile):
            cadences.load("bad")
    assert reads == ["good.md", "bad.md"]


def test_an_edit_within_the_same_stamp_is_seen(folder: Path, cadences: Prompts) -> None:
    """A file written twice in one tick of the file system's clock, and of the same size, looks unchanged."""
    path = folder / "x.md"
    write(path, "---\ncommand: [old]\n---\n")
    at = path.stat()
    assert cadences.load("x").command == ("old",)
    write(path, "---\ncommand: [new]\n---\n")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert cadences.load("x").command == ("new",)


@pytest.mark.parametrize("way", ["in place", "renamed over", "same size and time"])
def test_the_newest_version_always_runs(way: str, folder: Path, cadences: Prompts, old_stamps: None) -> None:
    """However an editor or a checkout writes it."""
    path = folder / "x.md"
    write(path, "---\ncommand: [old]\n---\n")
    at = path.stat()
    assert cadences.load("x").command == ("old",)
    if way == "in place":
        write(path, "---\ncommand: [new, one]\n---\n")
    else:
        write(folder / "tmp", "---\ncommand: [new]\n---\n")
        (folder / "tmp").rename(path)
    if way == "same size and time":
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert cadences.load("x").command in {("new",), ("new", "one")}


def test_a_mended_file_and_a_broken_one_are_both_seen(
    folder: Path, cadences: Prompts, old_stamps: None
) -> None:
    """There is no last good version of a prompt: it would run something that nobody sees."""
    write(folder / "x.md", COMMAND)
    cadences.load("x")
    write(folder / "x.md", "---\nretires: 1\n---\n")
    with pytest.raises(BadFile):
        cadences.load("x")
    write(folder / "x.md", COMMAND + "mended")
    assert cadences.load("x").prompt == "mended"


def test_a_broken_file_stops_that_cadence_only(folder: Path, cadences: Prompts) -> None:
    """Its neighbours do not notice."""
    write(folder / "bad.md", "---\n[")
    write(folder / "good.md", COMMAND)
    with pytest.raises(BadFile):
        cadences.load("bad")
    assert cadences.load("good").runner == "command"


def test_a_broken_file_costs_no_memory_however_often_it_is_asked_for(
    folder: Path, cadences: Prompts, old_stamps: None
) -> None:
    """One error that is raised again and again would carry a longer traceback each time."""
    write(folder / "x.md", "---\nretires: 1\n---\n")
    raised = []
    for _ in range(3):
        with pytest.raises(BadFile) as caught:
            cadences.load("x")
        raised.append(caught.value)
    assert len({id(error) for error in raised}) == 3
    assert raised[0].problems == raised[2].problems


def test_new_defaults_are_felt_at_once(home: Path, folder: Path, old_stamps: None) -> None:
    """The settings are another value after each edit, and cadences are read anew beneath them."""
    write(folder / "x.md", COMMAND)
    current: list[dict[str, Any]] = [{"timeout": "1m"}]
    cadences = Prompts(Home(str(home)), lambda: current[0])
    assert cadences.load("x").timeout == 60.0
    current[0] = {"timeout": "2m"}
    assert cadences.load("x").timeout == 120.0


def test_a_file_that_goes_is_unknown_and_one_that_comes_back_is_read(
    folder: Path, cadences: Prompts, old_stamps: None
) -> None:
    """Editors and checkouts make files vanish for a moment."""
    write(folder / "x.md", COMMAND)
    cadences.load("x")
    (folder / "x.md").rename(folder / "away")
    with pytest.raises(UnknownCadence):
        cadences.load("x")
    (folder / "away").rename(folder / "x.md")
    assert cadences.load("x").runner == "command"


def test_a_file_that_vanishes_between_look_and_read_is_unknown(
    folder: Path, cadences: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race has the same answer as a file that was never there."""
    write(folder / "x.md", COMMAND)

    def vanishing(path: str, limit: int) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(files, "read", vanishing)
    with pytest.raises(UnknownCadence):
        cadences.load("x")


def test_a_link_to_a_file_is_followed(folder: Path, cadences: Prompts, tmp_path: Path) -> None:
    """People keep their prompts with their dotfiles; a link to nowhere is no cadence."""
    write(tmp_path / "kept.md", COMMAND)
    (folder / "x.md").symlink_to(tmp_path / "kept.md")
    (folder / "broken.md").symlink_to(tmp_path / "nowhere.md")
    assert cadences.load("x").runner == "command"
    with pytest.raises(UnknownCadence, match=r"prompts/broken\.md leads to no file"):
        cadences.load("broken")


def test_what_is_no_regular_file_is_never_opened(folder: Path, cadences: Prompts) -> None:
    """A FIFO would hang, a device never end."""
    os.mkfifo(folder / "fifo.md")
    (folder / "folder.md").mkdir()
    (folder / "zero.md").symlink_to("/dev/zero")
    listening = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(folder)
    try:
        listening.bind("socket.md")
    finally:
        os.chdir(here)
        listening.close()
    for name in ("fifo", "folder", "zero", "socket"):
        with pytest.raises(BadFile, match="not a regular file"):
            cadences.load(name)


def test_a_huge_file_is_refused(folder: Path, cadences: Prompts) -> None:
    """Its size is known before much of it is read."""
    with (folder / "x.md").open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(BadFile, match="more than 8388608 bytes"):
        cadences.load("x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_neither_unknown_nor_broken(folder: Path, cadences: Prompts) -> None:
    """Only ENOENT means an unknown cadence; every other trouble is waited out."""
    write(folder / "x.md", COMMAND)
    (folder / "x.md").chmod(0)
    with pytest.raises(PermissionError):
        cadences.load("x")


def test_an_io_error_is_neither_unknown_nor_broken(
    folder: Path, cadences: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the file's fault, and it is not remembered."""
    write(folder / "x.md", COMMAND)
    with monkeypatch.context() as patch:
        patch.setattr(files, "read", failing)
        with pytest.raises(OSError, match="I/O"):
            cadences.load("x")
    assert cadences.load("x").runner == "command"


def failing(path: str, limit: int) -> bytes:
    """Fail as a dying disk does."""
    raise OSError(errno.EIO, "I/O error", path)


def test_a_folder_that_is_gone_is_no_word_on_any_cadence(home: Path) -> None:
    """A checkout, a disk that is not mounted: what waits is waited with, as with any trouble of the disk."""
    prompts = Prompts(Home(str(home)))
    (home / "prompts").rmdir()
    with pytest.raises(NotADirectoryError, match="prompts/ is not there"):
        prompts.load("work")
    (home / "prompts").mkdir()
    with pytest.raises(UnknownCadence):
        prompts.load("work")


def test_when_a_file_was_written_can_be_spelled(home: Path) -> None:
    """A file may bear a stamp of the year 58000; what is remembered of its schedule must be read again."""
    prompts, path = Prompts(Home(str(home))), home / "prompts" / "x.md"
    assert prompts.written("x") is None
    path.write_text("x")
    os.utime(path, (1.8e12, 1.8e12))
    written = prompts.written("x")
    assert written is not None
    assert parse_rfc3339(rfc3339(written)) == pytest.approx(written)
