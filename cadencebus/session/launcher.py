"""The launcher: a small pre-forked process beside the consumer; each request is forked into a shim.

A Python that has just started costs 7 ms, one that forks costs 1. Single-threaded, one request, one
reply, and nothing loaded but the standard library. It ends when the consumer does; its shims live on.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import struct

from cadencebus.session import orphans
from cadencebus.session.shim import SHRUGGED_OFF, Shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HEAD = struct.Struct("!I")


def serve(fd: int) -> None:
    """Fork a shim for each request until the consumer is gone."""
    for number in (*SHRUGGED_OFF, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    # Nobody waits for the shims: their end is told by the lock they held.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orphans.prctl()
    _let_go_of_the_terminal()
    with socket.socket(fileno=fd) as line:
        line.set_inheritable(False)
        while (asked := _receive(line)) is not None:
            request, alive = asked
            line.sendall(_frame(_forked(line, request, alive)))


def _let_go_of_the_terminal() -> None:
    """Sessions outlive the consumer: `cadence run | tee` must come to its end all the same."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    if null > 2:  # noqa: PLR2004 - the standard three
        os.close(null)


def _forked(line: socket.socket, request: dict[str, Any], alive: int) -> dict[str, Any]:
    try:
        pid = os.fork()
    except OSError as error:
        os.close(alive)
        return {"error": errno.errorcode.get(error.errno or 0, "EIO")}
    if pid == 0:
        code = 1
        try:
            line.close()
            Shim(request, alive).run()
            code = 0
        finally:
            # Whatever happened: this copy of the launcher must never serve.
            os._exit(code)
    os.close(alive)
    return {"shim": pid}


def _receive(line: socket.socket) -> tuple[dict[str, Any], int] | None:
    head, fds, _, _ = socket.recv_fds(line, _HEAD.size, 1)
    while head and len(head) < _HEAD.size:
        more = line.recv(_HEAD.size - len(head))
        head = head + more if more else b""
    if not head or not fds:
        return None
    os.set_inheritable(fds[0], False)  # noqa: FBT003 - the standard library wants it so
    (size,) = _HEAD.unpack(head)
    body = bytearray()
    while len(body) < size:
        chunk = line.recv(min(size - len(body), 1 << 16))
        if not chunk:
            return None
        body += chunk
    return json.loads(body), fds[0]


def _frame(value: dict[str, Any]) -> bytes:
    data = json.dumps(value).encode()
    return _HEAD.pack(len(data)) + data
