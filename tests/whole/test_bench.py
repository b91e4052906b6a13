"""The bench measures, says so in two ways, and draws what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]


def test_a_mode_measures_and_tells_programs() -> None:
    """One JSON object, every figure a positive number."""
    words = [sys.executable, str(ROOT / "scripts" / "bench"), "short", "put", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)["figures"]
    assert set(figures) == {"put_a_second", "put_of_limit", "batch_of_single", "batch_of_limit"}
    assert all(value > 0 for value in figures.values())


def test_an_unknown_mode_is_refused() -> None:
    """A slip of the pen must not measure everything for twenty minutes."""
    words = [sys.executable, str(ROOT / "scripts" / "bench"), "shrot"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "unknown: shrot" in ended.stderr


def test_what_is_not_installed_is_left_out_with_a_clear_word() -> None:
    """Without nq and tsp the rest is measured, and the answer says what is missing and where to find it."""
    words = [sys.executable, str(ROOT / "scripts" / "bench"), "short", "enqueue", "--json"]
    # Not its exit code: on a busy machine a figure may be far off.
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": "/nowhere"})
    told = json.loads(ended.stdout)
    assert told["left_out"] == [
        "nq is not installed (Debian: nq)",
        "tsp is not installed (Debian: task-spooler)",
    ]
    assert "left out: tsp is not installed" in ended.stderr
    assert told["figures"]["enqueue_wall_ratio"] > 0
    assert set(told["about"]) == {"at", "commit", "machine", "disk", "python", "load"}


def test_the_plots_of_the_documents_are_pictures() -> None:
    """Well-formed, each shown on the page, and the queue's with a mark for every length."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for plot in (ROOT / "docs" / "plots").glob("*.svg"):
        root = ET.parse(plot).getroot()  # noqa: S314 - our own file
        assert root.tag.endswith("svg")
        assert f"(plots/{plot.name})" in page
    root = ET.parse(ROOT / "docs" / "plots" / "flat.svg").getroot()  # noqa: S314 - our own file
    assert len([one for one in root if one.tag.endswith("circle")]) >= 2


def test_a_section_renews_its_table_and_leaves_the_others(tmp_path: Path) -> None:
    """Written into a copy of the page, with the machine, the time and the commit above the table."""
    for name in ("cadencebus", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    (tmp_path / "docs" / "performance.md").write_text(page, encoding="utf-8")
    copy = (
        "import sys; from pathlib import Path; sys.path[:0] = ['scripts', '.'];"
        "from benching import pages; from benching.ground import Figure;"
        "pages.PAGE, pages.PLOTS = Path('docs/performance.md'), Path('docs/plots');"
        "told = dict(at='now', commit='abc', machine='M', disk='D', python='3', load='0');"
        "pages.write('runs', [Figure('runs_of_hand', 0.25, 'x', 'against <hand>', least=0.4)], told)"
    )
    subprocess.run([sys.executable, "-c", copy], cwd=tmp_path, check=True)
    written = (tmp_path / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "*now, commit abc; M, D, Python 3; load 0 at the start*" in written
    assert "| against <hand> | 0.25 x | at least 0.4: **missed** |" in written
    assert "&lt;hand>" in (tmp_path / "docs" / "plots" / "runs.svg").read_text(encoding="utf-8")
    for other in page.split("### ")[1:]:
        if not other.startswith("runs\n"):
            assert f"### {other.split('<!--')[0].strip()}" in written
