"""How the contract suites of a test run ended, and whose adapters they were about.

A suite's *subject* is what its fixture, named like the port, had in its hands in a test: an instance of a class, or a
live handle, which leads to a plugin's provider. pytest loads this wherever hotswap is installed, so it imports nothing
of hotswap until a run was of a plugin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

CONTRACTS = "hotswap_ports.testing.contracts."
_SHARED = "hotswap_contracts"
"""What a worker of pytest-xdist hands to the process that reports."""
_NOT_RUN: Mapping[str, Any] = {"outcome": "", "alone": False, "subject": None}
"""What is known of a test; ``alone``: it has skipped itself, and no marker or fixture has."""
IsMeant: TypeAlias = Callable[[Mapping[str, Any]], bool]


class Conformance:
    """Notes tests and suites as they come, in this process or in workers, and says at the end what came of them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suites: dict[str, dict[str, Any]] = {}
        """Node id of a class -> its port, its name, its tests, and the tests of the contract that it has replaced."""
        self._tests: dict[str, dict[str, Any]] = {}
        self._failures: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Find the classes that inherit a contract, with all their tests, whichever of them will be run."""
        report: Any = yield
        cls = getattr(collector, "obj", None) if isinstance(collector, pytest.Class) else None
        if cls is not None and (contract := _contract_of(cls)):
            self._suites[collector.nodeid] = {
                "port": _port_of(contract),
                "suite": f"{cls.__module__}.{cls.__qualname__}",
                "tests": [each.nodeid for each in report.result if isinstance(each, pytest.Item)],
                "replaced": [name for name in _tests_of(contract) if getattr(cls, name) is not getattr(contract, name)],
            }
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
        """Note what a test of a contract was about, while it is there; say what a suite lacks."""
        cls = getattr(item, "cls", None)
        contract = _contract_of(cls) if cls is not None else None
        error = call.excinfo.value if call.excinfo is not None else None
        if contract is not None and isinstance(error, pytest.FixtureLookupError):
            error.msg = _lacks(contract, str(error.argname)) or error.msg
        report: Any = yield
        if contract is not None and call.when == "call":
            port = _port_of(contract)
            values = getattr(item, "funcargs", {})
            if port in values:
                report.hotswap_subject = subject_of(values[port])
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test; what fails in any of its parts has failed, once."""
        test = self._tests.setdefault(report.nodeid, {**_NOT_RUN, "outcome": "passed"})
        test["subject"] = getattr(report, "hotswap_subject", test["subject"])
        if report.failed:
            test["outcome"] = "failed"
            self._failures.setdefault(report.nodeid, _failure(report, report.when or ""))
        elif report.skipped and test["outcome"] == "passed":
            test["outcome"] = "xfailed" if hasattr(report, "wasxfail") else "skipped"
            test["alone"] = report.when == "call"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self._failures.setdefault(report.nodeid, _failure(report, "collect"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what a worker of pytest-xdist has collected."""
        self._suites.update(getattr(node, "workeroutput", {}).get(_SHARED, {}))

    def pytest_sessionfinish(self) -> None:
        """Hand over what a worker has collected, or write the report that was asked for."""
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_SHARED] = self._suites  # type: ignore[attr-defined]  # pytest-xdist's
        elif path := self._config.getoption("--hotswap-report"):
            Path(path).write_text(json.dumps(self._report(), indent=1) + "\n", "utf-8")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which contracts were kept."""
        found = [(suite, each) for suite in self._suites.values() if (each := self._counts([suite], None))["ran"]]
        if found:
            terminalreporter.section("hotswap: contracts of ports")
        for suite, counts in found:
            verdict = "broken" if counts["failed"] else "partly run" if counts["not_run"] else "kept"
            numbers = [f"{counts[name]} {name}" for name in ("passed", "failed", "skipped") if counts[name]]
            numbers += [f"{len(counts['not_run'])} not run"] if counts["not_run"] else []
            about = f", with {' and '.join(counts['subjects'])}" if counts["subjects"] else ""
            line = f"{suite['port']}: {verdict} by {suite['suite']}{about} ({', '.join(numbers)})"
            terminalreporter.write_line(line)

    def _report(self) -> dict[str, Any]:
        outcomes = [each["outcome"] for each in self._tests.values()]
        plugin, error = _Plugin(), None
        if self._config.getini("hotswap_plugin"):
            plugin, error = _loaded(self._config)
        return {
            "schema": "hotswap.conformance/1",
            "suites": [
                {"port": each["port"], "suite": each["suite"], **self._counts([each], None)}
                for each in self._suites.values()
            ],
            "contracts": [self._contract(plugin, port, name) for port, name in plugin.providers],
            "tests": {
                **{name: outcomes.count(name) for name in ("passed", "failed", "skipped", "xfailed")},
                "failures": list(self._failures.values()),
            },
            "error": error,
        }

    def _contract(self, plugin: _Plugin, port: str, name: str) -> dict[str, Any]:
        """Return what came of the contract of one provider of the plugin under test."""
        suites = [each for each in self._suites.values() if each["port"] == port]
        counts = self._counts(suites, lambda subject: plugin.is_of(subject, port, name))
        about = self._counts(suites, None)["subjects"]
        return {"port": port, "name": name, "suites": len(suites), **counts, "tested": about}

    def _counts(self, suites: Iterable[Mapping[str, Any]], is_meant: IsMeant | None) -> dict[str, Any]:
        """Count the tests of suites: those that were about what ``is_meant``, or did not get so far."""
        rows = [row for suite in suites for row in self._rows(suite, is_meant)]
        of = {kind: [name for each, name, _ in rows if each == kind] for kind in ("passed", "failed", "skipped", "")}
        subjects = dict.fromkeys(subject for _, _, subject in rows if subject)
        counts = {kind: len(names) for kind, names in of.items() if kind}
        return {
            **counts,
            "ran": sum(counts.values()),
            "failures": of["failed"],
            "not_run": of[""],
            "subjects": list(subjects),
        }

    def _rows(self, suite: Mapping[str, Any], is_meant: IsMeant | None) -> list[tuple[str, str, str]]:
        """Return the outcome of each test of a suite (empty: not run), its name, and what it was about."""
        runs = [(test.rpartition("::")[2], run) for test in suite["tests"] for run in self._runs(test)]
        others = [(name, run) for name, run in runs if is_meant and run["subject"] and not is_meant(run["subject"])]
        own = [each for each in runs if each not in others]
        if others and not any(run["subject"] for _, run in own):
            return []  # a suite of another adapter
        rows = [(_outcome(run), name, run["subject"]["name"] if run["subject"] else "") for name, run in own]
        seen = {_bare(name) for name, _ in own}
        missing = [*suite["replaced"], *(name for name, _ in others if _bare(name) not in seen)]
        return rows + [("", name, "") for name in missing]

    def _runs(self, test: str) -> list[dict[str, Any]]:
        """Return what is known of a collected test: anyio makes several of one after it was collected."""
        if test in self._tests:
            return [self._tests[test]]
        return [found for name, found in self._tests.items() if name.startswith(f"{test}[")] or [dict(_NOT_RUN)]


class _Plugin:
    """The plugin under test: who its providers are."""

    def __init__(self, plugin: str = "") -> None:
        self._id = plugin
        self._classes: dict[tuple[str, str], list[str] | None] = {}

    @property
    def providers(self) -> list[tuple[str, str]]:
        """Return the port and the name of each provider."""
        return list(self._classes)

    def add(self, port: str, name: str, adapter: type | None) -> None:
        """Add a provider, with its class where that could be loaded."""
        self._classes[port, name] = None if adapter is None else _place(adapter)

    def is_of(self, subject: Mapping[str, Any], port: str, name: str) -> bool:
        """Return whether a subject is a provider's: its live handle, or an instance of its class."""
        if subject["provider"]:
            return bool(subject["provider"] == [self._id, name])
        return self._classes[port, name] in subject["classes"]


def subject_of(value: object) -> dict[str, Any]:
    """Return what a contract was tested with, as plain data: its name, its classes, and whose provider a handle is."""
    generation = getattr(getattr(value, "_slot", None), "generation", None)
    provider = getattr(generation, "provider", None)
    cls = type(value) if generation is None else type(generation.target)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if provider is not None:
        own = f"{provider.name} of " if provider.name != provider.plugin else ""
        owner = [provider.plugin, provider.name]
        return {"name": f"{own}the plugin {provider.plugin}", "classes": [], "provider": owner}
    return {"name": name, "classes": [_place(each) for each in cls.__mro__], "provider": []}


def _place(cls: type) -> list[str]:
    """Return what two imports of a class have in common."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return [str(Path(file).resolve()) if file else cls.__module__, cls.__qualname__]


def _loaded(config: pytest.Config) -> tuple[_Plugin, dict[str, Any] | None]:
    """Return the plugin under test, and why its code cannot be loaded."""
    import attrs

    from hotswap.errors import HotswapError, PortUnknown
    from hotswap.found import Found
    from hotswap.loader import load
    from hotswap.port_directory import PortDirectory
    from hotswap.testing.location import find_plugin

    problem = None
    try:
        found = find_plugin(str(config.getini("hotswap_plugin")))
        plugin, ports = _Plugin(found.id), PortDirectory()
        for each in found.manifest.provides:
            part = attrs.evolve(found.manifest, provides=(each,))
            adapter: type | None = None
            try:
                adapter = load(Found(part, found.door, found.folder, found.package), ports).adapters[each]
            except PortUnknown:  # a port of the tests' own: there is no contract of it
                pass
            except HotswapError as error:
                problem = problem or _facts(error)
            plugin.add(each.port, each.name, adapter)
    except HotswapError as error:
        return _Plugin(), _facts(error)
    return plugin, problem


def _facts(error: Any) -> dict[str, Any]:
    return {"code": error.code, "type": type(error).__name__, "message": str(error), "hint": error.hint}


def _failure(report: pytest.TestReport | pytest.CollectReport, when: str) -> dict[str, Any]:
    """Return a failure as data: which test, in which part of it, where, and the first line of what was said."""
    longrepr: Any = report.longrepr
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        text, place = str(crash.message), f"{crash.path}:{crash.lineno}"
    else:
        text, place = str(longrepr or ""), ""
        said = [each[1:].strip() for each in text.splitlines() if each.startswith("E ")]
        text = said[-1] if said else text
    first = next((each.strip() for each in text.splitlines() if each.strip()), "")
    return {"test": report.nodeid, "when": when, "place": place, "error": first}


def _outcome(run: Mapping[str, Any]) -> str:
    """Return ``passed``, ``failed`` or ``skipped``; empty where it was not run, or something else has skipped it."""
    if run["outcome"] == "skipped" and not run["alone"]:
        return ""
    return "failed" if run["outcome"] == "xfailed" else str(run["outcome"])


def _bare(test: str) -> str:
    return test.partition("[")[0]


def _contract_of(cls: type) -> type | None:
    """Return the contract that a class inherits."""
    bases = (each for each in cls.__mro__ if each.__module__.startswith(CONTRACTS) and each is not cls)
    return next((each for each in bases if each.__name__.endswith("Contract")), None)


def _port_of(contract: type) -> str:
    return contract.__module__.removeprefix(CONTRACTS)


def _lacks(contract: type, fixture: str) -> str:
    """Return what to write for a fixture that a contract needs and nobody has supplied; empty for any other."""
    needed = {_port_of(contract): "an open adapter of that port", **getattr(contract, "SUPPLY", {})}
    if fixture not in needed:
        return ""
    return f"{contract.__name__} needs the fixture {fixture!r}, {needed[fixture]}: supply it in the class that inherits"


def _tests_of(cls: type) -> list[str]:
    return [each for each in dir(cls) if each.startswith("test")]
