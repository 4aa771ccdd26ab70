"""``hotswap doctor --residue``: every enabled plugin is opened and closed, and what it left is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_project import call, document, echo_project
from tests.leaky_plugin import LEFT, marked
from tests.plugin_folder import write_plugin

ENABLED = ("--set", "plugins.enabled=echo,leaky")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return echo_project(tmp_path)


@pytest.fixture
def leaking(project: Path) -> Iterator[Path]:
    """Return the folder of a plugin that leaves a file and a patched attribute."""
    yield write_plugin(project / "plugins", "leaky", LEAKY, type="formatter", python={"class_name": "Own"})
    json.__dict__.pop("dump_all", None)
    while LEFT:
        LEFT.pop().close()


LEAKY = """
import json
from pathlib import Path

from hotswap_ports import Plugin
from tests.leaky_plugin import LEFT

class Own(Plugin):
    async def start(self):
        LEFT.append(open(Path(__file__).with_name("own.log"), "w"))  # file
        json.dump_all = self.health  # patch
"""


def test_clean_plugins_are_said_to_be(project: Path) -> None:
    """Of each plugin that leaves nothing the doctor says so; the exit code is 0."""
    result = call(project, "doctor", "--residue")
    assert result.exit_code == 0, result.stdout
    assert "ok    residue: echo left nothing\n" in result.stdout
    assert " residue: " not in call(project, "doctor").stdout


def test_what_a_plugin_left_is_named(project: Path, leaking: Path) -> None:
    """What a plugin left is wrong: kind, name, file and line, and what to do; the exit code is 1."""
    result = call(project, "doctor", "--residue", *ENABLED)
    assert result.exit_code == 1
    file, line = marked(leaking, "# file")
    log = leaking / "own.log"
    assert f"wrong residue: leaky left an open file: {log}, made at {file}:{line} in Own.start.\n" in result.stdout
    assert "      hint: Close it in stop(), or enter it on context.exit_stack.\n" in result.stdout
    assert "residue: leaky left a patched attribute: json.dump_all (added), made at " in result.stdout
    assert "ok    residue: echo left nothing\n" in result.stdout
    assert "residue: leaky left nothing" not in result.stdout
    assert "2 of " in result.stdout.splitlines()[-1]


def test_what_a_plugin_left_as_json(project: Path, leaking: Path) -> None:
    """As JSON a finding of the residue check has a ``left`` beside what every finding has."""
    result = call(project, "doctor", "--residue", *ENABLED, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["schema"] == "hotswap.doctor/1"
    assert not found["healthy"]
    lefts = [each for each in found["findings"] if "left" in each]
    assert [each["left"]["kind"] for each in lefts] == ["file", "patched attribute"]
    file, line = marked(leaking, "# file")
    assert lefts[0] == {
        "check": "residue",
        "verdict": "wrong",
        "text": f"leaky left an open file: {leaking / 'own.log'}, made at {file}:{line} in Own.start.",
        "hint": "Close it in stop(), or enter it on context.exit_stack.",
        "left": {
            "plugin": "leaky",
            "kind": "file",
            "name": str(leaking / "own.log"),
            "made": {"file": file, "line": line, "function": "Own.start"},
            "held_by": [],
        },
    }
    assert "left" not in document(project, "doctor", "--residue")["findings"][0]


def test_plugins_that_cannot_be_opened_leave_too(project: Path) -> None:
    """The doctor goes on where a plugin cannot be opened: why is one finding, what it left another."""
    code = f"{LEAKY}        raise RuntimeError('no')\n"
    path = write_plugin(project / "plugins", "leaky", code, python={"class_name": "Own"})
    try:
        result = call(project, "doctor", "--residue", *ENABLED)
    finally:
        json.__dict__.pop("dump_all", None)
        while LEFT:
            LEFT.pop().close()
    assert "wrong opening: PLUG-003" in result.stdout
    assert "residue: leaky left an open file" in result.stdout
    assert ":".join(map(str, marked(path, "# file"))) in result.stdout


def test_residue_needs_the_plugins_open(project: Path) -> None:
    """--residue and --no-open cannot both be had: a usage error."""
    result = call(project, "doctor", "--residue", "--no-open")
    assert result.exit_code == 2
    assert "--no-open forbids it" in result.stderr


def test_our_own_plugins_leave_nothing(tmp_path: Path) -> None:
    """Each of hotswap's own plugins that needs no service is opened, closed, and leaves nothing."""
    ours = "extractive-ai,file-scraper,http-scraper,markdown-formatter,memory,research,sqlite-search,sqlite-storage"
    result = call(tmp_path, "doctor", "--residue", "--set", f"plugins.enabled={ours}", "--set", "ports.ai=memory")
    said = [each.split()[2] for each in result.stdout.splitlines() if each.endswith("left nothing")]
    assert sorted(said) == sorted(ours.split(",")), result.stdout
    assert "wrong residue" not in result.stdout
