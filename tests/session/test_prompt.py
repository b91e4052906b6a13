"""The prompt as a run reads it: text from the author, data from whoever put the tick in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model.cadence import Cadence
from cadencebus.model.tick import Tick
from cadencebus.session.prompt import BadPrompt, render

if TYPE_CHECKING:
    from collections.abc import Mapping


def rendered(prompt: str, given: Mapping[str, Any] | None = None, **keys: Any) -> str:
    """Render it for a tick of this payload."""
    tick = Tick(id="20261121T023000.123456Z-7f3k9q2m", cadence="x", created_at=0.0, payload=given or {})
    return render(Cadence(name="x", prompt=prompt, **keys), tick).decode()


def test_a_prompt_without_a_payload_is_as_it_was_written() -> None:
    """To the byte, but for a slash at the very front, which an agent would take for a command."""
    assert rendered("Grüße\n\n") == "Grüße\n\n"
    assert rendered("/review it\n") == "\n/review it\n"
    assert rendered("/review it\n", slash=True) == "/review it\n"
    assert rendered(" /review\n") == " /review\n"


@pytest.mark.parametrize("text", ["plain", "```", "a `````` b", "~~~", "\n```json\n{}\n```\n"])
def test_no_payload_breaks_out_of_its_fence(text: str) -> None:
    """The fence is longer than any run of backticks inside, and what is inside reads back the same."""
    shown = rendered("Do it.", {"text": text, "n": 1})
    fences = re.findall(r"^(`{3,})(?:json)?$", shown, re.MULTILINE)
    assert len(set(fences)) == 1
    inside = shown.partition(f"{fences[0]}json\n")[2].rpartition(f"\n{fences[0]}\n")[0]
    assert json.loads(inside) == {"text": text, "n": 1}
    assert fences[0] not in inside


def test_a_payload_may_be_left_to_the_file() -> None:
    """`payload: file` and `none` add nothing to the prompt."""
    for how in ("file", "none"):
        assert rendered("Do it.\n", {"n": 1}, payload=how) == "Do it.\n"


@pytest.mark.parametrize("bad", ["\0", "\x1b", "\x7f", "\x08"])
def test_control_bytes_are_refused_with_their_line(bad: str) -> None:
    """NUL ends strings, an escape commands terminals: neither is anybody's prompt."""
    with pytest.raises(BadPrompt, match=r"line 2"):
        rendered(f"one\ntwo{bad}\n")
    assert rendered("tab\t, return\r\n, feed\f") == "tab\t, return\r\n, feed\f"
    # In a payload they are escaped by JSON, and harmless.
    if bad != "\x7f":
        assert json.dumps(bad).strip('"') in rendered("x", {"text": bad})


def test_half_a_character_is_refused() -> None:
    """It could not be written down."""
    with pytest.raises(BadPrompt, match="surrogate"):
        rendered("a\ud800b")
