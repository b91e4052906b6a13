"""Who descends from whom, and which groups are whole: judged from one look at all processes."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from cadencebus.session.process_tree import Seen, below, whole_groups

PIDS = st.integers(1, 12)
LOOKS = st.dictionaries(PIDS, st.builds(Seen, parent=st.integers(0, 12), group=PIDS, started=st.just(1.0)))
CIRCLE = {2: Seen(3, 2, 1.0), 3: Seen(2, 3, 1.0), 4: Seen(3, 4, 1.0)}


@given(st.sets(PIDS, max_size=3), LOOKS)
@example({2}, CIRCLE)
@example({4}, CIRCLE)
def test_whoever_has_a_root_among_its_ancestors_is_below_it(roots: set[int], seen: dict[int, Seen]) -> None:
    """Each once and after its parent; numbers that were given out again make no endless circle."""
    found = below(roots, seen)
    wanted, grown = set(roots), -1
    while grown != len(wanted):
        grown = len(wanted)
        wanted |= {pid for pid, one in seen.items() if one.parent in wanted}
    assert sorted(found) == sorted(wanted - roots)
    assert all(seen[pid].parent in roots | set(found[:at]) for at, pid in enumerate(found))


@given(st.sets(PIDS), LOOKS)
def test_a_group_is_killed_at_one_blow_only_where_all_of_it_is_meant(
    meant: set[int], seen: dict[int, Seen]
) -> None:
    """Never the caller's own, nor that of the kernel's threads, whoever is in it."""
    chosen = meant & seen.keys()
    seen |= {20: Seen(1, os.getpgrp(), 1.0), 21: Seen(1, 0, 1.0)}
    spared = {one.group for pid, one in seen.items() if pid not in chosen}
    assert whole_groups({*chosen, 20, 21}, seen) == {one.group for one in seen.values()} - spared
