#!/usr/bin/env python3
"""Act every misbehaviour of a session, in seconds: the words of the command line, one after the other.

agent.py say hello ignore-term sleep 60
agent.py double-fork 30 exit 3
agent.py claude-ok --resume 7ac3dbc9-5db8-40ac-8194-25de82991a66

Words that start others print a line `<word> <pid>` for each; what a word takes is the arguments of its
function. Options of the agents it stands in for are understood (`--session-id`, `--resume`) or passed over.
Whatever is started ends by itself: a test that fails leaves nothing behind for long.
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
# What the command line said of sessions: `new` and `old` hold ids.
ASKED: dict[str, str] = {}


# --- plain words -----------------------------------------------------------------------------------


def ok() -> None:
    """Do nothing, well."""


def end(code: str) -> None:
    """Exit with this code."""
    os._exit(int(code))


def die(number: str) -> None:
    """Die of this signal."""
    if int(number) != signal.SIGKILL:
        signal.signal(int(number), signal.SIG_DFL)
    os.kill(os.getpid(), int(number))
    time.sleep(PATIENCE)


def say(text: str) -> None:
    """Print a line."""
    _write(1, text)


def complain(text: str) -> None:
    """Print a line to standard error."""
    _write(2, text)


def mutter(text: str) -> None:
    """Print a piece of a line, and not its end."""
    os.write(1, text.encode("utf-8", "surrogateescape"))


def rubbish() -> None:
    """Print what is no text: every byte there is, an escape, half a character."""
    os.write(1, bytes(range(256)) + b"\x1b]0;owned\x07\xe2\x82\n")


def chatter(seconds: str) -> None:
    """Print a short line ten times a second."""
    for _ in range(int(float(seconds) * 10)):
        say("still here")
        time.sleep(0.1)


def hang() -> None:
    """Do nothing for as long as a test may take."""
    sleep(str(PATIENCE))


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
    """Print so many bytes, in lines of a kilobyte."""
    _pour(1, b"x" * 1023 + b"\n", int(count))


def flood_stderr(count: str) -> None:
    """Print so many bytes to standard error."""
    _pour(2, b"x" * 1023 + b"\n", int(count))


def long_line(count: str) -> None:
    """Print one line of so many bytes."""
    _pour(1, b"x" * (1 << 16), int(count))
    say("")


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
    claude_fails(status, text)
    os._exit(1)


def claude_fails(status: str, text: str) -> None:
    """Tell of an error of the API, and not end."""
    _init()
    kind = {401: "authentication_failed", 429: "rate_limit"}.get(int(status), "server_error")
    _event("assistant", error=kind, message=_message(f"API Error: {status} {text}", model="<synthetic>"))
    _result(f"API Error: {status} {text}", is_error=True, api_error_status=int(status))


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
    _use("Bash", f"sleep {seconds}")
    _fork(os.setsid, lambda: sleep(seconds))
    sleep(seconds)


def claude_waits(seconds: str) -> None:
    """Call a tool, be silent for as long as that takes, and answer."""
    _init()
    _use("Bash", f"sleep {seconds}")
    sleep(seconds)
    _answer("It took a while.")
    _result("It took a while.")


def claude_retrying(seconds: str) -> None:
    """Wait for an overloaded API in silence, as announced, and answer."""
    _init()
    wait = {"attempt": 1, "max_retries": 3, "retry_delay_ms": float(seconds) * 1000}
    _event("system", subtype="api_retry", **wait, error_status=529, error="overloaded")
    sleep(seconds)
    _answer("There it is.")
    _result("There it is.")


def claude_limit(resets_in: str) -> None:
    """Reach the limit of a subscription, which says when it ends."""
    _init()
    info = {"status": "rejected", "resetsAt": int(time.time()) + int(resets_in), "rateLimitType": "five_hour"}
    _event("rate_limit_event", rate_limit_info=info)
    claude_error("429", "You've hit your session limit")


def claude_turns() -> None:
    """Use up the turns."""
    _init()
    _use("Bash", "echo hi")
    _event("result", subtype="error_max_turns", is_error=True, num_turns=3, terminal_reason="max_turns")
    os._exit(1)


def claude_cut() -> None:
    """Leave well, with the result cut in the middle, as a slow reader sees it."""
    _init()
    mutter('{"type":"result","subtype":"success","is_error":fal')


def claude_silent() -> None:
    """Begin, and leave well without a result."""
    _init()


def claude_long_line(count: str) -> None:
    """Answer with a line of so many bytes."""
    _init()
    text = "x" * int(count)
    _answer(text)
    _result(text)


def claude_flood(count: str) -> None:
    """Answer at great length: so many bytes of small events, then a result."""
    _init()
    delta = {"type": "stream_event", "event": {"delta": {"text": "word " * 40}}, "session_id": SESSION}
    said = {"type": "assistant", "message": _message("word " * 40), "session_id": SESSION}
    block = b"".join(json.dumps(line).encode() + b"\n" for line in (*[delta] * 9, said))
    _pour(1, block * 20, int(count))
    say("")
    _result("That was it.")


def claude_slash(text: str) -> None:
    """Take the prompt for a command of its own: a success without a turn of the model."""
    _init()
    _event("assistant", message=_message(text, model="<synthetic>"))
    _result(text, turns=0)


def claude_session(folder: str) -> None:
    """Keep sessions in a folder, and answer with what was said in this one so far."""
    if "old" in ASKED and not os.path.exists(f"{folder}/{ASKED['old']}"):
        complain(f"No conversation found with session ID: {ASKED['old']}")
        unknown = [f"No conversation found with session ID: {ASKED['old']}"]
        _event("result", subtype="error_during_execution", is_error=True, num_turns=0, errors=unknown)
        os._exit(1)
    name = _session()
    touch(f"{folder}/{name}")
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        said = f"turn {len(file.readlines())} of {name}"
    _init()
    _answer(said)
    _result(said)


# --- Codex and Gemini ------------------------------------------------------------------------------


def codex_ok() -> None:
    """Answer well, as Codex does."""
    _codex_begins()
    _line(type="item.completed", item={"id": "item_1", "type": "agent_message", "text": "Hello from Codex."})
    _line(type="turn.completed", usage={"input_tokens": 100, "cached_input_tokens": 10, "output_tokens": 20})


def codex_error(text: str) -> None:
    """Fail, as Codex does: in words alone."""
    _codex_begins()
    _line(type="error", message=text)
    _line(type="turn.failed", error={"message": text})
    os._exit(1)


def gemini_ok() -> None:
    """Answer well, as Gemini does."""
    _line(type="init", session_id=_session(), model="auto")
    _line(type="message", role="assistant", content="Hello from Gemini.", delta=True)
    _line(
        type="result", status="success", stats={"total_tokens": 122, "input_tokens": 101, "output_tokens": 21}
    )


def gemini_error(status: str) -> None:
    """Fail, as Gemini does: its exit code is the HTTP status modulo 256."""
    _line(type="init", session_id=_session(), model="auto")
    error = {"type": "Error", "message": f"[API Error: {status}]"}
    _line(type="result", status="error", error=error, stats={})
    os._exit(int(status) % 256)


def _codex_begins() -> None:
    _line(type="thread.started", thread_id=_session())
    _line(type="turn.started")


def _line(**fields: object) -> None:
    say(json.dumps(fields, separators=(",", ":")))


def _session() -> str:
    return ASKED.get("old") or ASKED.get("new") or SESSION


def _init() -> None:
    _event("system", subtype="init", cwd=os.getcwd(), model="claude-opus-4-8", tools=["Bash"])


def _answer(text: str) -> None:
    _event("assistant", message=_message(text))


def _use(name: str, command: str) -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {"command": command}}
    _event("assistant", message={**_message(""), "content": [use]})


def _message(text: str, model: str = "claude-opus-4-8") -> dict[str, object]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 1200, "output_tokens": 42},
    }


def _result(
    text: str, *, is_error: bool = False, api_error_status: int | None = None, turns: int = 1
) -> None:
    _event(
        "result",
        subtype="success",
        is_error=is_error,
        api_error_status=api_error_status,
        num_turns=turns,
        result=text,
        total_cost_usd=0.0092,
        usage={"input_tokens": 1200, "output_tokens": 42},
        terminal_reason="completed",
    )


def _event(kind: str, **fields: object) -> None:
    say(json.dumps({"type": kind, **fields, "session_id": _session()}, separators=(",", ":")))


# --- how it is done --------------------------------------------------------------------------------


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode("utf-8", "surrogateescape") + b"\n")


def _pour(fd: int, block: bytes, count: int) -> None:
    left = count
    while left > 0:
        left -= os.write(fd, block[:left])


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


_PLAIN = (ok, say, complain, mutter, rubbish, chatter, sleep, say_then_sleep, hang, spin, stop)
_FILES = (wait_for, touch, fail_times)
_SIGNALS = (ignore_term, ignore_all, tell_signals, close_stdout, flood, flood_stderr, long_line)
_TELLING = (print_env, print_fds, print_place, echo_stdin)
_DESCENDANTS = (
    child,
    setsid_child,
    double_fork,
    unmarked_child,
    stopped_child,
    fork_many,
    hop,
    orphan_zombies,
)
_CLAUDE = (
    *(
        claude_ok,
        claude_error,
        claude_fails,
        claude_result_then_hang,
        claude_hang,
        claude_tool_then_hang,
        claude_waits,
    ),
    *(claude_retrying, claude_limit, claude_turns, claude_cut, claude_silent, claude_long_line, claude_flood),
    *(claude_slash, claude_session),
)
_OTHERS = (codex_ok, codex_error, gemini_ok, gemini_error)

WORDS: dict[str, Callable[..., None]] = {
    "exit": end,
    "signal": die,
    **{
        word.__name__.replace("_", "-"): word
        for word in (*_PLAIN, *_FILES, *_SIGNALS, *_TELLING, *_DESCENDANTS, *_CLAUDE, *_OTHERS)
    },
}
# Options with a value; what else begins with two dashes stands alone.
_SESSIONS = {"--session-id": "new", "--resume": "old", "resume": "old"}
_VALUED = ("--output-format", "--model", "--max-turns", "--max-budget-usd", "--permission-mode")


def without_options(words: list[str]) -> list[str]:
    """The words that are to be acted, once the options of an agent are taken out."""
    left = []
    rest = iter(words)
    for word in rest:
        if word in _SESSIONS:
            ASKED[_SESSIONS[word]] = next(rest)
        elif word in _VALUED:
            next(rest)
        elif not word.startswith("--") and word not in {"-p", "-"}:
            left.append(word)
    return left


def main(words: list[str]) -> None:
    """Act one word after the other."""
    words = without_options(words)
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
