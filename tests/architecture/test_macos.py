"""What only Linux has is asked for before it is used: tests run on Linux, the program on macOS, too."""

from __future__ import annotations

import ast

# What the standard library has on Linux and not on macOS, as far as anybody would think of using it here.
LINUX_ONLY = {
    "os": {
        "copy_file_range",
        "eventfd",
        "getrandom",
        "getresuid",
        "memfd_create",
        "O_PATH",
        "O_TMPFILE",
        "P_PIDFD",
        "pidfd_open",
        "pipe2",
        "posix_fadvise",
        "posix_fallocate",
        "sched_getaffinity",
        "setns",
        "setresuid",
        "splice",
        "unshare",
        "waitid",
    },
    "resource": {"prlimit"},
    "select": {"epoll"},
    "signal": {"pidfd_send_signal", "sigtimedwait", "sigwaitinfo"},
    "socket": {"SO_PEERCRED"},
    "time": {"CLOCK_BOOTTIME"},
}
# Where that is used all the same: behind a `hasattr` of the same file.
GUARDED = {
    "cadencebus.desk.first_process": {"signal.sigwaitinfo"},
    "cadencebus.session.bell": {"os.pidfd_open"},
    "cadencebus.session.process_tree": {"os.pidfd_open", "signal.pidfd_send_signal"},
    "cadencebus.session.machine": {"os.sched_getaffinity"},
}


def test_nothing_is_used_that_macos_lacks(modules: dict[str, ast.Module]) -> None:
    """`cadence top` once asked for os.pipe2, which no Mac has, and nobody here could notice."""
    used = {name: found for name, tree in modules.items() if (found := linux_only(tree))}
    assert used == GUARDED


def linux_only(tree: ast.Module) -> set[str]:
    """Find the names of these libraries that a module uses."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in LINUX_ONLY.get(node.value.id, ())
    }
