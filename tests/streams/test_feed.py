"""A log that grows in arbitrary pieces comes out as the same lines."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from cadencebus.streams.feed import EDGE, LINE_MAX, Feed, Overlong


def lines_of(pieces: list[bytes], limit: int = LINE_MAX) -> list[bytes]:
    """All lines of a log that came in these pieces."""
    feed = Feed(limit)
    return [line for piece in pieces for line in feed.push(piece)] + [feed.rest()]


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"\r\n", b"a\nb"]), max_size=30))
def test_lines_do_not_depend_on_how_the_bytes_were_cut(pieces: list[bytes]) -> None:
    """Whole or in pieces, it is what `split` makes of it."""
    assert lines_of(pieces) == b"".join(pieces).split(b"\n")


def test_a_partial_line_waits_for_its_end() -> None:
    """Half a line is no line."""
    feed = Feed()
    assert feed.push(b'{"type":"res') == []
    assert feed.push(b'ult"}\n{') == [b'{"type":"result"}']
    assert feed.rest() == b"{"
    assert feed.rest() == b""


def test_an_overlong_line_keeps_its_two_ends_however_it_came() -> None:
    """Head and tail are exact, in one piece as in many, wherever the middle is let go."""
    for middle in range(EDGE, 7 * EDGE, EDGE // 2):
        log = b"before\n" + b"H" * EDGE + b"x" * middle + b"T" * EDGE + b"\nafter"
        for size in (8000, 65536, 99_991, len(log)):
            pieces = [log[at : at + size] for at in range(0, len(log), size)]
            before, cut, after = lines_of(pieces, limit=2 * EDGE)
            assert (before, after) == (b"before", b"after")
            assert isinstance(cut, Overlong)
            assert cut == b"H" * EDGE + b"T" * EDGE == cut.head + cut.tail


def test_a_line_of_exactly_the_limit_is_kept_whole() -> None:
    """The limit itself is allowed, to each line anew."""
    for length, overlong in ((LINE_MAX, False), (LINE_MAX + 1, True)):
        line = b"y" * length
        feed = Feed()
        for _ in range(2):
            assert feed.push(line) == []
            found = feed.rest()
            assert (isinstance(found, Overlong), found == line) == (overlong, not overlong)
        assert isinstance(feed.push(line + b"\n")[0], Overlong) is overlong


def test_a_line_without_end_costs_bounded_memory() -> None:
    """64 MiB without a line end never hold more than a few."""
    feed, piece = Feed(), b"z" * 65536
    tracemalloc.start()
    try:
        for _ in range(1024):
            feed.push(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * LINE_MAX
