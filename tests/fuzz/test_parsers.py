"""Whatever bytes a parser is given, it answers, or refuses in its own words, and what it wrote it reads.

The corpus (tests/golden/corpus/<target>/) is replayed whole, then bent and cut at random; `scripts/fuzz`
does the same for as long as it is told to, and keeps what broke a parser.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model import strictjson
from cadencebus.model.duration import parse_duration, spell_duration
from cadencebus.model.heartbeat_md import parse_heartbeat
from cadencebus.model.hold import hold_of, parse_hold_name
from cadencebus.model.naming import deferred_name, name_of, parse_deferred, parse_name
from cadencebus.model.tick import BadTick, read_members, tick_of
from cadencebus.policy.timetable import cron_line
from cadencebus.store import config, journal
from cadencebus.store.badfile import BadFile
from cadencebus.store.memory import Memories
from cadencebus.store.paths import Home
from cadencebus.store.prompts import read_cadence
from cadencebus.streams.parser import READERS, EventParser
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CORPUS = Path(__file__).parents[1] / "golden" / "corpus"
NAME = name_of("20261121T023000.123456Z-7f3k9q2m", "plain", 5)
_RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def tick(data: bytes) -> None:
    """A tick, or a BadTick that says in one line why not; what is written is read again as the same."""
    try:
        first = tick_of(read_members(data), NAME, born=0.0)
    except BadTick as fault:
        assert fault.code
        assert fault.message
        return
    assert tick_of(read_members(first.bytes()), NAME, born=1.0).dump() == first.dump()


def json(data: bytes) -> None:
    """Strict JSON means one thing: what is written is read as the same."""
    try:
        value = strictjson.loads(data)
    except strictjson.BadJSON:
        return
    assert strictjson.loads(strictjson.dumps(value)) == value


def prompt(data: bytes) -> None:
    """A cadence, or a BadFile whose every problem names the file."""
    try:
        read_cadence("plain", data, {})
    except BadFile as fault:
        assert all(problem.file for problem in fault.problems)
        assert not _RAW.search(str(fault))


def yaml(data: bytes) -> None:
    """Settings, or a BadFile."""
    try:
        config._settings(data, {}, {})
    except BadFile as fault:
        assert not _RAW.search(str(fault))


def heartbeat(data: bytes) -> None:
    """Tasks and problems, never an exception."""
    parse_heartbeat(data.decode("utf-8", "replace"))


def cron(data: bytes) -> None:
    """A line of five fields, or a ValueError; its own text means the same."""
    text = data.decode("utf-8", "replace")
    try:
        line = cron_line(text)
    except ValueError:
        return
    assert cron_line(line.text) == line


def duration(data: bytes) -> None:
    """Seconds, or a ValueError."""
    try:
        seconds = parse_duration(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert seconds >= 0
    assert spell_duration(seconds)


def moment(data: bytes) -> None:
    """A time, or a ValueError; to the microsecond it is written as it was read."""
    try:
        seconds = parse_rfc3339(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert abs(parse_rfc3339(rfc3339(seconds)) - seconds) < 1e-5


def name(data: bytes) -> None:
    """A canonical name is exactly one name."""
    text = data.decode("utf-8", "surrogateescape")
    if (found := parse_name(text)) is not None:
        assert found.file == text
    if (waiting := parse_deferred(text)) is not None:
        assert deferred_name(*waiting) == text
    parse_hold_name(text)


def hold(data: bytes) -> None:
    """A file among the holds always holds: one that can't be read, until somebody removes it."""
    try:
        value = strictjson.loads(data)
    except strictjson.BadJSON:
        value = None
    found = hold_of("bus.paused.json", value if isinstance(value, dict) else None, seen=0.0)
    assert found is not None
    strictjson.loads(strictjson.dumps(found.dump()))


def memory(data: bytes) -> None:
    """Remembered as it was written, or set aside whole and begun anew."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        Path(home.cadences).mkdir(parents=True)
        Path(home.tmp).mkdir()
        Path(home.memory("plain")).write_bytes(data)
        told: list[str] = []
        found = Memories(home, told.append).load("plain", 0.0)
        assert isinstance(found, dict)
        kept = [path.read_bytes() for path in Path(home.cadences).iterdir()]
        assert kept == [data]


def events(data: bytes) -> None:
    """Of a journal every readable line, and of the others none."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        Path(home.events).mkdir(parents=True)
        (Path(home.events) / "2026-11-21.jsonl").write_bytes(data)
        assert all(isinstance(fact, dict) for fact in journal.read(home))
        list(journal.facts(home, ""))


def stream(data: bytes) -> None:
    """A report at any moment, the same however the bytes were cut; and nothing raw for a terminal."""
    for runner, reader in READERS.items():
        whole, pieces = EventParser(reader()), EventParser(reader())
        whole.feed(data, 1.0)
        for at in range(0, len(data), 7):
            pieces.feed(data[at : at + 7], 1.0)
        for parser in (whole, pieces):
            parser.finish()
        assert whole.report == pieces.report
        for line in data.split(b"\n"):
            assert not any(_RAW.search(shown) for shown in render(runner, line))


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "tick": tick,
    "json": json,
    "prompt": prompt,
    "settings": yaml,
    "heartbeat": heartbeat,
    "cron": cron,
    "duration": duration,
    "moment": moment,
    "name": name,
    "hold": hold,
    "memory": memory,
    "events": events,
    "stream": stream,
}
# What means something to one of them.
_WORDS = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
        b",",
        b":",
        b": ",
        b"\\",
        b"\n",
        b"\r\n",
        b"\n  - ",
        b"\t",
        b"\0",
        b"---\n",
    ),
    *(
        b"null",
        b"true",
        b"NaN",
        b"1e999",
        b"-0",
        b"9" * 40,
        b"\\ud800",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\x1b[31m",
    ),
    *(
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"<<: ",
        b"? ",
        b"|\n",
        b">-\n",
        b"#",
        b"@daily",
        b"*/5",
        b"L",
    ),
    *(
        "\u202e".encode(),
        "\u2028".encode(),
        "\u0661".encode(),
        b"5#5",
        b"60",
        b"-1",
        b"2026-02-30T25:61:00Z",
        b"inf",
    ),
)
_BENDS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "word", "double", "flip"]), st.integers(0, 1 << 12), st.integers(0, 255)
    ),
    max_size=6,
)


def seeds(target: str) -> list[bytes]:
    """The corpus of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


def bent(seed: bytes, bends: list[tuple[str, int, int]]) -> bytes:
    """A seed with a few things done to it."""
    data = bytearray(seed)
    for how, where, much in bends:
        at = where % (len(data) + 1)
        if how == "cut":
            del data[at : at + much % 32]
        elif how == "word":
            data[at:at] = _WORDS[much % len(_WORDS)]
        elif how == "double":
            data[at:at] = data[at : at + much]
        elif at < len(data):
            data[at] ^= much
    return bytes(data)


def strange(target: str) -> st.SearchStrategy[bytes]:
    """Bytes that a target may be given: bent seeds, words that mean something, anything."""
    words = st.lists(st.sampled_from(_WORDS) | st.binary(max_size=4), max_size=24).map(b"".join)
    return st.builds(bent, st.sampled_from(seeds(target)), _BENDS) | words | st.binary(max_size=64)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_answered_or_refused(target: str) -> None:
    """What broke a parser once, and what it must be able to read."""
    for data in seeds(target):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_else_breaks_a_parser_either(target: str) -> None:
    """A few of what `scripts/fuzz` tries for longer."""
    run = settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    run(given(strange(target))(TARGETS[target]))()
