"""A project with folders called like ours uses the installed wheel, and neither gets in the other's way."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.plugin_folder import write_plugin

ROOT = Path(__file__).parents[2]

SHOUTING = """
    from hotswap_ports import Formatter, FormatterFeatures, Rendered

    class Shouting(Formatter):
        features = FormatterFeatures(formats=("shout",))

        async def format(self, report, *, format=None):
            return Rendered(report.title.upper() + "!", "text/plain", ".txt")
"""

APP = """
import asyncio
import adapters, kernel, plugins, ports
from hotswap import Kernel, Settings
from hotswap_ports import Formatter, Report

async def main():
    async with Kernel(Settings.load()) as running:
        rendered = await running.get(Formatter).format(Report("hello"))
        print(adapters.WHOSE, kernel.WHOSE, ports.WHOSE, rendered.text)

asyncio.run(main())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that has all our folder names."""
    for name in ("adapters", "ports", "kernel", "plugins"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
    write_plugin(tmp_path / "plugins", "shouting", SHOUTING, provides={"formatter": "Shouting"}, type="formatter")
    (tmp_path / "hotswap.toml").write_text('[plugins]\nenabled = ["shouting"]\n[ports]\nformatter = "shouting"\n')
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def run(project: Path, *command: str) -> str:
    """Run a command in the project, and return what it prints."""
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_our_four_packages_and_nothing_generic(installed: Path) -> None:
    """What is installed is ours by name: four packages, the manifests in them, and the schema for editors."""
    code = (
        "import importlib.metadata as m; "
        "print(*sorted({str(f).split('/')[0] for f in m.files('hotswap') if '..' not in str(f)}))"
    )
    top = subprocess.check_output([str(installed), "-I", "-c", code], text=True).split()
    assert [each for each in top if not each.endswith(".dist-info")] == [
        "hotswap",
        "hotswap_adapters",
        "hotswap_plugins",
        "hotswap_ports",
    ]
    where = subprocess.check_output([str(installed), "-I", "-c", "import hotswap; print(hotswap.__file__)"], text=True)
    assert str(installed.parents[1]) in where


@pytest.mark.parametrize("by", ["script", "module"])
def test_a_foreign_project_finds_its_plugins_on_the_command_line(installed: Path, project: Path, by: str) -> None:
    """By the script and by `python -m hotswap`, the project's plugins/ are found beside those of hotswap."""
    command = [str(installed.parent / "hotswap")] if by == "script" else [str(installed), "-m", "hotswap"]
    listed = json.loads(run(project, *command, "plugin", "list", "--json"))
    doors = {each["id"]: each["door"] for each in listed["plugins"]}
    assert doors["shouting"] == "project"
    assert doors["sqlite-storage"] == "distribution"
    assert run(project, *command, "--version").strip().endswith("0.1.0")


def test_a_foreign_project_runs_the_kernel_beside_its_own_packages(installed: Path, project: Path) -> None:
    """`import kernel` is the project's, `import hotswap` is ours, and its plugin serves the port."""
    assert run(project, str(installed), "app.py") == "theirs theirs theirs HELLO!\n"
