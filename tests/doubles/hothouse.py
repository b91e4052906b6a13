"""A `cadence` that has been started already: each command is a fork of it, spared the interpreter's start.

    hothouse.py FD      FD is a stream socket, on which one request comes after another

A request is a line of JSON (`words`, the first being the program's name, `env`, `cwd`, `umask`, and `before`:
Python to run before the command) with four files: standard input, output and error, and where to write the
pid and, in the end, the exit code, a line each. The command is what it would be otherwise: a process of its
own, with its own folder and environment.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
import time
from typing import Any

import cadencebus
from cadencebus.cli.main import main

INPUT, OUTPUT, ERRORS, TELLS = range(4)


def load_everything() -> None:
    """Import the package; what all forks share is then left alone by the collector."""
    for module in pkgutil.walk_packages(cadencebus.__path__, "cadencebus."):
        # What can't be loaded is missed by the commands that want it, and only by them.
        with contextlib.suppress(Exception):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def serve(line: socket.socket) -> None:
    """Start what is asked for until nobody is left to ask; only a command returns, in its own process."""
    while True:
        text, files, _, _ = socket.recv_fds(line, 1 << 16, 4)
        while text and not text.endswith(b"\n"):
            text += line.recv(1 << 16)
        if not text:
            sys.exit()
        if os.fork() == 0:
            line.close()
            return watch(json.loads(text), files)
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def watch(request: dict[str, Any], files: list[int]) -> None:
    """Start a command and tell how it ends; only the command returns."""
    pid = os.fork()
    if pid == 0:
        return become(request, files)
    for file in (INPUT, OUTPUT, ERRORS):
        os.close(files[file])
    os.write(files[TELLS], b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    # Whoever gave up waiting wants to know no more.
    with contextlib.suppress(BrokenPipeError):
        os.write(files[TELLS], b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def become(request: dict[str, Any], files: list[int]) -> None:
    """Be as if just started: with these files, this environment, in this folder."""
    for number in (INPUT, OUTPUT, ERRORS):
        os.dup2(files[number], number)
    os.closerange(TELLS, max(files) + 1)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.argv = request["words"]
    sys.stdin = open(INPUT, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(OUTPUT, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(ERRORS, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    exec(request["before"], {})  # noqa: S102 - a test's own words


if __name__ == "__main__":
    load_everything()
    serve(socket.socket(fileno=int(sys.argv[1])))
    code = main()
    # Taking an interpreter apart that has loaded everything costs more than most commands do.
    os._exit(code)
