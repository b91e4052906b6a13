"""The manual page, and what a wheel brings along of the documents."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "man" / "cadence.1"


@pytest.fixture
def manpage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script that writes the page."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    loader = importlib.machinery.SourceFileLoader("manpage", str(ROOT / "scripts" / "manpage"))
    spec = importlib.util.spec_from_loader("manpage", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_page_says_what_the_verbs_say(manpage: ModuleType) -> None:
    """After a change of a help text: scripts/manpage."""
    if manpage.page() != PAGE.read_text(encoding="ascii"):
        pytest.fail("docs/man/cadence.1 is not current: run scripts/manpage")


@pytest.mark.skipif(shutil.which("man") is None, reason="no man on this machine")
def test_man_has_nothing_to_complain_of() -> None:
    """Neither warnings, nor a line that was lost."""
    ended = subprocess.run(
        ["man", "--warnings", "-l", PAGE],
        env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert ended.stderr == ""
    assert "cadence enqueue report --set week=47 --in 2h --key report-47" in ended.stdout
    assert "“it is time”" in ended.stdout


def test_a_wheel_has_the_documents_and_the_page(tmp_path: Path) -> None:
    """`cadence help` finds them where there is no checkout, and `man` finds its page."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    made = [sys.executable, "-c", f"import hatchling.build; hatchling.build.build_wheel({str(tmp_path)!r})"]
    subprocess.run(made, cwd=ROOT, capture_output=True, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        wheel.extractall(tmp_path / "installed")
    assert any(name.endswith(".data/data/share/man/man1/cadence.1") for name in names)
    assert any(name.endswith(".data/scripts/cadence") for name in names)
    asked = "import sys; sys.path.insert(0, '.'); from cadencebus.cli.main import main; sys.exit(main())"
    for topic in ("", "services"):
        ended = subprocess.run(
            [sys.executable, "-c", asked, "help", *topic.split()],
            cwd=tmp_path / "installed",
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert "As a service" in ended.stdout
