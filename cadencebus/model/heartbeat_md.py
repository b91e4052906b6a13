"""HEARTBEAT.md: its `tasks:` block, read as cadences.

    tasks:
      - name: inbox-triage
        interval: 30m
        prompt: Look for urgent mail.

The file belongs to an agent and is mostly prose. Only this block is read, up to the next heading or prose,
and only this much of YAML: items of a list with their keys, quotes, comments, values of several lines. Fenced
code is an example, never a task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches

from cadencebus.model.duration import ALLOWED, parse_duration
from cadencebus.model.naming import is_cadence

KEYS = ("name", "interval", "prompt")
# An agent that is to look more often than that is a mistake.
SHORTEST = 1.0
_HEADING = "tasks:"
_FENCES = ("```", "~~~")
_BLOCK = re.compile(r"[|>][-+]?")
_FOLD = re.compile(r"(?<!\n)\n(?!\n)")
_RULE = re.compile(r"-{3,}")
# `# - name: x` is a task that somebody switched off; after a blank line, `# Notes` is a heading.
_HEADLINE = re.compile(r"#{1,6} +[^-\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatTask:
    """A cadence that HEARTBEAT.md asks for."""

    name: str
    interval: float
    prompt: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What could not be read, where, and of which task if that much is clear."""

    line: int
    text: str
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The tasks that are right, and what is wrong with the others: one broken task stops that task only."""

    tasks: tuple[HeartbeatTask, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def names(self) -> list[str]:
        """The cadences that it asks for, well or badly."""
        return sorted({task.name for task in self.tasks} | {wrong.task for wrong in self.problems} - {""})


@dataclass(slots=True)
class _Item:
    """A list item being read: its keys with the lines where they stand."""

    line: int
    values: dict[str, tuple[int, str]] = field(default_factory=dict)


def parse_heartbeat(text: str) -> Heartbeat:
    """Read the tasks of a HEARTBEAT.md; text without any is fine."""
    problems: list[Problem] = []
    tasks: dict[str, HeartbeatTask] = {}
    for item in _items(_block(text, problems), problems):
        task = _task(item, problems)
        if task is not None and task.name in tasks:
            first = tasks[task.name].line
            problems.append(Problem(line=item.line, text=f"name: {task.name!r} is taken by line {first}"))
        elif task is not None:
            tasks[task.name] = task
    return Heartbeat(tasks=tuple(tasks.values()), problems=tuple(sorted(problems, key=lambda p: p.line)))


def _block(text: str, problems: list[Problem]) -> list[tuple[int, str]]:
    """The numbered lines below `tasks:`, up to the next heading or prose; what is fenced is left out."""
    found: list[tuple[int, str]] = []
    inside, blank, fence, fenced_at = False, True, "", 0
    for number, raw in enumerate(text.removeprefix("\ufeff").expandtabs(4).splitlines(), start=1):
        line = raw.rstrip()
        bare = line.lstrip()
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif bare.startswith(_FENCES):
            fence, fenced_at = bare[: len(bare) - len(bare.lstrip(bare[0]))], number
        elif line.startswith(_HEADING) and not _without_comment(line[len(_HEADING) :]):
            inside = True
        elif inside and _ends_block(line, after_blank=blank):
            inside = False
        elif inside:
            found.append((number, line))
        blank = not line
    if fence:
        problems.append(Problem(line=fenced_at, text=f"{fence} never ends: all below it is left out"))
    return found


def _ends_block(line: str, *, after_blank: bool) -> bool:
    if line.startswith("#"):
        return after_blank and _HEADLINE.match(line) is not None
    return _RULE.fullmatch(line) is not None or bool(line and not line.startswith((" ", "-")))


def _items(lines: list[tuple[int, str]], problems: list[Problem]) -> list[_Item]:
    items: list[_Item] = []
    waiting = list(reversed(lines))
    while waiting:
        number, line = waiting.pop()
        bare = line.lstrip()
        if not bare or bare.startswith("#"):
            continue
        if bare == "-" or bare.startswith("- "):
            items.append(_Item(number))
            bare = bare[1:].lstrip()
            if not bare:
                continue
        depth = len(line) - len(bare)
        key, colon, value = bare.partition(":")
        if not items or not colon or (value and not value.startswith(" ")):
            problems.append(Problem(line=number, text=f"expected `- name: …` or `key: value`, not {bare!r}"))
            continue
        _keep(items[-1], number, key.strip(), _value(value.strip(), depth, waiting), problems)
    return items


def _keep(item: _Item, number: int, key: str, value: str, problems: list[Problem]) -> None:
    if key not in KEYS:
        near = get_close_matches(key, KEYS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KEYS)}"
        problems.append(Problem(line=number, text=f"{key!r} is not a key of a task; {hint}"))
    elif key in item.values:
        problems.append(Problem(line=number, text=f"{key} stands here a second time"))
    else:
        item.values[key] = (number, value)


def _value(text: str, depth: int, waiting: list[tuple[int, str]]) -> str:
    """The value of a key: what stands beside it, and the lines below that are indented deeper."""
    mark = _without_comment(text)
    block = _BLOCK.fullmatch(mark) is not None
    lines: list[str] = []
    while waiting and _goes_on(waiting[-1][1], depth, block=block):
        lines.append(waiting.pop()[1])
    if not block:
        return _scalar(" ".join([text, *(line.strip() for line in lines)]).strip())
    margin = min((_indent(line) for line in lines if line), default=0)
    whole = "\n".join(line[margin:] for line in lines).strip()
    return _FOLD.sub(" ", whole) if mark.startswith(">") else whole


def _goes_on(line: str, depth: int, *, block: bool) -> bool:
    if not line:
        return block
    # Keys that somebody indented too far are still keys; in a block they are words of the prompt.
    return _indent(line) > depth and (block or line.lstrip().partition(":")[0] not in KEYS)


def _scalar(text: str) -> str:
    quote = text[:1]
    if quote in {'"', "'"}:
        end = _closing(text, quote)
        if end and not _without_comment(text[end + 1 :]):
            inner = text[1:end]
            return _unescaped(inner) if quote == '"' else inner.replace("''", "'")
    return _without_comment(text)


def _closing(text: str, quote: str) -> int:
    """Where the quotes end; 0 where they do not."""
    n = 1
    while n < len(text):
        if text[n] == "\\" and quote == '"':
            n += 1
        elif text[n] == quote:
            if quote == '"' or text[n + 1 : n + 2] != quote:
                return n
            n += 1
        n += 1
    return 0


def _unescaped(text: str) -> str:
    parts = text.split("\\\\")
    return "\\".join(part.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t") for part in parts)


def _without_comment(text: str) -> str:
    """Up to a `#` with a blank in front; `C#` and `#5` inside a word stay."""
    return f" {text}".partition(" #")[0].strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _task(item: _Item, problems: list[Problem]) -> HeartbeatTask | None:
    """The task of an item, if all three keys are there and right."""
    name_at, name = item.values.get("name", (0, ""))
    known = name if is_cadence(name) else ""
    missing = [key for key in KEYS if not item.values.get(key, (0, ""))[1]]
    if missing:
        said = f"a task without {' and '.join(missing)}"
        problems.append(Problem(line=item.line, text=said, task=known))
        return None
    (interval_at, interval), (_, prompt) = item.values["interval"], item.values["prompt"]
    seconds, allowed = 0.0, ALLOWED
    try:
        seconds = parse_duration(interval)
    except ValueError as error:
        allowed = str(error)
    right = seconds >= SHORTEST
    if not right:
        said = f"interval: {interval!r} must be {allowed}, a second or more"
        problems.append(Problem(line=interval_at, text=said, task=known))
    if not known:
        letters = "small letters, digits, `.`, `_` and `-`, 64 at most"
        said = f"name: {name!r} can't name a cadence; allowed are {letters}"
        problems.append(Problem(line=name_at, text=said))
    if not (right and known):
        return None
    return HeartbeatTask(name=name, interval=seconds, prompt=prompt, line=item.line)
