"""What is written from the key tables: YAML that says what it means, a cadence.yaml to start from."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.cadence_keys import KEYS as CADENCE_KEYS
from cadencebus.model.key_reference import EXAMPLES, commented_settings, flat, spell, table
from cadencebus.model.settings import Settings
from cadencebus.model.settings_keys import KEYS, settings_of


@pytest.mark.parametrize(
    "uncomment",
    [lambda line: line.removeprefix("# "), lambda line: line.removeprefix("#")],
    ids=["without the blank", "with it"],
)
def test_every_commented_key_shows_its_default(uncomment: object) -> None:
    """With every # taken away the file is valid, names every key, and changes nothing."""
    assert callable(uncomment)
    text = "\n".join(uncomment(line) for line in commented_settings().splitlines())
    members = yaml.safe_load(text)
    assert list(members) == list(KEYS)
    assert settings_of(members) == Settings()


def test_as_it_is_written_it_says_nothing() -> None:
    """All of it is comments, and no line is too long for a screen."""
    assert yaml.safe_load(commented_settings()) is None
    assert max(map(len, commented_settings().splitlines())) <= 80


def test_each_example_may_be_written_as_it_stands() -> None:
    """A newcomer copies it."""
    for name, example in EXAMPLES.items():
        assert list(members := yaml.safe_load(example)) == [name]
        assert settings_of(members) != Settings()


plain = st.text("abc019.-: #'\"\n[]{},é", max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b_c"]), inner),
    max_leaves=8,
)


@given(values)
def test_what_is_spelled_is_read_back(value: object) -> None:
    """Quotes stand where they are needed, and a reader can do without them everywhere else."""
    assert yaml.safe_load(spell(value)) == value


@pytest.mark.parametrize(
    "word", ["true", "no", "null", "1", "1e3", "30m", "a b", "", "~", "08:30", "-", "0x1f"]
)
def test_only_plain_words_go_without_quotes(word: str) -> None:
    """`no` would be a boolean to some readers; 30m is plain to all."""
    assert yaml.safe_load(spell(word)) == word


def test_the_reference_has_a_row_for_every_key_and_the_keys_inside() -> None:
    """A bar in a cell does not end it."""
    rows = table(CADENCE_KEYS).splitlines()[2:]
    names = [row.split("`")[1] for row in rows]
    assert names == [name for name, _ in flat(CADENCE_KEYS)]
    assert {"timeout", "expect.file", "circuit.max_open", "backoff.jitter"} <= set(names)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert {"runners.NAME.argv", "gates.usage.hold_at", "retention.dead"} <= {name for name, _ in flat(KEYS)}
