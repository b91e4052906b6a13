"""Where a home lies decides whether renames and locks can be trusted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import Misconfigured
from cadencebus.store import fitness
from cadencebus.store.paths import FOLDERS, Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
server:/srv /srv nfs4 rw 0 0
/dev/sdb1 /srv/ann ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
server:/a /mnt/with\040blank\011and\134backslash nfs rw 0 0
server:/b /mnt/Büro nfs rw 0 0
server:/c /mnt/\udcff cifs rw 0 0
server:/d /mnt/\n 9p rw 0 0
server:/e /mnt/over nfs rw 0 0
/dev/sdc1 /mnt/over xfs rw 0 0
too short
""".replace(r"\udcff", "\udcff").replace(r"\n", "\N{NEXT LINE}")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/opt/bus", "ext4"),
        ("/", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/bob/bus", "nfs4"),
        ("/srv/ann/bus", "ext4"),
        ("/srvs/bus", "ext4"),
        ("/tmp/bus", "tmpfs"),  # noqa: S108 - nothing is made there
        ("/mnt/with blank\tand\\backslash/bus", "nfs"),
        ("/mnt/Büro/bus", "nfs"),
        ("/mnt/\udcff/bus", "cifs"),
        ("/mnt/\N{NEXT LINE}/bus", "9p"),
        ("/mnt/over/bus", "xfs"),
    ],
)
def test_the_longest_mount_point_above_a_path_holds_it(path: str, kind: str) -> None:
    """In any alphabet, or none; of two on one point the later one shows."""
    assert fitness.file_system(path, MOUNTS) == kind


@pytest.mark.parametrize(
    ("told", "kind"), [("E:ID_FS_TYPE=exfat\n", "exfat"), ("E:ID_BUS=usb\n", "fuseblk"), (None, "fuseblk")]
)
def test_what_a_program_serves_is_what_lies_on_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, kind: str
) -> None:
    """The kernel says `fuseblk` of NTFS, which will do, and of exFAT, which has no links; udev has looked."""
    if told is not None:
        device = tmp_path.stat().st_dev
        (tmp_path / f"b{os.major(device)}:{os.minor(device)}").write_text(f"S:disk/by-id/x\n{told}")
    monkeypatch.setattr(fitness, "_UDEV", str(tmp_path))
    assert fitness.file_system(str(tmp_path), f"/dev/sdb1 {tmp_path} fuseblk rw 0 0\n") == kind


def test_where_nothing_is_mounted_nobody_can_say() -> None:
    """Unknown is no reason to refuse."""
    assert fitness.file_system("/srv", "") == "unknown"
    assert "unknown" not in fitness.REFUSED


def made(root: Path) -> Home:
    """Make all that a home needs to be looked at."""
    home = Home(str(root))
    for folder in ("", *FOLDERS):
        os.makedirs(f"{home.state}/{folder}", mode=0o700)
    return home


def test_a_home_in_order_is_let_pass(tmp_path: Path) -> None:
    """Where tests run, everything is trusted."""
    fitness.check(made(tmp_path))


def gone(path: str) -> None:
    """Take a folder away."""
    os.rename(path, f"{path}.gone")


def a_link(path: str) -> None:
    """Put a link to the folder in its place."""
    gone(path)
    os.symlink(f"{path}.gone", path)


def a_file(path: str) -> None:
    """Put a file in its place."""
    gone(path)
    os.close(os.open(path, os.O_CREAT))


def open_to_its_group(path: str) -> None:
    """Let its group write there."""
    os.chmod(path, 0o770)  # noqa: S103 - that is what is refused


def open_to_the_world(path: str) -> None:
    """Let everybody write there."""
    os.chmod(path, 0o702)  # noqa: S103 - that is what is refused


@pytest.mark.parametrize("place", ["", "/inbox", "/claimed"])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (gone, "does not exist"),
        (a_link, "is a symbolic link"),
        (a_file, "is not a folder"),
        (open_to_its_group, "may be written by its group"),
        (open_to_the_world, "may be written by the world"),
    ],
)
def test_what_can_not_keep_the_promises_is_refused(
    place: str, spoil: Callable[[str], None], said: str, tmp_path: Path
) -> None:
    """Each folder for itself, with what to do."""
    home = made(tmp_path)
    spoil(f"{home.state}{place}")
    with pytest.raises(Misconfigured, match=said) as refused:
        fitness.check(home)
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("place", "uneasy"),
    [
        ("bus", False),
        ("Documents/bus/state", True),
        ("documents", True),
        ("DocumentsOfMine/bus", False),
        ("Library/Mobile Documents/com~apple~CloudDocs/bus", True),
        ("Library/CloudStorage/Dropbox/bus", True),
        ("Library/Application Support/bus", False),
        ("../Documents/bus", False),
    ],
)
def test_a_mac_keeps_some_folders_to_itself(tmp_path: Path, place: str, uneasy: bool) -> None:
    """A service is kept out of some, and a cloud empties others: whatever the case that they are typed in."""
    assert bool(fitness.uneasy(str(tmp_path / "ann" / place), str(tmp_path / "ann"))) is uneasy
