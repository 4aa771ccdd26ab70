"""What a person sees: the program on a real (pseudo) terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli_project import echo_project
from tests.plugin_folder import write_plugin

pty = pytest.importorskip("pty", reason="pseudo terminals are POSIX")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return echo_project(tmp_path)


def on_terminal(folder: Path, *arguments: str, **changes: str) -> tuple[str, int]:
    """Run a command with stdout and stderr on one terminal of 100 columns; return what it showed, and its code."""
    main, terminal = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key not in {"CI", "NO_COLOR", "FORCE_COLOR"}}
    env = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100", **changes}
    command = [sys.executable, "-m", "hotswap", *arguments]
    with subprocess.Popen(command, cwd=folder, env=env, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(main, 65536):
                shown += chunk
        except OSError:  # Linux says EIO when the other end is closed
            pass
        os.close(main)
        return shown.decode(), process.wait(timeout=30)


def test_progress_is_a_bar_that_reads_no_markup(project: Path) -> None:
    """On a terminal a run shows a bar with the step and the item, as text: brackets are no markup."""
    shown, code = on_terminal(project, "run", "echo", "a")
    assert code == 0
    assert "say" in shown
    assert "1/2" in shown
    assert "[bold]one[/bold]" in shown
    assert "words=('a',)" in shown


@pytest.mark.parametrize(("arguments", "changes"), [(["-q"], {}), ([], {"CI": "1"}), ([], {"TERM": "dumb"})])
def test_no_bar_where_none_is_wanted(project: Path, arguments: list[str], changes: dict[str, str]) -> None:
    """With --quiet, in CI and on a dumb terminal there is no bar."""
    shown, code = on_terminal(project, "run", "echo", "a", *arguments, **changes)
    assert code == 0
    assert "1/2" not in shown


def test_tables_are_drawn_and_cut_no_id(project: Path) -> None:
    """plugin list draws a table; a long id stands whole, also where the terminal is too narrow for it."""
    name = "a" + "-very-long" * 9
    write_plugin(project / "plugins", name, folder="long")
    for columns in ("100", "40"):
        shown, code = on_terminal(project, "plugin", "list", COLUMNS=columns)
        assert code == 0
        assert "─" in shown
        assert name in shown


def test_colour_is_for_terminals_that_want_it(project: Path) -> None:
    """Errors are coloured on a terminal; NO_COLOR takes it away."""
    shown, code = on_terminal(project, "run", "echo", "refuse")
    assert code == 1
    assert "\x1b[31m" in shown
    shown, _ = on_terminal(project, "run", "echo", "refuse", NO_COLOR="1", CI="1")
    assert "\x1b[" not in shown


def test_hostile_text_does_not_act_on_the_terminal(project: Path) -> None:
    """Escape sequences in a report, an error or a manifest are shown, not obeyed."""
    hostile = "\x1b]0;owned\x07"
    shown, _ = on_terminal(project, "run", "echo", hostile, NO_COLOR="1", CI="1")
    assert "\x1b]0;" not in shown
    write_plugin(project / "plugins", "evil", description="nice \x1b]0;owned\x07 \u202etxt.exe")
    for arguments in (["plugin", "list"], ["plugin", "list", "--json"], ["run", hostile], ["run", hostile, "--json"]):
        shown, _ = on_terminal(project, *arguments, NO_COLOR="1", CI="1")
        assert "\x1b]0;" not in shown
        assert "\u202e" not in shown
        assert "evil" in shown or "owned" in shown
