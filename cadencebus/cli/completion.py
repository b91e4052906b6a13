"""`cadence completion`: completes verbs, cadences, ids and options."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from itertools import islice
from typing import TYPE_CHECKING

from cadencebus.desk.options import Parser
from cadencebus.errors import CadenceError

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence completion bash >> ~/.bashrc
  cadence completion zsh  > ~/.zfunc/_cadence
  cadence completion fish > ~/.config/fish/completions/cadence.fish"""
# The scripts know nothing: they ask the program that is installed, for the home that is meant.
SCRIPTS = {
    "bash": r"""_cadence() {
    local words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(cadence --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *.*/\1/p')
    else
        words=$(cadence completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    fi
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cadence cadence
""",
    "zsh": r"""#compdef cadence
_cadence() {
    local -a found
    if (( CURRENT == 2 )); then
        found=(${(f)"$(cadence --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *.*/\1/p')"})
    else
        found=(${(f)"$(cadence completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    fi
    compadd -- $found || _files
}
if [ "$funcstack[1]" = "_cadence" ]; then _cadence "$@"; else compdef _cadence cadence; fi
""",
    "fish": r"""function __cadence_words
    set -l words (commandline -opc)
    if test (count $words) -eq 1
        cadence --help 2>/dev/null | string replace -rf '^  ([a-z]+) .*' '$1'
    else
        set -l current (commandline -ct)
        cadence completion words -- $words[2..-1] "$current" 2>/dev/null
    end
end
complete -c cadence -a '(__cadence_words)'
""",
}
# Which words of its own.
OWN = {
    "circuit": ("ls", "reset"),
    "completion": ("bash", "zsh", "fish"),
    "dead": ("ls", "show", "retry", "purge"),
    "install": ("systemd", "launchd", "cron"),
    "ls": ("inbox", "deferred", "claimed", "done", "dead"),
    "uninstall": ("systemd", "launchd", "cron"),
}
# Which ticks a verb takes: those that wait, or of any state.
HANDS = ("rm", "edit", "bump")
EYES = ("show", "wait", "logs")
CADENCES = ("enqueue", "fire", "pause", "resume", "logs", "check", "circuit")
# How many of the newest of each state are offered; and how few before an id is begun, where shells ask
# whether to show a hundred.
_MOST, _FEW = 100, 12
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def main(words: list[str], context: Context) -> int:
    """Print a shell's script, or the words that may follow some others."""
    parser = Parser("completion", "Completion for bash, zsh and fish.", EXAMPLES)
    parser.add_argument("shell", choices=(*SCRIPTS, "words"))
    parser.add_argument(
        "typed",
        nargs="*",
        default=[],
        help="for `words`, which the scripts call: what is typed, the current word last",
    )
    # What is typed may be `--` itself, which the parser would take for its own.
    at = words.index("--") if "--" in words else len(words)
    asked = parser.parse_args(words[:at])
    if asked.shell in SCRIPTS:
        script = SCRIPTS[asked.shell]
        sys.stdout.write(
            f"{json.dumps({'shell': asked.shell, 'script': script})}\n" if context.json else script
        )
        return 0
    sys.stdout.writelines(f"{word}\n" for word in following([*asked.typed, *words[at + 1 :]], context))
    return 0


def following(typed: list[str], context: Context) -> list[str]:
    """What the last of these words may become; options where one is begun, or nothing else is there."""
    *before, current = typed or [""]
    # The home that is meant may have been typed before the verb.
    before = context.take_globals(before)
    verb = next((word for word in before if not word.startswith("-")), "")
    if current.startswith("-"):
        return _options(verb, context)
    # Of a verb's own words one is typed, first.
    found = list(OWN.get(verb, ())) if before[-1:] == [verb] else []
    if verb == "help":
        from cadencebus.cli import help as help_  # noqa: PLC0415 - dear, and a key was pressed

        found += help_.topics()
    # Without a home there is nothing to name, but options still are what they are.
    with contextlib.suppress(CadenceError, OSError):
        if verb in CADENCES or before[-1:] == ["--cadence"]:
            from cadencebus.store.prompts import Prompts  # noqa: PLC0415 - likewise

            found += Prompts(context.home).names()
        found += _ids(verb, context, _MOST if current else _FEW)
    return found or _options(verb, context)


def _ids(verb: str, context: Context, most: int) -> list[str]:
    """The short ids of the ticks that a verb takes."""
    if verb not in {*HANDS, *EYES, "kill", "dead"}:
        return []
    from cadencebus.desk import lookup  # noqa: PLC0415 - dear, and a key was pressed

    states = {"kill": ("claimed",), "dead": ("dead",)}.get(verb) or (
        lookup.WAITING if verb in HANDS else lookup.STATES
    )
    listed = (lookup.listing(context.home, (state,), backwards=True) for state in states)
    return [tick.name.random for ticks in listed for tick in islice(ticks, most)]


def _options(verb: str, context: Context) -> list[str]:
    """The options that a verb's help speaks of."""
    from cadencebus.cli import help as help_  # noqa: PLC0415 - dear, and a key was pressed

    with contextlib.redirect_stdout(io.StringIO()) as text:
        help_.explain(verb, context)
    return sorted({option for option in _OPTION.findall(text.getvalue()) if option.startswith("--")})
