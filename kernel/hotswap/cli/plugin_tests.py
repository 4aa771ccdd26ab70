"""A plugin's tests in a process of their own: how they are started, and what came of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import tomlkit
from attrs import field, frozen

from hotswap.cli.failures import DONE, FAILED
from hotswap.manifest.model import Manifest
from hotswap.testing.location import Location
from hotswap.testing.own_code import others, own_code

_ENDINGS = {
    0: "its tests pass",
    1: "its tests do not pass",
    2: "its tests do not pass: some could not be collected, or they were interrupted",
    3: "its tests do not pass: pytest itself failed",
    4: "its tests were not run: pytest refused its command line or a conftest.py",
    5: "its tests were not run: there are none",
}
"""By the exit code of pytest, what came of them."""
_FROM_SETTINGS = {
    "run": ("concurrency", "omit", "plugins"),
    "report": ("exclude_also", "exclude_lines", "fail_under", "omit", "partial_branches"),
}
"""What is kept of a project's own settings of coverage."""


@frozen
class Tested:
    """What came of a plugin's tests."""

    code: int
    """How the process ended: the exit code, or what a shell has for a signal, negative."""
    report: Mapping[str, Any] | None
    """What ``hotswap.testing.conformance`` wrote; None when the process did not live to write it."""
    coverage: float | None = None
    """Per cent of the plugin's own lines and branches."""
    output: str | None = field(default=None, repr=False)
    """What was printed, where that was asked for."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many tests passed, failed, and were skipped."""
        tests = (self.report or {}).get("tests", {})
        return {name: tests.get(name, 0) for name in ("passed", "failed", "skipped")}

    @property
    def exit_code(self) -> int:
        """Return that of the command."""
        return DONE if self.code == 0 and self.report is not None else FAILED

    @property
    def passed(self) -> bool:
        """Return whether tests were run, and all is well."""
        return self.exit_code == DONE and any(self.counts.values())

    @property
    def ending(self) -> str:
        """Return what came of them, in words."""
        if self.code < 0:
            return f"its test process was killed by {_signal(-self.code)}"
        if self.report is None and self.code != 4:
            return f"its test process ended with exit code {self.code}, before its tests had ended"
        if self.code == 0 and not self.passed:
            return "none of its tests was run"
        return _ENDINGS.get(self.code, f"its tests do not pass: pytest ended with exit code {self.code}")


def run_tests(location: Location, manifest: Manifest, arguments: Sequence[str], *, quiet: bool) -> Tested:
    """Run a plugin's tests.

    Args:
        location: where it is.
        manifest: its own.
        arguments: for pytest; paths among them are relative to the working folder, or to where the tests run.
        quiet: whether what is printed on stdout is kept back.
    """
    if find_spec("pytest") is None:
        raise click.UsageError("pytest is not installed: `pip install 'hotswap[testing]'`.")
    tests, more = _chosen(location, arguments)
    with tempfile.TemporaryDirectory(prefix="hotswap-test-") as name:
        folder = Path(name)
        report, coverage = folder / "contracts.json", folder / "coverage.json"
        command = [sys.executable, "-m", "pytest", *tests, f"--hotswap-report={report}"]
        command += ["-o", f"hotswap_plugin={location.folder}"]
        if _is_measured(more):
            settings = _coverage_settings(location, manifest, folder)
            command += [f"--cov={location.folder}", "--cov-branch", f"--cov-config={settings}"]
            command += ["--cov-report=", f"--cov-report=json:{coverage}"]
        done = subprocess.run(  # noqa: S603 - pytest
            [*command, *more],
            cwd=location.project,
            env=_environ(location),
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
        )
        covered = _read(coverage)
        percent = covered["totals"]["percent_covered"] if covered else None
        return Tested(done.returncode, _read(report), percent, done.stdout)


def has_coverage() -> bool:
    """Return whether coverage can be measured here."""
    return find_spec("pytest_cov") is not None


def _is_measured(arguments: Sequence[str]) -> bool:
    return has_coverage() and not {"--no-cov", "no:cov", "no:pytest_cov", "--collect-only", "--co"} & {*arguments}


def _environ(location: Location) -> dict[str, str]:
    """Return the environment, in which the import name of the plugin leads to the folder that was named."""
    places = [*([str(location.source)] if location.source else []), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(each for each in places if each)
    return {**os.environ, **({"PYTHONPATH": path} if path else {})}


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # the process did not get so far
        return None


def _chosen(location: Location, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which tests to run, and the other arguments; whoever names some means these alone."""
    more, named = [], False
    for each in arguments:
        path, colons, rest = each.partition("::")
        if not each.startswith("-") and path:
            here, there = Path(path).absolute(), location.project / path
            named = named or here.exists() or there.exists()
            if here.exists() and not there.exists():
                each = f"{here}{colons}{rest}"
        more.append(each)
    return [] if named else _tests(location), more


def _tests(location: Location) -> list[str]:
    """Return where the plugin's tests are: in it, or in the project that it lies in."""
    folders = [location.folder]
    if location.package is None:
        folders += location.folder.parents[:3]
    elif location.project != location.folder:
        folders.append(location.project)
    for parent in folders:
        if (parent / "tests").is_dir():
            return [str(parent / "tests")]
        if found := sorted(map(str, parent.glob("test_*.py"))):
            return found
        if (parent / "pyproject.toml").is_file():
            break
    where = f"{location.folder}" + (f" or {location.project}" if location.project != location.folder else "")
    raise click.UsageError(f"There are no tests for {where}: neither a folder tests/ nor files test_*.py.")


def _coverage_settings(location: Location, manifest: Manifest, folder: Path) -> Path:
    """Write settings by which only the plugin's own code counts, and no trace is left in its folder."""
    entry_point = manifest.python.entry_point if manifest.python else ""
    own = own_code(location.folder, entry_point, is_package=location.package is not None)
    tables = _kept_settings(location.project)
    omitted = [each for table in tables.values() for each in table.pop("omit", ())]
    omit = [*others(location.folder, own), "*.pyx", *omitted]  # compiled extensions speak of sources that are not here
    tables["run"] |= {"data_file": str(folder / "coverage.db"), "omit": omit}
    tables["report"]["include_namespace_packages"] = True
    file = folder / "coverage.toml"
    text = tomlkit.dumps({"tool": {"coverage": tables}})
    file.write_text(text.replace("$", "$$"), "utf-8")  # coverage takes one for a variable of the environment
    return file


def _kept_settings(project: Path) -> dict[str, dict[str, Any]]:
    """Return what holds of the project's own settings of coverage, by section."""
    from coverage import Coverage
    from coverage.exceptions import CoverageException

    found: dict[str, dict[str, Any]] = {section: {} for section in _FROM_SETTINGS}
    for name in (".coveragerc", "setup.cfg", "tox.ini", "pyproject.toml"):
        file = project / name
        if not file.is_file() or "coverage" not in file.read_text("utf-8", "replace"):
            continue
        try:
            settings = Coverage(data_file=None, config_file=str(file))
        except CoverageException:  # pytest-cov would not have taken them either
            break
        for section, keys in _FROM_SETTINGS.items():
            values = {key: settings.get_option(f"{section}:{key}") for key in keys}
            found[section] = {key: value for key, value in values.items() if value}
        break
    return found


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
