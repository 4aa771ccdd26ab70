"""The contract suites notice adapters that break their port's word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from tests.contract import faulty
from tests.contract.breaks import every_break

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


def test_the_suites_catch_every_fault_that_is_known(tmp_path: Path) -> None:
    """Faulty twins and broken adapters fail their port's suite; a fault that is not noticed is a hole in the suite."""
    breaks = {each.name for each in every_break()}
    twins = {each.__name__ for each in TWINS}
    failures = _failures(tmp_path / "report.xml")
    assert failures.keys() == twins | breaks
    assert len(twins) >= 30
    assert sorted(name for name, messages in failures.items() if not messages) == []
    mistaken = {name: messages for name, messages in failures.items() if name in breaks and _is_mistake(messages)}
    assert mistaken == {}


def _failures(report: Path) -> dict[str, list[str]]:
    """Run the faulty suite in a process of its own; return how the tests of each class failed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/contract/faulty_suite.py",
        *OPTIONS.split(),
        f"--junitxml={report}",
    ]
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
