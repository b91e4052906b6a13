"""HEARTBEAT.md: its tasks become cadences, its prose and its examples do not."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.heartbeat_md import Heartbeat, parse_heartbeat


def read(text: str) -> Heartbeat:
    """Parse an indented text."""
    return parse_heartbeat(textwrap.dedent(text))


def told(found: Heartbeat) -> list[tuple[str, float, str]]:
    """What each task says."""
    return [(task.name, task.interval, task.prompt) for task in found.tasks]


def test_the_tasks_of_a_usual_file_are_read_and_its_prose_is_not() -> None:
    """Headings, lists and paragraphs around the block belong to the agent."""
    found = read(
        """
        # Heartbeat

        Be brief. Interval: what you like.

        tasks:

        - name: inbox-triage
          interval: 30m
          prompt: "Check for urgent mail; say \\"none\\" if there is none."
        - name: calendar-scan
          interval: 2h
          prompt: Look at tomorrow's calendar. # every two hours

        # Additional instructions

        - Keep alerts short.
        - name: not a task
        """
    )
    assert told(found) == [
        ("inbox-triage", 1800.0, 'Check for urgent mail; say "none" if there is none.'),
        ("calendar-scan", 7200.0, "Look at tomorrow's calendar."),
    ]
    assert [task.line for task in found.tasks] == [8, 11]
    assert found.problems == ()


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# Heartbeat\n\nNothing to do.\n", "my tasks:\n- name: x\n", "tasks:\n"]
)
def test_a_file_without_tasks_is_fine(text: str) -> None:
    """Most of them have none."""
    assert parse_heartbeat(text) == Heartbeat()


def test_fenced_code_is_an_example_and_never_a_task() -> None:
    """Whatever the fence is made of, and whatever stands in it."""
    found = read(
        """
        ```yaml
        tasks:
          - name: example
            interval: 1m
            prompt: never
        ```
        tasks:
          - name: real
            interval: 1h
            prompt: always
        ~~~~
          - name: another-example
            interval: 1m
            prompt: "~~~ is not the end"
        ~~~
        ~~~~
          - name: also-real
            interval: 1d
            prompt: at last
        """
    )
    assert [task.name for task in found.tasks] == ["real", "also-real"]
    assert found.problems == ()


def test_a_fence_that_never_ends_is_told() -> None:
    """Otherwise all tasks below it would be missed in silence."""
    found = read("tasks:\n  - name: a\n    interval: 5m\n    prompt: p\n```\n  - name: b\n")
    assert [task.name for task in found.tasks] == ["a"]
    assert [(problem.line, problem.text) for problem in found.problems] == [
        (5, "``` never ends: all below it is left out")
    ]


@pytest.mark.parametrize("end", ["---", "Then some prose.", "\n# Notes", "\n## Notes"])
def test_the_block_ends_with_the_next_heading_rule_or_paragraph(end: str) -> None:
    """A list below it is prose again; front matter may hold the block as well."""
    found = parse_heartbeat(f"---\ntasks:\n- name: a\n  interval: 5m\n  prompt: p\n{end}\n\n- Be brief.\n")
    assert [task.name for task in found.tasks] == ["a"]
    assert found.problems == ()


def test_a_prompt_may_have_several_lines() -> None:
    """Kept as they are after `|`, folded after `>` and where it is plain."""
    found = read(
        """
        tasks:
          - name: kept
            interval: 90
            prompt: |
              First this:
                - a point

              then that.
          - name: folded
            prompt: >-
              One
              sentence.

              Another.
            interval: 1.5h
          -
            name: plain
            interval: 1d
            prompt: It goes on
              in the next line: here.
        """
    )
    assert told(found) == [
        ("kept", 90.0, "First this:\n  - a point\n\nthen that."),
        ("folded", 5400.0, "One sentence.\n\nAnother."),
        ("plain", 86400.0, "It goes on in the next line: here."),
    ]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ('"a \\"b\\" \\\\ c\\nd"', 'a "b" \\ c\nd'),
        ("'it''s # here'", "it's # here"),
        ("C# is #1 # not this", "C# is"),
        ("a: b: c", "a: b: c"),
        ('"not closed', '"not closed'),
        ('"quoted" and more', '"quoted" and more'),
    ],
)
def test_quotes_and_comments_mean_what_they_mean_in_yaml(written: str, read_as: str) -> None:
    """And what is no YAML is taken as it stands."""
    found = parse_heartbeat(f"tasks:\n- name: x\n  interval: 1m\n  prompt: {written}\n")
    assert [task.prompt for task in found.tasks] == [read_as]


def test_a_task_that_was_switched_off_by_comments_ends_nothing() -> None:
    """The one below it is still read."""
    found = read(
        """
        tasks:
        - name: a
          interval: 5m
          prompt: p
        # - name: off
        #   interval: 5m
        - name: b
          interval: 5m
          prompt: p
        """
    )
    assert [task.name for task in found.tasks] == ["a", "b"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("item", "line", "text"),
    [
        ("- name: x\n  interval: 5m", 2, "a task without prompt"),
        ("- prompt: p", 2, "a task without name and interval"),
        ("- name: x\n  interval: soon\n  prompt: p", 3, "interval: 'soon' must be a duration such as"),
        ("- name: x\n  interval: 0m\n  prompt: p", 3, "interval: '0m' must be"),
        ("- name: My Task\n  interval: 5m\n  prompt: p", 2, "name: 'My Task' can't name a cadence"),
        ("- name: x\n  intervall: 5m\n  prompt: p", 3, "did you mean 'interval'?"),
        ("- name: x\n  model: opus", 3, "known are name, interval, prompt"),
        ("- name: x\n  name: y", 3, "name stands here a second time"),
        ("- just words", 2, "expected `- name: …` or `key: value`, not 'just words'"),
        ("  interval: 5m", 2, "expected `- name: …`"),
    ],
)
def test_a_broken_task_names_line_and_key_and_stops_no_other(item: str, line: int, text: str) -> None:
    """The right one below it is read."""
    found = parse_heartbeat(f"tasks:\n{item}\n- name: right\n  interval: 5m\n  prompt: p\n")
    assert [task.name for task in found.tasks] == ["right"]
    assert any(problem.line == line and text in problem.text for problem in found.problems), found.problems


def test_a_name_is_taken_once() -> None:
    """The first keeps it."""
    task = "- name: x\n  interval: 5m\n  prompt: {}\n"
    found = parse_heartbeat("tasks:\n" + task.format("first") + task.format("second"))
    assert told(found) == [("x", 300.0, "first")]
    assert [problem.text for problem in found.problems] == ["name: 'x' is taken by line 2"]


def test_windows_lines_tabs_and_a_byte_order_mark_do_no_harm() -> None:
    """Editors leave them."""
    found = parse_heartbeat("\ufefftasks:\r\n- name: x\r\n\tinterval: 5m\r\n\tprompt: p\r\n")
    assert told(found) == [("x", 300.0, "p")]


TASK = "- name: a\n  interval: 5m\n  prompt: go\n"
WORDS = ["- name: b\n", "  interval: 5m\n", "  interval: ", "  prompt: go\n", "  prompt: ", "5m", "0", "-1s"]
SIGNS = ["\n", "\n  ", "- ", ": ", "|\n    ", ">", "'", '"', "\\", " #", "```\n", "~~~", "{}", "\t", "é"]
TEXTS = st.lists(st.sampled_from([TASK, *WORDS, *SIGNS]), max_size=8).map("".join)


@given(TEXTS, TEXTS)
def test_no_text_breaks_the_reader(before: str, after: str) -> None:
    """It answers, and every task that it finds is whole."""
    for task in parse_heartbeat(f"tasks:\n{before}\n{TASK}{after}").tasks:
        assert task.name
        assert task.interval > 0
        assert task.prompt
