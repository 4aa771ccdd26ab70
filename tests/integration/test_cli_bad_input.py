"""Whatever a plugin does wrong, ``hotswap run`` goes on without it and says what and why: code, sentence, hint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli_project import call, echo_project
from tests.plugin_folder import write_plugin

PLUGIN = "from hotswap_ports import Plugin\n\nclass P(Plugin):\n    "
CLASS = {"python": {"class_name": "P"}}
SCHEMA = {"schema": {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}}


def malformed(plugins: Path) -> None:
    (plugins / "bad").mkdir()
    (plugins / "bad" / "plugin.toml").write_bytes(b"\xff\x00[plugin")


def incomplete(plugins: Path) -> None:
    (plugins / "bad").mkdir()
    (plugins / "bad" / "plugin.toml").write_text('[plugin]\nid = "bad"\n', "utf-8")


def twins(plugins: Path) -> None:
    write_plugin(plugins, "bad", folder="bad-1")
    write_plugin(plugins, "bad", folder="bad-2")


def cycle(plugins: Path) -> None:
    write_plugin(plugins, "bad", dependencies={"worse": ">=1"})
    write_plugin(plugins, "worse", dependencies={"bad": ">=1"})


def conflict(plugins: Path) -> None:
    write_plugin(plugins, "bad", dependencies={"echo": ">=2"})


def writes(code: str = "", **tables: object) -> Callable[[Path], None]:
    def write(plugins: Path) -> None:
        write_plugin(plugins, "bad", code, **tables)

    return write


CASES = {
    "malformed manifest": (malformed, "PLUG-005"),
    "incomplete manifest": (incomplete, "PLUG-005"),
    "two plugins with one id": (twins, "PLUG-004"),
    "cycle": (cycle, "PLUG-007"),
    "unsatisfiable version": (conflict, "PLUG-011"),
    "missing plugin": (writes(dependencies={"nowhere": ">=1"}), "PLUG-006"),
    "missing class": (writes(provides={"scraper": "Missing"}), "PLUG-002"),
    "class that is not the port": (writes("class S: pass", provides={"scraper": "S"}), "PLUG-002"),
    "unknown port": (writes("class S: pass", provides={"scrapper": "S"}), "PLUG-018"),
    "raises on import": (writes("raise ValueError('\x1b[31mno')"), "PLUG-002"),
    "exits on import": (writes("raise SystemExit(0)"), "PLUG-002"),
    "syntax error": (writes("def"), "PLUG-002"),
    "raises in __init__": (writes(PLUGIN + "def __init__(self): raise ValueError('no')", **CLASS), "PLUG-003"),
    "raises in initialize": (
        writes(PLUGIN + "async def initialize(self, c): raise ValueError('no')", **CLASS),
        "PLUG-003",
    ),
    "asks for what cannot be": (writes(PLUGIN + "def __init__(self, x: int): pass", **CLASS), "PLUG-017"),
    "config that breaks its schema": (writes(config=SCHEMA), "PLUG-012"),
    "raises in stop": (writes(PLUGIN + "async def stop(self): raise ValueError('no')", **CLASS), "PLUG-028"),
}


@pytest.mark.parametrize(("make", "code"), list(CASES.values()), ids=list(CASES))
def test_the_run_goes_on(make: Callable[[Path], None], code: str, tmp_path: Path) -> None:
    """The plugin is named once with code and hint, the others do their work, and no traceback shows."""
    project = echo_project(tmp_path)
    make(project / "plugins")
    eager = ("--set", "plugins.activation=eager")
    result = call(project, "run", "echo", "a", "--set", "plugins.enabled=echo,bad", *eager)
    assert result.exit_code == 0, result.output
    assert "words=('a',)" in result.stdout
    assert result.stderr.count(f"warning[{code}]: ") == 1
    assert "hint: " in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_wanted_and_nowhere_to_be_found(tmp_path: Path) -> None:
    """An id under [plugins] enabled that nobody has is a warning with the nearest id."""
    result = call(echo_project(tmp_path), "run", "echo", "a", "--set", "plugins.enabled=echo,memroy")
    assert result.exit_code == 0
    assert "warning[PLUG-0" in result.stderr
    assert "'memory'" in result.stderr


def test_debug_shows_where_a_plugin_failed(tmp_path: Path) -> None:
    """--debug adds the traceback, down to the plugin's own line, to the warning of a plugin that could not open."""
    project = echo_project(tmp_path)
    write_plugin(project / "plugins", "bad", "raise ValueError('the cause')")
    result = call(project, "run", "echo", "a", "--set", "plugins.enabled=echo,bad", "--debug")
    assert result.exit_code == 0
    assert "Traceback" in result.stderr
    assert "ValueError: the cause" in result.stderr
