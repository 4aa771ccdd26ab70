"""The contract suites notice adapters that break their port's word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.contract import faulty
from tests.contract.breaks import breaks_by_module

ROOT = Path(__file__).parents[2]
TWINS = (
    *faulty.STORAGES, *faulty.SEARCHES, *faulty.AIS, *faulty.SCRAPERS, *faulty.FORMATTERS, *faulty.WORKFLOWS,
    *faulty.TOOLS,
)  # fmt: skip
OPTIONS = (
    "-q --timeout=60 -o addopts=--import-mode=importlib "
    "-p no:cacheprovider -p no:xdist -p no:asyncio -p tests.contract.once_caught"
)
MISTAKES = ("AttributeError", "ImportError", "NameError", "SyntaxError", "TypeError")
"""What a break raises that was itself written wrongly, or whose adapter has changed under it."""


BREAKS = {module: [each.name for each in breaks] for module, breaks in breaks_by_module().items()}
GROUPS = {"twins": [each.__name__ for each in TWINS], **BREAKS}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("group", GROUPS)
def test_the_suites_catch_every_fault_that_is_known(tmp_path: Path, group: str) -> None:
    """Faulty twins and broken adapters fail their port's suite; a fault that is not noticed is a hole in the suite."""
    failures = _failures(tmp_path / "report.xml", GROUPS[group])
    assert failures.keys() == set(GROUPS[group])
    assert sorted(name for name, messages in failures.items() if not messages) == []
    if group != "twins":
        assert {name: messages for name, messages in failures.items() if _is_mistake(messages)} == {}


def test_there_are_many_faults() -> None:
    """Each adapter here is broken in more than one way, and there are more twins than anybody asked for."""
    assert len(TWINS) >= 30
    assert all(len(breaks) >= 15 for breaks in BREAKS.values())


def _failures(report: Path, classes: list[str]) -> dict[str, list[str]]:
    """Run classes of the faulty suite in a process of their own; return how their tests failed."""
    ids = [f"tests/contract/faulty_suite.py::Test{each}" for each in classes]
    command = [sys.executable, "-m", "pytest", *OPTIONS.split(), f"--junitxml={report}", *ids]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, list[str]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname", "").rpartition(".Test")[2]
        assert case.find("error") is None, f"{name} could not be set up"
        failure = case.find("failure")
        found[name] += [] if failure is None else [failure.get("message", "")]
    return found


def _is_mistake(messages: list[str]) -> bool:
    return any(each.startswith(MISTAKES) for each in messages)
