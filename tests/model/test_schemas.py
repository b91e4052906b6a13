"""The published schemas are what the code reads, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model import cadence_keys, schemas, settings_keys
from cadencebus.model.hold import Hold, hold_of
from cadencebus.model.keys import Wrong
from cadencebus.model.tick import BadTick, Tick, check_members

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def schema(name: str) -> Draft202012Validator:
    """Load a published schema."""
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_every_published_schema_is_one(path: Path) -> None:
    """A schema that is no schema would accept everything."""
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2000),
    st.floats(allow_nan=False, allow_infinity=False, width=16).filter(lambda x: x != int(x)),
    st.sampled_from(
        ["90s", "1.5h", "2 m", "soon", "", "one", "all", "session", "guarded", "claude", "08:00-19:00", "x"]
    ),
    st.lists(st.sampled_from(["a", "30s", 5, True]), max_size=3),
    st.dictionaries(
        st.sampled_from(["failures", "open", "result", "file", "proof", "A", "initial"]),
        st.sampled_from([0, 3, "5m", "any", "out.md", True]),
        max_size=2,
    ),
)


@given(st.sampled_from(sorted(cadence_keys.KEYS)), VALUES)
def test_schema_and_reader_agree_on_a_cadence_key(key: str, value: Any) -> None:
    """What the schema refuses the reader refuses; the reader may refuse more (a zone that does not exist)."""
    valid = Draft202012Validator(schemas.cadence_schema()).is_valid({key: value})
    try:
        cadence_keys.KEYS[key].kind(value)
        read = True
    except Wrong:
        read = False
    assert valid or not read, "the schema refuses what the reader takes"
    if key not in {"timezone", "once_at", "expires_at", "active_hours", "env", "expect", "every"}:
        assert read or not valid, "the reader refuses what the schema takes"


@given(st.sampled_from(sorted(set(settings_keys.KEYS) - {"defaults", "gates", "notify", "runners"})), VALUES)
def test_schema_and_reader_agree_on_a_setting(key: str, value: Any) -> None:
    """The same for cadence.yaml."""
    valid = Draft202012Validator(schemas.settings_schema()).is_valid({key: value})
    try:
        settings_keys.KEYS[key].kind(value)
        read = True
    except Wrong:
        read = False
    assert valid == read


TICKS = st.fixed_dictionaries(
    {"cadence": st.sampled_from(["x", "a.b-c_d", "a..b", "X", "", "x" * 65, None, 1])},
    optional={
        "schema": st.sampled_from([1, 2, "1", True, 1.5]),
        "id": st.sampled_from(
            ["20261121T023000.123456Z-7f3k9q2m", "20261121T023000.123456Z-7f3k9q2i", None, "x"]
        ),
        "priority": st.sampled_from([0, 9, 10, -1, "5", True]),
        "payload": st.sampled_from([{}, {"a": 1}, [], None]),
        "not_before": st.sampled_from([None, "2026-11-21T02:30:00Z", "soon", 5]),
        "key": st.sampled_from([None, "k", 5]),
        "force": st.sampled_from([True, False, "yes", None]),
        "hops": st.sampled_from([0, 16, 17, -1, True]),
        "attempts": st.sampled_from([[], [{}], {}, [1]]),
        "more": st.sampled_from([1, "x", None]),
    },
)


@given(TICKS)
def test_schema_and_reader_agree_on_a_tick(members: dict[str, Any]) -> None:
    """The tick's schema accepts exactly what the consumer accepts."""
    try:
        check_members(members)
        read = True
    except BadTick:
        read = False
    assert schema("tick").is_valid(members) == read


def test_what_the_code_writes_is_valid() -> None:
    """A tick and a hold as they are written pass their schemas and come back as they were."""
    tick = Tick(id="20261121T023000.123456Z-7f3k9q2m", cadence="x", created_at=1_800_000_000.0, key="k")
    schema("tick").validate(tick.dump())
    hold = Hold(scope="cadence-x", reason="backoff", since=1_800_000_000.0, until=1_800_000_060.0, detail="d")
    schema("hold").validate(hold.dump())
    assert hold_of(hold.file, hold.dump(), seen=0.0) == Hold(
        **{**{s: getattr(hold, s) for s in Hold.__slots__}, "extra": {}}
    )


@given(st.floats(0, 4e9))
def test_an_instant_survives_its_spelling(at: float) -> None:
    """To the microsecond."""
    assert abs(parse_rfc3339(rfc3339(at)) - at) < 1e-6
