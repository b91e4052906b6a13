"""The launcher: a small process beside the consumer that forks shims in advance.

A Python that has just started costs 7 ms, one that forks costs 1, one that waits already costs nothing.
Asked for a shim, by one byte, it answers with the pid and one end of a socket: whoever writes a request
there has the run led. A shim whose run is over and left nothing behind says so there, and leads the next.
The launcher is single-threaded, and has loaded nothing but the standard library and, where there is no /proc,
psutil. It ends when the consumer does, and so does a shim without a run; the others live on.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import struct

from cadencebus.session import orphans, process_tree, shim

# The pid of a shim, or what the system said instead of giving one, below zero.
ANSWER = struct.Struct("!i")
HEAD = struct.Struct("!I")
# A shim's word that its run came to its own end, nothing of it is left, and it could lead another: the
# session's wait status, its end on both clocks, its peak of memory and its processor time.
ENDED = struct.Struct("!iddqd")
# After this many runs a shim is replaced by a fresh one, whatever may have piled up in it.
_RUNS_EACH = 500


def serve(fd: int) -> None:
    """Fork a shim for each byte until the consumer is gone."""
    shim.set_up_signals()
    # Nobody waits for the shims: the lock that they hold tells of their end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orphans.prepare()
    _let_go_of_the_terminal()
    with socket.socket(fileno=fd) as line:
        line.set_inheritable(False)
        while line.recv(1):
            try:
                pid, end = _forked(line)
            except OSError as error:
                line.sendall(ANSWER.pack(-(error.errno or 1)))
            else:
                with end:
                    socket.send_fds(line, [ANSWER.pack(pid)], [end.fileno()])
                    hold_until_arrived(line)


def _let_go_of_the_terminal() -> None:
    """Give up the consumer's terminal or pipe: sessions outlive it, and `cadence run | tee` must end."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    if null > 2:  # noqa: PLR2004 - the standard three
        os.close(null)


def _forked(line: socket.socket) -> tuple[int, socket.socket]:
    """Fork a shim that waits for its run: its pid, and our end of the socket on which it gets one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            raise
        if pid == 0:
            code = 1
            try:
                line.close()
                ours.close()
                _lead_runs(theirs)
                code = 0
            finally:
                # Whatever happened: this copy of the launcher must never serve.
                os._exit(code)
    return pid, ours


def _lead_runs(line: socket.socket) -> None:
    """Do what can be done in advance, then lead one run after the other, as they come."""
    shim.stand_by()
    for number in range(_RUNS_EACH):
        request, alive = _next_request(line)
        if not request:
            return
        try:
            told = marshal.loads(request)  # noqa: S302 - by the consumer, and nobody else
            end = shim.Shim(told, alive, first=number == 0).run()
        finally:
            # The lock goes with it: now the run is over.
            os.close(alive)
        if end is None:
            return
        # A consumer that no longer listens wants no more of it.
        line.sendall(ENDED.pack(*end))


def _next_request(line: socket.socket) -> tuple[bytes, int]:
    """What the consumer asks for next, and the lock on it; nothing where it asks for no more."""
    head, fds, _, _ = socket.recv_fds(line, HEAD.size, 1)
    if len(head) < HEAD.size or not fds:
        return b"", -1
    os.set_inheritable(fds[0], False)  # noqa: FBT003 - the standard library wants it so
    arrived(line)
    return exactly(line, HEAD.unpack(head)[0]), fds[0]


def hold_until_arrived(line: socket.socket) -> None:
    """Come back when a descriptor that was sent is there: macOS may close one that only the queue holds."""
    if not process_tree.LINUX:
        line.recv(1)


def arrived(line: socket.socket) -> None:
    """Say that a descriptor has arrived."""
    if not process_tree.LINUX:
        line.sendall(b"1")


def exactly(line: socket.socket, size: int) -> bytes:
    """Read exactly this many bytes of a socket; none where it was closed before."""
    data = bytearray()
    while len(data) < size:
        chunk = line.recv(min(size - len(data), 1 << 16))
        if not chunk:
            return b""
        data += chunk
    return bytes(data)
