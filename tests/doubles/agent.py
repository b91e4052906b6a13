#!/usr/bin/env python3
"""Act every misbehaviour of a session, in seconds: the words of the command line, one after the other.

agent.py say hello ignore-term sleep 60
agent.py double-fork 30 exit 3

Words that start others print a line `<word> <pid>` for each; what a word takes is the arguments of its
function. Whatever is started ends by itself: a test that fails leaves nothing behind for long.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SESSION = "7ac3dbc9-5db8-40ac-8194-25de82991a66"
PATIENCE = 60.0


# --- plain words -----------------------------------------------------------------------------------


def ok() -> None:
    """Do nothing, well."""


def end(code: str) -> None:
    """Exit with this code."""
    os._exit(int(code))


def die(number: str) -> None:
    """Die of this signal."""
    signal.signal(int(number), signal.SIG_DFL)
    os.kill(os.getpid(), int(number))
    time.sleep(PATIENCE)


def say(text: str) -> None:
    """Print a line."""
    _write(1, text)


def complain(text: str) -> None:
    """Print a line to standard error."""
    _write(2, text)


def sleep(seconds: str) -> None:
    """Do nothing for a while, whatever signals come."""
    deadline = time.monotonic() + float(seconds)
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(left)


def say_then_sleep(seconds: str) -> None:
    """Show signs of life, then none."""
    say("here I am")
    sleep(seconds)


def spin(seconds: str) -> None:
    """Burn CPU time."""
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        pass


def stop() -> None:
    """Stop, as on a Ctrl-Z, until somebody says go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def wait_for(path: str) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.005)


def touch(path: str) -> None:
    """Make a file, or write a line more into it."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")


def fail_times(times: str, path: str) -> None:
    """Exit 1 so many times, counting in a file; then go on."""
    touch(path)
    with open(path, encoding="utf-8") as file:
        if len(file.readlines()) <= int(times):
            complain("not yet")
            os._exit(1)


# --- signals and descriptors -----------------------------------------------------------------------


def ignore_term() -> None:
    """Hear no SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def ignore_all() -> None:
    """Hear nothing that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def tell_signals() -> None:
    """Print a line for each signal that comes, and end with the second SIGTERM."""
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        say(f"heard {signal.Signals(number).name} {time.monotonic():.3f}")
        heard.append(number)
        if heard.count(signal.SIGTERM) > 1:
            os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, hear)
    say("listening")


def close_stdout() -> None:
    """Close standard output and error, as daemons do."""
    os.close(1)
    os.close(2)


def flood(count: str) -> None:
    """Print so many bytes."""
    line = b"x" * 1023 + b"\n"
    left = int(count)
    while left > 0:
        left -= os.write(1, line[:left])


def print_env() -> None:
    """Print the environment as JSON."""
    say(json.dumps(dict(os.environ)))


def print_fds() -> None:
    """Print which descriptors are open, and on what, as JSON."""
    table = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            table[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that listed them
    say(json.dumps(table))


def print_place() -> None:
    """Print pid, group, session and working folder as JSON."""
    say(json.dumps({"pid": os.getpid(), "group": os.getpgrp(), "session": os.getsid(0), "cwd": os.getcwd()}))


def echo_stdin() -> None:
    """Print what standard input holds."""
    while data := os.read(0, 1 << 16):
        os.write(1, data)


# --- descendants -----------------------------------------------------------------------------------


def child(seconds: str) -> None:
    """Leave a plain child running."""
    _leave("child", lambda: sleep(seconds))


def setsid_child(seconds: str) -> None:
    """Leave a child in a session of its own, as Claude Code's tools are."""
    _leave("setsid-child", os.setsid, lambda: sleep(seconds))


def double_fork(seconds: str) -> None:
    """Leave a daemon: own session, parent gone, deaf to SIGTERM."""
    os.waitpid(
        _fork(os.setsid, ignore_all, lambda: _leave("double-fork", lambda: sleep(seconds))),
        0,
    )


def unmarked_child(seconds: str) -> None:
    """Leave a child without any environment, in a session of its own."""
    _leave("unmarked-child", os.setsid, lambda: os.execve("/bin/sleep", ["sleep", seconds], {}))  # noqa: S606


def stopped_child(seconds: str) -> None:
    """Leave a stopped child in a session of its own."""
    os.waitpid(_leave("stopped-child", os.setsid, stop, lambda: sleep(seconds)), os.WUNTRACED)


