"""The contract suites notice adapters that break their port's word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.contract import faulty

ROOT = Path(__file__).parents[2]
FAULTS = (
    *faulty.STORAGES, *faulty.SEARCHES, *faulty.AIS, *faulty.SCRAPERS, *faulty.FORMATTERS, *faulty.WORKFLOWS,
    *faulty.TOOLS,
)  # fmt: skip


def test_the_suites_catch_every_fault_that_is_known(tmp_path: Path) -> None:
    """Each faulty adapter fails its port's suite; a fault that is not noticed is a hole in the suite."""
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "tests/contract/faulty_suite.py", "-q", "-p", "no:cacheprovider"]
    command += [
        "-p",
        "no:xdist",
        "-p",
        "no:asyncio",
        "-o",
        "addopts=--import-mode=importlib",
        "--timeout=60",
        f"--junitxml={report}",
    ]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    run: set[str] = set()
    caught: set[str] = set()
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname", "").rpartition(".Test")[2]
        run.add(name)
        assert case.find("error") is None, f"{name} could not be set up"
        if case.find("failure") is not None:
            caught.add(name)
    assert run == {each.__name__ for each in FAULTS}
    assert len(FAULTS) >= 30
    assert sorted(run - caught) == []
