"""The fixtures of the test kit in a stranger's project: who serves what, what the marker says, what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MANIFEST = """
[plugin]
id = "tidy"
name = "Tidy"
version = "1.0.0"
type = "storage"
hotswap = { min_version = "0.1.0" }
provides = { storage = "Tidy" }
requires = { ai = ">=1,<2", storage = ">=1,<2" }
capabilities = { config_access = true }
python = { entry_point = "tidy.py" }

[plugin.config.schema]
type = "object"
additionalProperties = true
"""
CODE = """
from hotswap_ports import AIProvider, PluginContext, Storage
from hotswap_ports.testing import MemoryStorage


class Tidy(MemoryStorage):
    def __init__(self, ai: AIProvider, storage: Storage, context: PluginContext) -> None:
        super().__init__()
        self.ai = ai
        self.behind = storage
        self.context = context

    async def get(self, key: str) -> bytes | None:
        if key == "config":
            return repr(sorted((name, self.context.config.get(name)) for name in ("a", "b", "c"))).encode()
        return b"%d" % await self.ai.count_tokens(key) + (await self.behind.get(key) or b"")
"""
ANYIO = """
import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
KERNEL = """
import pytest

from hotswap_ports import AIProvider, Storage
from hotswap_ports.testing import MemoryStorage


async def test_the_plugin_serves_what_it_provides(kernel):
    assert await kernel.get(Storage).get("two words") == b"2"


async def test_the_mocks_of_the_test_serve_the_rest(kernel, mock_ai, mock_storage):
    mock_ai.on("count_tokens").answer(7)
    await mock_storage.put("two words", b"!")
    assert await kernel.get(Storage).get("two words") == b"7!"
    assert [each.subject for each in mock_ai.calls()] == ["two words"]
    assert await kernel.get(AIProvider).count_tokens("x") == 7


class Mine(MemoryStorage):
    async def get(self, key):
        return b"mine"


@pytest.mark.hotswap(mocks={Storage: Mine()})
async def test_so_do_those_of_the_marker(kernel):
    assert await kernel.get(Storage).get("two words") == b"2mine"


@pytest.mark.hotswap(mocks={Storage: None})
async def test_no_port_is_left_empty(kernel):
    pass
"""
MARKED = """
import pytest

from hotswap_ports import Storage

pytestmark = pytest.mark.hotswap(config={"a": "module", "b": "module"}, seed=1)


@pytest.mark.hotswap(config={"b": "function", "c": "function"})
@pytest.mark.parametrize("which", ["harness", "kernel"])
async def test_tables_are_merged(request, which, harness, kernel):
    found = await {"harness": harness, "kernel": kernel}[which].get(Storage).get("config")
    assert found == b"[('a', 'module'), ('b', 'function'), ('c', 'function')]"


@pytest.mark.hotswap(confg={"b": "function"})
async def test_a_mistake_of_typing(harness):
    pass
"""
PLAIN = """
import pytest


async def test_one(harness):
    pass


async def test_two(harness):
    pass


@pytest.mark.asyncio
async def test_three(harness):
    pass


def test_four(harness):
    pass


async def test_five(kernel):
    pass
"""


def run(root: Path, tests: str, *options: str, ini: str = "", conftest: str = ANYIO) -> str:
    """Write a plugin's project, run its tests, and return what was printed."""
    (root / "tests").mkdir()
    (root / "plugin.toml").write_text(MANIFEST)
    (root / "tidy.py").write_text(CODE)
    (root / "tests" / "test_tidy.py").write_text(tests)
    (root / "tests" / "conftest.py").write_text(conftest)
    (root / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    line = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *options]
    return subprocess.run(line, cwd=root, env=environ, capture_output=True, text=True, check=False).stdout


def test_a_kernel_is_served_by_the_plugin_and_by_the_mocks_of_the_test(tmp_path: Path) -> None:
    """By the plugin in what it provides, by mocks where the test has any, and by memory in all else."""
    said = run(tmp_path, KERNEL, "-p", "no:asyncio", ini="anyio_mode = auto")
    assert "3 passed, 1 error" in said, said
    assert "the fixture kernel leaves no port empty: storage. Take harness" in said


def test_the_marker_adds_up_and_knows_its_keywords(tmp_path: Path) -> None:
    """The nearest wins, key by key; a mistake of typing gets the nearest keyword."""
    said = run(tmp_path, MARKED, "-p", "no:asyncio", ini="anyio_mode = auto")
    assert "2 passed, 1 error" in said, said
    assert "pytest.mark.hotswap takes no 'confg'. Did you mean 'config'?" in said


@pytest.mark.parametrize("options", [("-p", "no:asyncio"), ()], ids=["no plugin", "strict"])
def test_who_has_told_nobody_to_run_async_tests_is_told_how(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Each test says it, whether pytest-asyncio is there or not; a test that is not async is told to become so."""
    if not options:
        pytest.importorskip("pytest_asyncio")
    ini = "" if options else "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function"
    said = run(tmp_path, PLAIN, "-W", "ignore", *options, ini=ini, conftest="")
    assert "5 errors" in said, said
    assert said.count("the fixture 'harness' is async, and nothing runs it here") >= 3
    assert "the fixture 'kernel' is async, and nothing runs it here" in said
    assert 'anyio_mode = "auto"' in said
    assert 'asyncio_mode = "auto"' in said
    assert "the fixture 'harness' is async: write `async def test_four`" in said
    assert "E       AssertionError" not in said


def test_two_plugins_in_one_folder_are_named(tmp_path: Path) -> None:
    """Which of them is meant has to be said."""
    for name in ("one", "two"):
        (tmp_path / "both" / name).mkdir(parents=True)
        (tmp_path / "both" / name / "plugin.toml").write_text(MANIFEST.replace('id = "tidy"', f'id = "{name}"'))
    tests = "import pytest\n\n\n@pytest.mark.hotswap('both')\nasync def test_it(harness):\n    pass\n"
    said = run(tmp_path, tests, "-p", "no:asyncio", ini="anyio_mode = auto")
    assert "There is more than one plugin in" in said
    assert "one, two" in said
