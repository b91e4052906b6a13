"""Our lines in somebody else's file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.units.block import block_in, with_block, without_block

HOME = "/srv/ann/mail"
FOREIGN = st.lists(st.text("abc #*/5\t\r%é", max_size=12).map(lambda line: line + "\n"), max_size=6).map(
    "".join
)


def test_a_block_is_put_at_the_end_and_taken_out_again() -> None:
    """Between its markers, with the home in them."""
    text = with_block("0 9 * * * mine\n", HOME, "1 2 * * * ours\n")
    assert text == (
        "0 9 * * * mine\n# BEGIN cadencebus /srv/ann/mail\n1 2 * * * ours\n# END cadencebus /srv/ann/mail\n"
    )
    assert block_in(text, HOME) == "1 2 * * * ours\n"
    assert without_block(text, HOME) == "0 9 * * * mine\n"
    assert block_in("0 9 * * * mine\n", HOME) is None


@given(before=FOREIGN, after=FOREIGN, old=FOREIGN, new=FOREIGN)
def test_everything_around_it_is_kept_to_the_letter(before: str, after: str, old: str, new: str) -> None:
    """Replaced in place, twice the same as once, and gone without a trace."""
    installed = with_block(before, HOME, old) + after
    replaced = with_block(installed, HOME, new)
    assert replaced == with_block(before, HOME, new) + after
    assert with_block(replaced, HOME, new) == replaced
    assert block_in(replaced, HOME) == new
    assert without_block(replaced, HOME) == before + after


def test_a_last_line_without_its_break_does_not_run_into_ours() -> None:
    """Cron would read the marker as part of the command."""
    assert with_block("0 9 * * * mine", HOME, "").startswith("0 9 * * * mine\n# BEGIN")


def test_another_home_has_its_own_block() -> None:
    """Also one whose path begins with the same letters."""
    text = with_block(with_block("", HOME, "a\n"), HOME + "2", "b\n")
    assert block_in(text, HOME) == "a\n"
    assert block_in(text, HOME + "2") == "b\n"
    assert without_block(text, HOME) == with_block("", HOME + "2", "b\n")


def test_a_block_that_was_copied_is_one_again() -> None:
    """The first stays where it was."""
    doubled = with_block("x\n", HOME, "a\n") + "y\n" + with_block("", HOME, "c\n")
    assert block_in(doubled, HOME) == "a\n"
    assert with_block(doubled, HOME, "b\n") == with_block("x\n", HOME, "b\n") + "y\n"


@pytest.mark.parametrize(
    "torn",
    [
        "# BEGIN cadencebus /srv/ann/mail\nmine\n",
        "mine\n# END cadencebus /srv/ann/mail\n",
        2 * "# BEGIN cadencebus /srv/ann/mail\n" + "# END cadencebus /srv/ann/mail\n",
    ],
)
def test_markers_that_do_not_pair_up_are_never_guessed(torn: str) -> None:
    """Lines that are not ours could be lost."""
    for act in (block_in, without_block):
        with pytest.raises(ValueError, match=r"do not pair up; fix or remove them by hand"):
            act(torn, HOME)
    with pytest.raises(ValueError, match=r"do not pair up"):
        with_block(torn, HOME, "b\n")
