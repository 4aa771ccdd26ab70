"""``hotswap plugin test PLUGIN``: the plugin's own tests, with coverage, and which contracts of ports it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.cli.plugin_tests import Tested
    from hotswap.manifest.model import Manifest


@click.command(cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("plugin")
@click.argument("pytest_arguments", metavar="[PYTEST ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def test(invocation: Invocation, plugin: str, pytest_arguments: Sequence[str]) -> int:
    """Run a plugin's tests, and say which contracts it keeps.

    PLUGIN is a plugin's folder or its plugin.toml, the root of the distribution that it is part of, or an id. Its tests
    are those in tests/ there, or beside it, and files named test_*.py. They run in a process of their own, in the root
    of the distribution or in the plugin's folder, with coverage where pytest-cov is installed. More arguments are
    pytest's; paths among them are relative to the working folder, or to where the tests run.
    """
    from hotswap.cli.commands.plugin_validate import located
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.cli.plugin_tests import has_coverage, run_tests
    from hotswap.manifest.reader import read_manifest

    location = located(plugin)
    manifest = read_manifest(location.manifest)
    run = run_tests(location, manifest, pytest_arguments, quiet=invocation.json)
    contracts = list(_contracts(manifest, run))
    if invocation.json:
        print_document(invocation, "plugin-test/1", _content(manifest, run, contracts))
        return run.exit_code
    for each in contracts if any(run.counts.values()) else ():
        print_text(f"{each['port']} ({each['class']}): {_verdict(each)}")
    if run.coverage is not None:
        print_text(f"coverage: {run.coverage:.0f} %")
    elif not has_coverage():
        note(invocation, "pytest-cov is not installed, so coverage is not known.")
    print_text(f"{manifest.id} {manifest.raw_version}: {run.ending}.")
    return run.exit_code


def _content(manifest: Manifest, run: Tested, contracts: list[dict[str, Any]]) -> dict[str, Any]:
    report = run.report or {}
    return {
        "plugin": manifest.id,
        "version": manifest.raw_version,
        "passed": run.passed,
        "ending": run.ending,
        "exit_code": run.code,
        "tests": {**run.counts, "failures": report.get("tests", {}).get("failures", [])},
        "coverage": run.coverage,
        "contracts": contracts,
        "error": report.get("error"),
        "output": run.output,
    }


def _contracts(manifest: Manifest, run: Tested) -> Iterator[dict[str, Any]]:
    """Yield, for each provider, what came of the suites of its port."""
    found = {(each["port"], each["name"]): each for each in (run.report or {}).get("contracts", ())}
    for each in manifest.provides:
        known = found.get((each.port, each.name))
        if known is None:
            continue
        counts = {key: known[key] for key in ("suites", "passed", "failed", "skipped", "failures", "not_run", "tested")}
        kept = bool(known["ran"]) and not known["failed"] and not known["not_run"]
        yield {"port": each.port, "class": each.class_name, "name": each.name, "kept": kept, **counts}


def _verdict(contract: Mapping[str, Any]) -> str:
    ran = contract["passed"] + contract["failed"] + contract["skipped"]
    if not contract["suites"]:
        return "no test class inherits the contract of this port: see hotswap_ports.testing"
    if contract["failed"]:
        return f"breaks its contract: {', '.join(contract['failures'])}"
    if not ran and contract["tested"]:
        return f"its contract was not run with it, but with {' and '.join(contract['tested'])}"
    if contract["not_run"]:
        return f"its contract was partly run: {ran} of {ran + len(contract['not_run'])} tests"
    return f"keeps its contract ({contract['passed']} tests passed, {contract['skipped']} skipped)"
