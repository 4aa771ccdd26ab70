"""The test kit from outside: a plugin's project whose tests know nothing but what is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MANIFEST = """
[plugin]
id = "polite"
name = "Polite"
version = "1.0.0"
type = "storage"
hotswap = { min_version = "0.1.0" }
provides = { storage = "PoliteStorage" }
requires = { ai = ">=1,<2" }
capabilities = { config_access = true }
python = { entry_point = "polite.py" }
"""
CODE = """
from hotswap_ports import AIProvider
from hotswap_ports.testing import MemoryStorage


class PoliteStorage(MemoryStorage):
    def __init__(self, ai: AIProvider) -> None:
        super().__init__()
        self.ai = ai

    async def get(self, key: str) -> bytes | None:
        await self.ai.count_tokens(key)
        return await super().get(key)
"""
TESTS = """
import pytest

from hotswap_ports import AIProvider, Storage, Unavailable
from hotswap_ports.testing import MockAI, StorageContract


async def test_five_lines(harness):
    await harness.get(Storage).put("a", b"1")
    assert await harness.get(Storage).get("a") == b"1"
    assert [each.method for each in harness.calls] == ["count_tokens"]


async def test_the_harness_uses_the_mocks_of_the_test(harness, mock_ai):
    mock_ai.on("count_tokens").fail(Unavailable("no tokens today"))
    assert harness.mock(AIProvider) is mock_ai
    with pytest.raises(Unavailable):
        await harness.get(Storage).get("a")


async def test_a_real_kernel(kernel):
    assert kernel.plugins()["polite"].state.value == "resolved"
    await kernel.get(Storage, "polite").put("a", b"1")
    assert kernel.plugins()["polite"].state.value == "active"


@pytest.mark.hotswap(grants={"config_access": False}, seed=3)
async def test_a_marker_says_how_it_is_opened(harness):
    assert harness.id == "polite"


def test_mocks_need_no_loop(mock_ai, mock_formatter, mock_scraper, mock_search, mock_storage, mock_tool, mock_workflow):
    assert isinstance(mock_ai, MockAI)


class TestContract(StorageContract):
    @pytest.fixture
    async def storage(self, harness):
        return harness.get(Storage)
"""
ANYIO = """
import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def project(root: Path, mode: str) -> Path:
    """Write a plugin with its tests, for anyio's plugin or for pytest-asyncio."""
    (root / "tests").mkdir()
    (root / "plugin.toml").write_text(MANIFEST)
    (root / "polite.py").write_text(CODE)
    (root / "tests" / "test_polite.py").write_text(TESTS)
    block = "asyncio" if mode == "anyio" else "anyio"
    lines = ["[pytest]", f"{mode}_mode = auto", f"addopts = -q -p no:{block} -p no:cacheprovider"]
    lines += ["asyncio_default_fixture_loop_scope = function"] if mode == "asyncio" else []
    (root / "pytest.ini").write_text("\n".join(lines))
    if mode == "anyio":
        (root / "tests" / "conftest.py").write_text(ANYIO)
    return root


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the project, with nothing of this run's settings."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    line = [sys.executable, "-m", *command]
    return subprocess.run(line, cwd=root, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", ["anyio", "asyncio"])
def test_fixtures_work_in_a_strangers_project(tmp_path: Path, mode: str) -> None:
    """With anyio's plugin, and with pytest-asyncio in auto mode."""
    if mode == "asyncio":
        pytest.importorskip("pytest_asyncio")
    done = run(project(tmp_path, mode), "pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "storage: kept by" in done.stdout


def test_the_command_runs_the_tests_and_says_which_contracts_are_kept(tmp_path: Path) -> None:
    """For people, and as JSON, with coverage; a broken contract is named, and fails the command."""
    root = project(tmp_path, "anyio")
    done = run(tmp_path, "hotswap", "plugin", "test", str(root))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "storage (PoliteStorage): keeps its contract (" in done.stdout
    assert "coverage: " in done.stdout
    assert "polite 1.0.0: its tests pass." in done.stdout
    (root / "polite.py").write_text(CODE.replace("return await super().get(key)", "return None"))
    done = run(tmp_path, "hotswap", "--json", "plugin", "test", str(root))
    assert done.returncode == 1
    document = json.loads(done.stdout)
    (contract,) = document["contracts"]
    assert (document["schema"], document["passed"], contract["port"]) == ("hotswap.plugin-test/1", False, "storage")
    assert "test_what_was_put_comes_back" in contract["failures"]
    assert 0 < document["coverage"] <= 100


FAILING = """
    import json
    import pytest
    from hotswap_ports import Storage, Unavailable


    async def test_fails_by_an_error_of_the_plugin(harness, mock_ai):
        mock_ai.on("count_tokens").fail(Unavailable("no tokens today"))
        await harness.get(Storage).get("a")


    async def test_looks_at_the_error(harness, mock_ai):
        mock_ai.on("count_tokens").fail(Unavailable("no tokens today"))
        with pytest.raises(Unavailable) as error:
            await harness.get(Storage).get("a")
        assert "tokens" in str(error.value)


    async def test_sets_a_variable(monkeypatch, harness):
        monkeypatch.setenv("FOO", "1")
        monkeypatch.setattr(json, "dumps", lambda *args: "")
        await harness.get(Storage).get("a")
"""


@pytest.mark.parametrize("mode", ["anyio", "asyncio"])
def test_what_a_test_does_is_not_blamed_on_the_plugin(tmp_path: Path, mode: str) -> None:
    """A test that fails fails once; errors, variables and patches of a test are none of the plugin's."""
    root = project(tmp_path, mode)
    (root / "tests" / "test_polite.py").write_text(textwrap.dedent(FAILING))
    done = run(root, "pytest")
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout


def test_a_plugin_without_tests_is_told_where_they_would_be(tmp_path: Path) -> None:
    """A mistake of the user's is a sentence and exit code 2."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "plugin.toml").write_text(MANIFEST)
    (tmp_path / "polite.py").write_text(CODE)
    done = run(tmp_path, "hotswap", "plugin", "test", ".")
    assert done.returncode == 2
    assert "There are no tests for" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_there_is_no_plugin_the_fixture_says_what_to_write(tmp_path: Path) -> None:
    """A test that asks for the harness outside of a plugin's project."""
    (tmp_path / "test_it.py").write_text("async def test_it(harness):\n    pass\n")
    (tmp_path / "conftest.py").write_text(ANYIO)
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\naddopts = -p no:asyncio -p no:cacheprovider\n")
    done = run(tmp_path, "pytest")
    assert done.returncode == 1
    assert "no plugin.toml in the folders above test_it.py" in done.stdout
