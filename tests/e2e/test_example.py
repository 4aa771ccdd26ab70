"""The example of a third party's distribution: built, installed beside hotswap, tested, enabled and called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, environment_with

EXAMPLE = ROOT / "docs" / "examples" / "hotswap-log-storage"
APP = """
import asyncio
from hotswap import Kernel, Settings
from hotswap_ports import Storage


async def main() -> None:
    async with Kernel(Settings.load()) as kernel:
        storage = kernel.get(Storage, "log-storage")
        await storage.put("heron", b"grey")
        print(kernel.plugins()["log-storage"].state.value, await storage.get("heron"))


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with hotswap and the example, with no checkout in sight."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "project")
    return environment_with(folder, ROOT, folder / "project")


def run(python: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module there."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_", "VIRTUAL_ENV"))}
    kept.pop("PYTHONPATH", None)
    line = [str(python), *command]
    return subprocess.run(line, cwd=folder, env=kept, capture_output=True, text=True, timeout=100, check=False)


def test_its_tests_pass_where_it_is_installed(python: Path, tmp_path: Path) -> None:
    """Contract, harness, fixtures: all of it comes from what is installed."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    done = run(python, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "storage: kept by" in done.stdout


@pytest.mark.parametrize("plugin", [".", "src/log_storage", "log-storage"])
def test_its_author_types_two_commands(python: Path, tmp_path: Path, plugin: str) -> None:
    """In the root of the distribution, by the plugin's folder, by its id: the code is in order, and all tests pass."""
    shutil.copytree(EXAMPLE, tmp_path / "project")
    done = run(python, tmp_path / "project", "-m", "hotswap", "plugin", "validate", plugin)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "log-storage 1.0.0: its manifest and its code are in order." in done.stdout
    more = ("-q", "-p", "no:cacheprovider", "-p", "no:asyncio")
    done = run(python, tmp_path / "project", "-m", "hotswap", "plugin", "test", plugin, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "storage (LogStorage): keeps its contract (" in done.stdout
    assert float(done.stdout.partition("\ncoverage: ")[2].partition(" ")[0]) > 90


def test_it_is_found_enabled_and_called(python: Path, tmp_path: Path) -> None:
    """By its entry point, with the commands of its README."""
    listed = json.loads(run(python, tmp_path, "-m", "hotswap", "plugin", "list", "--json").stdout)
    doors = {each["id"]: (each["door"], each["trust"]) for each in listed["plugins"]}
    assert doors["log-storage"] == ("distribution", "verified")
    enabled = run(python, tmp_path, "-m", "hotswap", "plugin", "enable", "log-storage")
    assert enabled.returncode == 0, enabled.stderr
    (tmp_path / "app.py").write_text(APP)
    done = run(python, tmp_path, "app.py")
    assert done.stdout == "active b'grey'\n", done.stderr
    assert (tmp_path / "log-storage.jsonl").read_text("utf-8").count("\n") == 1