def fork_many(count: str, seconds: str) -> None:
    """Leave many children, each of which has a child."""
    for _ in range(int(count)):
        _leave("fork-many", lambda: _leave("fork-many", lambda: sleep(seconds)), lambda: sleep(seconds))


def hop(seconds: str) -> None:
    """Leave a process that forks and exits, again and again: its pid is always yesterday's."""
    _leave("hop", os.setsid, lambda: _hopping(float(seconds)))


def orphan_zombies(count: str) -> None:
    """Leave orphans behind that end at once, for somebody else to bury."""
    for _ in range(int(count)):
        os.waitpid(_fork(lambda: _fork(ok)), 0)


# --- Claude Code, as it was recorded ---------------------------------------------------------------


def claude_ok() -> None:
    """Answer well."""
    _init()
    _answer("Hello from the stand-in.")
    _result("Hello from the stand-in.")


def claude_error(status: str, text: str) -> None:
    """End as on an error of the API: subtype success, is_error true, exit 1."""
    _init()
    kind = {401: "authentication_failed", 429: "rate_limit"}.get(int(status), "server_error")
    _event("assistant", error=kind, message=_message(f"API Error: {status} {text}", model="<synthetic>"))
    _result(f"API Error: {status} {text}", is_error=True, api_error_status=int(status))
    os._exit(1)


def claude_result_then_hang(seconds: str) -> None:
    """Answer well, and then not end."""
    claude_ok()
    sleep(seconds)


def claude_hang(seconds: str) -> None:
    """Begin, and say nothing more."""
    _init()
    sleep(seconds)


def claude_tool_then_hang(seconds: str) -> None:
    """Call a tool that runs in a session of its own and does not come back; deaf to nothing, exit 143."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    _init()
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": f"sleep {seconds}"}}
    _event("assistant", message={**_message("Running a command."), "content": [use]})
    _fork(os.setsid, lambda: sleep(seconds))
    sleep(seconds)


def _init() -> None:
    _event("system", subtype="init", cwd=os.getcwd(), model="claude-opus-4-8", tools=["Bash"])


def _answer(text: str) -> None:
    _event("assistant", message=_message(text))


def _message(text: str, model: str = "claude-opus-4-8") -> dict[str, object]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 1200, "output_tokens": 42},
    }


def _result(text: str, *, is_error: bool = False, api_error_status: int | None = None) -> None:
    _event(
        "result",
        subtype="success",
        is_error=is_error,
        api_error_status=api_error_status,
        num_turns=1,
        result=text,
        total_cost_usd=0.0092,
        usage={"input_tokens": 1200, "output_tokens": 42},
        terminal_reason="completed",
    )


def _event(kind: str, **fields: object) -> None:
    say(json.dumps({"type": kind, **fields, "session_id": SESSION}, separators=(",", ":")))


# --- how it is done --------------------------------------------------------------------------------


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode("utf-8", "surrogateescape") + b"\n")


def _fork(*acts: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        for act in acts:
            act()
        os._exit(0)
    return pid


def _leave(word: str, *acts: Callable[[], object]) -> int:
    pid = _fork(*acts)
    say(f"{word} {pid}")
    return pid


def _hopping(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.fork():
            os._exit(0)
        time.sleep(0.0005)


WORDS: dict[str, Callable[..., None]] = {
    "exit": end,
    "signal": die,
    **{
        word.__name__.replace("_", "-"): word
        for word in (
            *(ok, say, complain, sleep, say_then_sleep, spin, stop, wait_for, touch, fail_times),
            *(ignore_term, ignore_all, tell_signals, close_stdout, flood),
            *(print_env, print_fds, print_place, echo_stdin),
            *(
                child,
                setsid_child,
                double_fork,
                unmarked_child,
                stopped_child,
                fork_many,
                hop,
                orphan_zombies,
            ),
            *(claude_ok, claude_error, claude_result_then_hang, claude_hang, claude_tool_then_hang),
        )
    },
}


def main(words: list[str]) -> None:
    """Act one word after the other."""
    while words:
        word, *words = words
        if word not in WORDS:
            sys.exit(f"no such word: {word}\nwords: {' '.join(sorted(WORDS))}")
        act = WORDS[word]
        count = act.__code__.co_argcount
        act(*words[:count])
        words = words[count:]


if __name__ == "__main__":
    main(sys.argv[1:])
