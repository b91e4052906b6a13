"""Ready-made ways to tell a person something, as data; `policy/notices` fills them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A command line with {title}, {text}, {to}, {url} and {urgency}, and what its standard input is."""

    argv: tuple[str, ...]
    stdin: Literal["event", "text", "curl"] = "event"
    needs: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "notify-send": Preset(
        argv=("notify-send", "--app-name=cadence", "--urgency={urgency}", "--", "{title}", "{text}")
    ),
    "macos": Preset(
        argv=(
            *("osascript", "-e", "on run argv"),
            *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
            *("-e", "end run", "{title}", "{text}"),
        )
    ),
    "mail": Preset(argv=("mail", "-s", "{title}", "{to}"), stdin="text", needs=("to",)),
    # The address is often a secret: it goes in by standard input, where `ps` does not see it.
    "webhook": Preset(argv=("curl", "--config", "-"), stdin="curl", needs=("url",)),
}
