"""The pytest plugin: fixtures of the test kit, and a summary of the contracts that were kept.

It is there wherever hotswap is installed, by its entry point, so it imports nothing of hotswap until a test asks. The
fixtures work with anyio's plugin and with pytest-asyncio in auto mode.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hotswap import Kernel
    from hotswap.testing import PluginHarness

MARKER = "hotswap"
MANIFEST = "plugin.toml"
CONTRACTS = "hotswap_ports.testing.contracts."
_MOCKS = {
    "ai": "MockAI",
    "formatter": "MockFormatter",
    "scraper": "MockScraper",
    "search": "MockSearch",
    "storage": "MockStorage",
    "tool": "MockTool",
    "workflow": "MockWorkflow",
}
"""By port, the class in ``hotswap_ports.testing`` that its fixture is made of: ``mock_ai`` and so on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what tells where the plugin under test is, and where the summary goes."""
    parser.addini("hotswap_plugin", "Folder, plugin.toml or id of the plugin under test.", default="")
    group = parser.getgroup("hotswap")
    group.addoption("--hotswap-report", metavar="FILE", help="Write which contracts were kept, as JSON.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and note how contract suites end."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(plugin=..., config=..., trust=..., grants=..., environ=..., ports=..., seed=..., residue=...): "
        "how the fixtures `harness` and `kernel` open the plugin under test",
    )
    if "hotswap_ports.testing" not in sys.modules:
        pytest.register_assert_rewrite("hotswap_ports.testing")
    config.pluginmanager.register(Conformance(config), "hotswap-conformance")


class Conformance:
    """How the contract suites of a run ended, class by class."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._suites: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Find the classes that inherit a contract."""
        for item in items:
            cls: type | None = getattr(item, "cls", None)
            port = _contract_of(cls) if cls is not None else ""
            if cls is not None and port:
                name = f"{cls.__module__}.{cls.__qualname__}"
                suite = {"port": port, "suite": name, "passed": 0, "failed": 0, "skipped": 0, "failures": []}
                self._suites.setdefault(item.nodeid.rpartition("::")[0], suite)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the outcome of a test."""
        suite = self._suites.get(report.nodeid.partition("[")[0].rpartition("::")[0])
        if suite is None or (report.when != "call" and report.passed):
            return
        outcome = "failed" if report.failed else report.outcome
        suite[outcome] += 1
        if report.failed:
            suite["failures"].append(report.nodeid.rpartition("::")[2])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which contracts were kept."""
        run = [each for each in self._suites.values() if each["passed"] or each["failed"]]
        if run:
            terminalreporter.section("hotswap: contracts of ports")
        for each in run:
            verdict = "broken" if each["failed"] else "kept"
            counts = ", ".join(f"{each[name]} {name}" for name in ("passed", "failed", "skipped") if each[name])
            terminalreporter.write_line(f"{each['port']}: {verdict} by {each['suite']} ({counts})")

    def pytest_sessionfinish(self) -> None:
        """Write the report that was asked for."""
        path = self._config.getoption("--hotswap-report")
        if path and not hasattr(self._config, "workerinput"):
            document = {"schema": "hotswap.conformance/1", "suites": list(self._suites.values())}
            Path(path).write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _contract_of(cls: type) -> str:
    """Return the port whose contract a class inherits; empty for none."""
    bases = (each for each in cls.__mro__ if each.__module__.startswith(CONTRACTS) and each is not cls)
    return next((each.__module__.removeprefix(CONTRACTS) for each in bases), "")


@pytest.fixture
def hotswap_plugin(request: pytest.FixtureRequest) -> str:
    """The plugin under test: as the marker says, or ``hotswap_plugin`` in the configuration, or the nearest above."""
    named = _marked(request).get("plugin") or request.config.getini("hotswap_plugin")
    if named:
        path = Path(request.config.rootpath, str(named))
        return str(path) if path.exists() else str(named)
    for folder in request.path.parents:
        if (folder / MANIFEST).is_file():
            return str(folder)
        if folder == request.config.rootpath:
            break
    hint = f'mark the test with pytest.mark.{MARKER}(plugin="...") or set hotswap_plugin in the pytest configuration'
    pytest.fail(f"no {MANIFEST} in the folders above {request.path.name}: {hint}", pytrace=False)


@pytest.fixture
async def harness(request: pytest.FixtureRequest, hotswap_plugin: str) -> AsyncIterator[PluginHarness]:
    """The plugin under test, open, with mocks around it; the mocks are those of ``mock_storage`` and so on."""
    from hotswap.testing import PluginHarness

    options = {key: value for key, value in _marked(request).items() if key != "plugin"}
    mocks = {**_mocks(request), **options.pop("mocks", {})}
    async with PluginHarness(hotswap_plugin, mocks=mocks, **options) as opened:
        yield opened


@pytest.fixture
async def kernel(request: pytest.FixtureRequest, hotswap_plugin: str, tmp_path: Path) -> AsyncIterator[Kernel]:
    """A kernel in a folder of its own with the plugin under test, and the plugin ``memory`` for all that it needs."""
    from hotswap import Kernel, Settings
    from hotswap.testing.surroundings import find_plugin
    from hotswap.trust import Trust

    options = _marked(request)
    found = find_plugin(hotswap_plugin)
    provided = {each.port for each in found.manifest.provides}
    settings = Settings(
        folder=tmp_path,
        enabled=(found.id, "memory"),
        paths=(found.path,) if found.door == "path" else (),
        ports={port: ("memory",) for port in _MOCKS if port not in provided},
        config={found.id: dict(options.get("config", {}))},
        trust={found.id: Trust.parse(options.get("trust", "verified"))},
        grants={found.id: dict(options.get("grants", {}))},
    )
    async with Kernel(settings, ports=options.get("ports", ()), environ=options.get("environ", {})) as entered:
        yield entered


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the markers around a test say, the nearest one first."""
    found: dict[str, Any] = {}
    for marker in request.node.iter_markers(MARKER):
        found = {**marker.kwargs, **({"plugin": marker.args[0]} if marker.args else {}), **found}
    return found


def _mocks(request: pytest.FixtureRequest) -> Mapping[Any, Any]:
    named = [f"mock_{each}" for each in _MOCKS if f"mock_{each}" in request.fixturenames]
    mocks = [request.getfixturevalue(each) for each in named]
    return {each.mocked: each for each in mocks}


def _mock_fixture(port: str, mock: str) -> Any:
    def made() -> Any:
        return getattr(import_module("hotswap_ports.testing"), mock)()

    made.__doc__ = f"A ``{mock}``: a mock of the port ``{port}``."
    return pytest.fixture(made)


for _port, _mock in _MOCKS.items():
    globals()[f"mock_{_port}"] = _mock_fixture(_port, _mock)
