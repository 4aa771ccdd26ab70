"""``hotswap plugin test PATH``: the plugin's own tests, with coverage, and which contracts of ports it keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("path", type=click.Path(exists=True))
@click.argument("pytest_arguments", metavar="[PYTEST ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def test(invocation: Invocation, path: str, pytest_arguments: Sequence[str]) -> int:
    """Run a plugin's tests, and say which contracts it keeps.

    PATH is a plugin's folder or its plugin.toml. Its tests are those in tests/ there, or beside it, and files named
    test_*.py. They run in a process of their own, with coverage where pytest-cov is installed. More arguments are
    pytest's.
    """
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.manifest.reader import read_manifest

    file = Path(path).absolute()
    file = file / "plugin.toml" if file.is_dir() else file
    manifest = read_manifest(file)
    tests = _tests(file.parent)
    with tempfile.TemporaryDirectory(prefix="hotswap-test-") as folder:
        report, coverage = Path(folder, "contracts.json"), Path(folder, "coverage.json")
        command = _command(file, tests, report, coverage, pytest_arguments)
        output = subprocess.PIPE if invocation.json else None
        done = subprocess.run(command, cwd=file.parent, stdout=output, text=True, check=False)  # noqa: S603 - pytest
        suites = json.loads(report.read_text("utf-8"))["suites"] if report.is_file() else []
        covered = json.loads(coverage.read_text("utf-8"))["totals"]["percent_covered"] if coverage.is_file() else None
    contracts = list(_contracts(manifest.provides, suites))
    good = done.returncode == 0
    if invocation.json:
        content = {
            "plugin": manifest.id,
            "version": manifest.raw_version,
            "passed": good,
            "coverage": covered,
            "contracts": contracts,
            "output": done.stdout,
        }
        print_document(invocation, "plugin-test/1", content)
        return DONE if good else FAILED
    for each in contracts:
        print_text(f"{each['port']} ({each['class']}): {_verdict(each)}")
    if covered is None:
        note(invocation, "pytest-cov is not installed, so coverage is not known.")
    else:
        print_text(f"coverage: {covered:.0f} %")
    print_text(f"{manifest.id} {manifest.raw_version}: its tests {'pass' if good else 'do not pass'}.")
    return DONE if good else FAILED


def _tests(folder: Path) -> list[str]:
    """Return where the plugin's tests are: in it, or in the project that it lies in."""
    for parent in (folder, *folder.parents[:3]):
        if (parent / "tests").is_dir():
            return [str(parent / "tests")]
        if found := sorted(map(str, parent.glob("test_*.py"))):
            return found
        if (parent / "pyproject.toml").is_file():
            break
    raise click.UsageError(f"There are no tests for {folder}: neither a folder tests/ nor files test_*.py.")


def _command(file: Path, tests: list[str], report: Path, coverage: Path, more: Sequence[str]) -> list[str]:
    if find_spec("pytest") is None:
        raise click.UsageError("pytest is not installed: `pip install 'hotswap[testing]'`.")
    command = [sys.executable, "-m", "pytest", *tests, f"--hotswap-report={report}"]
    command += ["-o", f"hotswap_plugin={file.parent}"]
    if find_spec("pytest_cov") is not None:
        command += [f"--cov={file.parent}", "--cov-branch", "--cov-report=", f"--cov-report=json:{coverage}"]
    return [*command, *more]


def _contracts(provides: Sequence[Any], suites: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield, for each provider, what came of the suites of its port."""
    for each in provides:
        found = [suite for suite in suites if suite["port"] == each.port]
        counts = {name: sum(suite[name] for suite in found) for name in ("passed", "failed", "skipped")}
        failures = [name for suite in found for name in suite["failures"]]
        yield {"port": each.port, "class": each.class_name, "suites": len(found), **counts, "failures": failures}


def _verdict(contract: dict[str, Any]) -> str:
    if not contract["suites"]:
        return "no test class inherits the contract of this port: see hotswap_ports.testing"
    if contract["failed"]:
        return f"breaks its contract: {', '.join(contract['failures'])}"
    return f"keeps its contract ({contract['passed']} tests passed, {contract['skipped']} skipped)"
