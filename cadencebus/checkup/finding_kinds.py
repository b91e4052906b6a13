"""Every kind of finding there is: how bad, why it matters, the usual cure. docs/doctor.md lists the same."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ill", "warn", "note"]


class Kind(NamedTuple):
    """What is known of a kind before anything was found."""

    level: Level
    why: str
    cure: str


# From a checkout: what bears the name elsewhere is not ours.
_INSTALL = "in its checkout: pipx install --force ."
_UPGRADE = "upgrade cadencebus, in its checkout: git pull && pipx install --force ."
KINDS: dict[str, Kind] = {
    "check.cant_tell": Kind("warn", "what could not be looked at may be ill, too", "cadence doctor --debug"),
    # --- the machine
    "python.old": Kind("ill", "cadencebus does not run on older ones", "install Python 3.11 or newer"),
    "package.missing": Kind("ill", "commands that need it fail", _INSTALL),
    "package.old": Kind("warn", "it was never tested with one that old", _INSTALL),
    "clock.insane": Kind("ill", "schedules, ages and retention go by the clock", "set the clock: date"),
    "clock.behind": Kind(
        "warn", "what waits for a time waits longer, and stamps sort wrongly", "set the clock: date"
    ),
    "clock.jumped": Kind(
        "warn",
        "with a clock ahead everything looks old: gc removes nothing for a day",
        "date, then: cadence gc --trust-clock",
    ),
    "inotify.short": Kind(
        "warn",
        "without it the consumer sees new ticks only every 30 s",
        "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536",
    ),
    "files.few": Kind("warn", "each run takes some descriptors", "ulimit -n 4096"),
    "proc.missing": Kind(
        "ill", "no consumer starts: it could not find what runs leave behind", "mount -t proc proc /proc"
    ),
    # --- the home
    "home.none": Kind("ill", "only the machine was looked at", "cadence init my-bus"),
    "home.missing": Kind("ill", "without a home there is no bus", "cadence init"),
    "home.folder_missing": Kind("ill", "the consumer refuses to start without it", "cadence doctor --fix"),
    "home.link": Kind(
        "ill", "a link could lead the bus to write elsewhere", "replace the link by a real folder"
    ),
    "home.not_folder": Kind(
        "ill", "the consumer refuses to start", "move it away, then: cadence doctor --fix"
    ),
    "home.other_file_system": Kind(
        "ill", "a rename between file systems can be cut in two", "put all of state/ on one file system"
    ),
    "home.permissions": Kind("ill", "who can write there can run commands as you", "cadence doctor --fix"),
    "home.open": Kind("warn", "payloads and logs can be read by others", "cadence doctor --fix"),
    "home.owner": Kind("ill", "you can't write there, or others can", "chown -R to yourself"),
    "home.read_only": Kind("ill", "nothing can be enqueued, started or finished", "mount it writable"),
    "home.network": Kind("ill", "renames and locks can't be trusted there", "move the home to a local disk"),
    "home.forgetful": Kind(
        "warn", "accepted ticks are lost when it goes", "move the home to a disk, if ticks must survive that"
    ),
    "home.uneasy": Kind("warn", "a service may find nothing there", "cadence down, move the home to ~/bus"),
    "home.format": Kind("ill", "another version of the program wrote it", _UPGRADE),
    "prompts.writable": Kind("ill", "who can write there can run commands as you", "cadence doctor --fix"),
    "disk.full": Kind("ill", "nothing can be accepted or started", "free some space: df -h"),
    "disk.low": Kind("warn", "a full disk holds the whole bus", "free some space: cadence gc; df -h"),
    "inodes.few": Kind("warn", "each tick and each log takes one", "remove small files: df -i"),
    # --- the consumer
    "stop.on": Kind("ill", "nothing starts, not even what is forced", "cadence start"),
    "consumer.none": Kind("note", "ticks are accepted, but nobody runs them", "cadence up"),
    "consumer.crashed": Kind(
        "ill", "it was killed, or crashed; what runs goes on, and the next one adopts it", "cadence up"
    ),
    "consumer.silent": Kind("ill", "it hangs, or its disk does", "cadence restart"),
    "consumer.frozen": Kind("ill", "it lives, keeps its locks, and does nothing", "kill -CONT its pid"),
    "consumer.unknown": Kind(
        "warn", "it may just be starting; else consumer.json could not be written", "cadence ps"
    ),
    "consumer.stranger": Kind(
        "ill", "what holds the lock keeps the consumer out", "see what that is, and end it"
    ),
    "consumer.version": Kind("warn", "what was fixed since is not in use yet", "cadence restart"),
    "consumer.parked": Kind(
        "ill", "it is not tried again until a person has looked", "fix that, then cadence up"
    ),
    "consumer.dies": Kind("ill", "it is started again and again", "tail state/consumer.log"),
    "supervisor.stale": Kind("note", "nobody keeps the consumer up", "cadence up"),
    # --- what runs, and what should not
    "claim.waiting": Kind("warn", "a consumer that starts settles or repeats them", "cadence up"),
    "claim.stuck": Kind("ill", "the tick is neither run nor settled", "cadence restart"),
    "process.stray": Kind(
        "ill", "it goes on, may cost money, and no tick tells of it", "cadence doctor --fix"
    ),
    # --- what lies on the disk
    "state.corrupt": Kind(
        "warn", "it was set aside whole; what it says is not in force", "read it, then remove it"
    ),
    "state.torn": Kind("warn", "it is ignored until it is fixed", "cadence doctor --fix"),
    "tick.unreadable": Kind("ill", "it can't be run as it is", "cadence up, which buries it with its reason"),
    "tick.twice": Kind("warn", "only one of them is kept: the work would be done twice", "cadence restart"),
    "name.odd": Kind("note", "the bus ignores it", "move it away"),
    "journal.torn": Kind(
        "note", "history and stats skip these lines", "nothing to do, unless there are many"
    ),
    "tmp.stale": Kind("note", "a program died while it wrote them; nothing of it was accepted", "cadence gc"),
    # --- cadences
    "settings.broken": Kind("ill", "the last good settings, or the defaults, are in force", "cadence check"),
    "cadence.broken": Kind("ill", "its ticks wait until the file is fixed", "cadence check"),
    "cadence.unknown": Kind("ill", "their ticks die as unknown_cadence", "write the prompt file"),
    "cadence.none": Kind("note", "there is nothing to run", "write prompts/NAME.md, or: cadence init"),
    "cadence.disabled": Kind("note", "they wait until it is enabled", "say enabled: true in its file"),
    "prompt.empty": Kind("warn", "the agent is asked nothing", "write what is to be done"),
    "prompt.odd_name": Kind("warn", "it is not a cadence", "rename it: a-z, 0-9, . _ -"),
    "follow_up.unknown": Kind("warn", "what should follow it will die as unknown_cadence", "cadence check"),
    "runner.unknown": Kind("ill", "no run of it can start", "cadence check"),
    # --- programs and credentials
    "program.missing": Kind("ill", "no run of it can start", "install it, or correct PATH"),
    "notice.missing": Kind("warn", "nobody hears of dead letters and holds", "install it, or correct PATH"),
    "notice.failing": Kind("warn", "nobody hears of dead letters and holds", "try it by hand"),
    "program.silent": Kind("warn", "it may hang in a run, too", "try it by hand"),
    "credentials.missing": Kind("ill", "auth: api-key demands one: no run can start", "set the key"),
    "credentials.placeholder": Kind(
        "warn", "it is dropped, so that the program's own login is used", "unset it, or set a real one"
    ),
    "credentials.none": Kind("warn", "runs are likely to end as auth", "log in, or set a key"),
    "credentials.refused": Kind("ill", "every run will end as auth or billing", "set a key that is valid"),
    "credentials.unreachable": Kind("warn", "runs will end as network", "check the network and the base URL"),
    # --- units
    "unit.stale": Kind("warn", "it starts something other than you think", "cadence install"),
    "producers.lost": Kind(
        "warn", "until it is fired from outside again, the bus's own clock fires it", "cadence install"
    ),
    # --- what waits
    "hold.lasting": Kind("ill", "only a person releases it", "cadence resume"),
    "hold.paused": Kind("note", "an operator paused it", "cadence resume"),
    "hold.unreadable": Kind("ill", "it holds until somebody removes it", "cadence holds"),
    "hold.passing": Kind("note", "it ends by itself", "cadence holds"),
    "circuit.open": Kind("ill", "it failed several times in a row", "cadence circuit reset"),
    "dead.fresh": Kind("ill", "look why they died", "cadence dead"),
    "dead.old": Kind("note", "they stay until somebody decides", "cadence dead"),
    "gate.failing": Kind(
        "ill", "it goes by its on_error until its command answers", "try its command by hand"
    ),
    "cadence.starving": Kind("warn", "others take all the room", "raise max_sessions, or its priority"),
    "queue.stalled": Kind("ill", "something could start, but nothing does", "cadence restart"),
    # --- habits
    "timeout.near": Kind(
        "warn", "with a little more work they would be killed", "raise its timeout, or shorten the task"
    ),
    "run.leaks": Kind("warn", "what it leaves running is killed", "let it wait for its children"),
    "retention.late": Kind("warn", "the home only grows", "cadence gc"),
}
