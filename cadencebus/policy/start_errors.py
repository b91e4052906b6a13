"""Why a program could not start, by errno: what was missing, in words, and what helps."""

from __future__ import annotations

# Errors that waiting doesn't mend; all others are a lack of something.
HOPELESS = {
    "ENOENT": "not found",
    "EACCES": "permission denied",
    "ENOTDIR": "not a folder",
    "ENOEXEC": "not a program",
    "EBADARCH": "a program for another processor",
    "EBADEXEC": "not a sound program",
    "EBADMACHO": "not a sound program",
    "E2BIG": "arguments and environment too long",
    "NUL": "a NUL byte in an argument or in the environment",
}
_LACKING = {
    "EAGAIN": "no process is left for this user (ulimit -u)",
    "ENOMEM": "no memory is left",
    "EMFILE": "too many files are open (ulimit -n)",
    "ENFILE": "too many files are open on this machine",
    "ENOSPC": "the disk is full",
    "EDQUOT": "this user's share of the disk is full",
    "EOWNERDEAD": "it died before it could start anything",
}
# By what it is that fails, and how.
_CURES = {
    ("binary", "ENOENT"): "install it, or give its whole path",
    ("binary", "EACCES"): "it must be a file that this user may execute (chmod +x)",
    ("binary", "ENOTDIR"): "correct its path",
    ("binary", "ENOEXEC"): "let a script begin with #! and its interpreter; build a binary for this machine",
    ("binary", "EBADARCH"): "build it for this one, or install Rosetta (softwareupdate --install-rosetta)",
    ("binary", "E2BIG"): "hand long text over in the prompt or in a file, and look at the size of `env`",
    ("binary", "NUL"): "take it out of `command`, `args` or `env`",
    ("interpreter", "ENOENT"): "correct the script's first line, or install what that names",
    ("shim", "EOWNERDEAD"): "look for the out-of-memory killer and for limits (ulimit -a)",
    ("cwd", "ENOENT"): "make the folder, or correct `cwd`",
    ("cwd", "ENOTDIR"): "correct `cwd`",
    ("cwd", "EACCES"): "let this user enter the folder, or correct `cwd`",
}
_CALLED = {
    "binary": "{}",
    "interpreter": "the interpreter of {}",
    "cwd": "cwd {}",
    "files": "the run's own files",
    "fork": "a process",
    "shim": "the process that leads the run",
}


# What a run needs of the bus itself: no edit of a cadence mends that, and often it mends itself.
_OURS = {"files", "fork", "shim"}


def hopeless(what: str | None, error: str | None) -> bool:
    """Whether a start that failed so will fail again until somebody changes something."""
    return error in HOPELESS and what not in _OURS


def problem(what: str, error: str, name: str = "") -> str:
    """One line: what could not be had, why, and what helps."""
    subject = _CALLED.get(what, "{}").format(name).strip() if name else what
    cure = _CURES.get((what, error))
    wrong = HOPELESS.get(error) or _LACKING.get(error) or "the system refused it"
    return f"{subject}: {wrong} ({error})" + (f"; {cure}" if cure else "")
