"""``hotswap plugin test``: what it says of contracts, of coverage, and of how a test process ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MANIFEST = """
[plugin]
id = "shout"
name = "Shout"
version = "1.0.0"
type = "formatter"
hotswap = { min_version = "0.1.0" }
provides = { formatter = "Shout" }
python = { entry_point = "shout.py" }
"""
CODE = """
from hotswap_ports.testing import MemoryFormatter


class Shout(MemoryFormatter):
    async def shout(self, text):
        return text.upper()
"""
CONTRACT = """
import pytest

from hotswap_ports import Formatter
from hotswap_ports.testing import FormatterContract, MemoryFormatter


class TestContract(FormatterContract):
    @pytest.fixture
    async def formatter(self, harness):
        {body}
"""
OWN = "return harness.get(Formatter)"
CONFTEST = """
import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of a plugin whose tests are its port's contract."""
    root = tmp_path / "shout"
    (root / "tests").mkdir(parents=True)
    files = {"plugin.toml": MANIFEST, "shout.py": CODE, "tests/conftest.py": CONFTEST}
    files["pytest.ini"] = "[pytest]\nanyio_mode = auto\naddopts = -q -p no:asyncio -p no:cacheprovider\n"
    files["tests/test_shout.py"] = CONTRACT.format(body=OWN)
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def run(root: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the plugin's folder, with nothing of this run's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    line = [sys.executable, "-m", "hotswap", "plugin", "test", ".", *arguments]
    return subprocess.run(line, cwd=root, env={**kept, **environ}, capture_output=True, text=True, check=False)


def facts(root: Path, *arguments: str) -> dict[str, Any]:
    """Return the document that the command prints."""
    found: dict[str, Any] = json.loads(run(root, *arguments, "--json").stdout)
    return found


def test_only_the_plugins_own_adapter_keeps_its_contract(root: Path) -> None:
    """An adapter that is none of the plugin's proves nothing of it, and it is said which one that was."""
    (root / "tests" / "test_shout.py").write_text(CONTRACT.format(body="return MemoryFormatter()"))
    done = run(root)
    assert "keeps its contract" not in done.stdout
    assert "formatter (Shout): its contract was not run with it, but with hotswap_ports.testing" in done.stdout
    assert "MemoryFormatter" in done.stdout


@pytest.mark.parametrize(
    "body",
    [OWN, "return shout.Shout()", "return type('More', (shout.Shout,), {})()"],
)
def test_a_handle_an_instance_or_a_subclass_is_the_plugins_own(root: Path, body: str) -> None:
    """However a test came by it."""
    text = "import shout\n" + CONTRACT.format(body=body)
    (root / "tests" / "test_shout.py").write_text(text if "harness" in body else text.replace(", harness", ""))
    done = run(root, "--no-cov", PYTHONPATH=os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    assert "formatter (Shout): keeps its contract (" in done.stdout, done.stdout


def test_a_part_of_a_contract_is_not_the_whole(root: Path) -> None:
    """Deselected, named alone, skipped by a marker, replaced: what was not run is not kept."""
    (found,) = facts(root, "-k", "features")["contracts"]
    assert (found["kept"], found["passed"]) == (False, 1)
    assert len(found["not_run"]) > 1
    done = run(root, "tests/test_shout.py::TestContract::test_features_are_declared")
    assert "formatter (Shout): its contract was partly run: 1 of" in done.stdout
    test = "test_features_are_declared"
    marked = f"    {test} = pytest.mark.skip(FormatterContract.{test})\n"
    for more in (marked, f"    async def {test}(self):\n        pass\n", f"    {test} = None\n"):
        (root / "tests" / "test_shout.py").write_text(CONTRACT.format(body=OWN) + "\n" + more)
        done = run(root, "--no-cov")
        assert "formatter (Shout): its contract was partly run" in done.stdout, more + done.stdout


@pytest.mark.parametrize(("suite", "fixture"), [("Scraper", "site"), ("Workflow", "inputs"), ("Tool", "arguments")])
def test_a_suite_says_what_it_needs(root: Path, suite: str, fixture: str) -> None:
    """A contract over more than the adapter names what is missing, and its shape."""
    port = suite.lower()
    text = f"from hotswap_ports.testing import Memory{suite}, {suite}Contract\nimport pytest\n\n\n"
    text += f"class TestContract({suite}Contract):\n    @pytest.fixture\n    def {port}(self):\n        "
    (root / "tests" / "test_shout.py").write_text(f"{text}return Memory{suite}()\n")
    done = run(root, "--no-cov", "-x")
    assert f"{suite}Contract needs the fixture '{fixture}', a " in done.stdout


def test_nothing_that_was_run_is_no_success(root: Path) -> None:
    """Tests that are only collected neither pass nor keep a contract."""
    done = run(root, "--collect-only")
    assert done.returncode == 0
    assert "shout 1.0.0: none of its tests was run." in done.stdout
    assert "contract" not in done.stdout.splitlines()[-2]
    assert facts(root, "--collect-only")["passed"] is False


def test_tests_in_several_processes_are_told_of_as_in_one(root: Path) -> None:
    """With pytest-xdist the suites are collected elsewhere."""
    pytest.importorskip("xdist")
    done = run(root, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "formatter: kept by" in done.stdout
    assert "formatter (Shout): keeps its contract (" in done.stdout


def test_a_test_that_fails_twice_is_named_once(root: Path) -> None:
    """In the call and in the teardown; with its place and the first line of what was wrong."""
    body = "yield harness.get(Formatter)\n        raise RuntimeError('the teardown')"
    (root / "tests" / "test_shout.py").write_text(CONTRACT.format(body=body))
    (root / "shout.py").write_text(CODE + "    async def format(self, report, *, format=None):\n        return None\n")
    found = facts(root, "--no-cov")
    (contract,) = found["contracts"]
    assert len(contract["failures"]) == len(set(contract["failures"])) == contract["failed"]
    names = [each["test"] for each in found["tests"]["failures"]]
    assert len(names) == len(set(names)) == found["tests"]["failed"]
    assert (found["tests"]["passed"], found["tests"]["skipped"]) == (0, contract["skipped"])
    first = next(each for each in found["tests"]["failures"] if each["when"] == "call")
    assert first["test"].startswith("tests/test_shout.py::TestContract::test_")
    assert int(first["place"].rpartition(":")[2]) > 0
    assert first["error"]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("os._exit(7)", "its test process ended with exit code 7, before its tests had ended"),
        ("os._exit(0)", "its test process ended with exit code 0, before its tests had ended"),
        ("os.kill(os.getpid(), 9)", "its test process was killed by SIGKILL"),
    ],
)
def test_a_process_that_dies_says_how(root: Path, end: str, says: str) -> None:
    """An exit code that is none of pytest's, or a signal; of coverage nothing is said."""
    (root / "tests" / "test_shout.py").write_text(f"import os\n\n\ndef test_it():\n    {end}\n")
    done = run(root)
    assert done.returncode == 1
    assert f"shout 1.0.0: {says}." in done.stdout
    assert "pytest-cov" not in done.stderr


def test_a_broken_conftest_says_so(root: Path) -> None:
    """Then pytest does not begin: no test was run, and the process did not die."""
    (root / "tests" / "conftest.py").write_text("import no_such_module\n")
    done = run(root)
    assert done.returncode == 1
    assert "shout 1.0.0: its tests were not run: pytest refused its command line or a conftest.py." in done.stdout
    assert "pytest-cov" not in done.stderr


def test_what_was_not_measured_is_not_called_missing(root: Path) -> None:
    """pytest-cov is there: neither with --no-cov nor after an error of collection it is said not to be."""
    assert "pytest-cov" not in run(root, "--no-cov").stderr
    (root / "tests" / "test_shout.py").write_text("import no_such_module\n")
    done = run(root)
    assert "pytest-cov" not in done.stderr
    assert "shout 1.0.0: its tests do not pass: some could not be collected" in done.stdout


def test_output_that_is_no_text_does_not_spoil_the_document(root: Path) -> None:
    """A program under test may print anything."""
    text = "import os\n\n\ndef test_it():\n    os.write(1, b'\\xff\\xfe')\n    assert False, 'no'\n"
    (root / "tests" / "test_shout.py").write_text(text)
    found = facts(root, "-s")
    assert found["passed"] is False
    assert found["tests"]["failures"][0]["error"] == "AssertionError: no"
    assert "\\xff" in found["output"]


def test_a_plugin_that_cannot_be_loaded_is_an_error_of_the_document(root: Path) -> None:
    """With its code and its sentence, for programs."""
    (root / "shout.py").write_text(CODE.replace("class Shout", "class Whisper"))
    found = facts(root, "--no-cov")
    assert found["passed"] is False
    assert (found["error"]["code"], found["error"]["type"]) == ("PLUG-002", "PluginLoadFailed")
    assert "has no class 'Shout'" in found["error"]["message"]


def test_coverage_is_of_the_plugins_own_code(root: Path) -> None:
    """Not of tests and scripts; of folders without __init__.py too; and nothing is left or said besides."""
    pytest.importorskip("pytest_cov")
    (root / "shout.py").write_text("from .parts import loud\n" + CODE)
    (root / "parts").mkdir()
    lines = "".join(f"    a{number} = {number}\n" for number in range(40))
    (root / "parts" / "loud.py").write_text(f"def loud():\n{lines}")
    before = facts(root)["coverage"]
    assert before is not None
    assert before < 60
    for name in ("setup.py", "release.py", "scripts/make.py", "tests/helpers.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"def work():\n{lines}")
    (root / "tests" / "test_more.py").write_text(f"def test_more():\n{lines}")
    done = run(root)
    assert facts(root)["coverage"] == before
    assert "Warning" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert not list(root.rglob(".coverage*"))


def test_paths_are_those_of_whoever_types_them(root: Path) -> None:
    """Relative to the working folder, or to the plugin's."""
    (root / "tests" / "test_more.py").write_text("def test_more():\n    pass\n")
    for folder, path in ((root, "tests/test_more.py"), (root / "tests", "test_more.py::test_more")):
        line = [sys.executable, "-m", "hotswap", "plugin", "test", str(root), path, "--json"]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["tests"]["passed"] == 1, done.stdout
