"""The pytest plugin: fixtures of the test kit, and a summary of the contracts that were kept.

It is there wherever hotswap is installed, by its entry point, so it imports nothing of hotswap until a test asks. The
fixtures work with anyio's plugin and with pytest-asyncio in auto mode.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hotswap.testing.conformance import Conformance

if TYPE_CHECKING:
    from hotswap import Kernel, Settings
    from hotswap.found import Found
    from hotswap.testing import PluginHarness
    from hotswap_ports import Port

MARKER = "hotswap"
MANIFEST = "plugin.toml"
_TABLES = {"config", "mocks", "grants", "environ"}
"""Options that are merged key by key; of the others the nearest marker's is taken."""
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
_NOBODY_RUNS = """\
the fixture {fixture!r} is async, and nothing runs it here. Either let anyio run async tests, with

    anyio_mode = "auto"             # in the configuration of pytest: [tool.pytest.ini_options] in pyproject.toml

    @pytest.fixture                 # in conftest.py
    def anyio_backend():
        return "asyncio"

or, where pytest-asyncio is installed, let that do it for all of them, with

    asyncio_mode = "auto"           # in the configuration of pytest
"""


_HAS_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what tells where the plugin under test is, and where the summary goes."""
    parser.addini("hotswap_plugin", "Folder, plugin.toml or id of the plugin under test.", default="")
    group = parser.getgroup("hotswap")
    group.addoption("--hotswap-report", metavar="FILE", help="Write which contracts were kept, as JSON.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and note how contract suites end."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(plugin, config=..., mocks=..., trust=..., ...): how the fixtures `harness` and `kernel` open the "
        "plugin under test; it takes what `PluginHarness` does",
    )
    if "hotswap_ports.testing" not in sys.modules:
        pytest.register_assert_rewrite("hotswap_ports.testing")
    config.pluginmanager.register(Conformance(config), "hotswap-conformance")


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> None:
    """Say what to write where nobody has taken it upon himself to run our async fixtures."""
    function = fixturedef.func
    if getattr(function, "__module__", "") != __name__ or not inspect.isasyncgenfunction(function):
        return
    test = getattr(request.node, "obj", None)
    test = getattr(getattr(test, "hypothesis", None), "inner_test", test)
    text = _NOBODY_RUNS.format(fixture=fixturedef.argname)
    if test is not None and not inspect.iscoroutinefunction(test):
        text = f"the fixture {fixturedef.argname!r} is async: write `async def {request.node.name.partition('[')[0]}`"
    try:
        pytest.fail(text, pytrace=False)
    except pytest.fail.Exception as error:  # unless it is kept, pytest takes the next test for a mistake of its own
        fixturedef.cached_result = (None, fixturedef.cache_key(request), (error, error.__traceback__))
        raise


@pytest.fixture
def hotswap_plugin(request: pytest.FixtureRequest) -> str:
    """The plugin under test: as the marker says, or ``hotswap_plugin`` in the configuration, or the nearest above."""
    from hotswap.testing.location import entry_points, locate

    named = _marked(request).get("plugin") or request.config.getini("hotswap_plugin")
    if named:
        path = Path(request.config.rootpath, str(named))
        return str(locate(path).folder) if path.exists() else str(named)
    for folder in request.path.parents:
        if (folder / MANIFEST).is_file() or entry_points(folder):
            return str(locate(folder).folder)
        if folder == request.config.rootpath:
            break
    hint = f'mark the test with pytest.mark.{MARKER}(plugin="...") or set hotswap_plugin in the pytest configuration'
    pytest.fail(f"no {MANIFEST} in the folders above {request.path.name}: {hint}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note of a test that it has failed, for what is torn down after it."""
    report = yield
    item.stash[_HAS_FAILED] = item.stash.get(_HAS_FAILED, False) or report.failed
    return report


@pytest.fixture
async def harness(request: pytest.FixtureRequest, hotswap_plugin: str) -> AsyncIterator[PluginHarness]:
    """The plugin under test, open, with mocks around it; the mocks are those of ``mock_storage`` and so on."""
    from hotswap.testing import PluginHarness

    options = {key: value for key, value in _marked(request).items() if key != "plugin"}
    mocks = {**_mocks(request), **options.pop("mocks", {})}
    async with PluginHarness(hotswap_plugin, mocks=mocks, **options) as opened:
        yield opened
        if request.node.stash.get(_HAS_FAILED, False):
            opened.keep_quiet()


@pytest.fixture
async def kernel(
    request: pytest.FixtureRequest, hotswap_plugin: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Kernel]:
    """A kernel in a folder of its own with the plugin under test, which serves what it provides.

    All else is served by the mocks of ``mock_storage`` and so on that the test asks for, and by the plugin ``memory``.
    """
    from hotswap import Kernel
    from hotswap.testing.location import find_plugin
    from hotswap.testing.served import served

    options = _marked(request)
    mocks = {**_mocks(request), **options.get("mocks", {})}
    if empty := [port.PORT for port, adapter in mocks.items() if adapter is None]:
        pytest.fail(f"the fixture kernel leaves no port empty: {', '.join(empty)}. Take harness", pytrace=False)
    with ExitStack() as stack:
        folder = stack.enter_context(served(mocks, tmp_path_factory.mktemp("mocks"))) if mocks else None
        settings = _settings(find_plugin(hotswap_plugin), options, tmp_path, folder, mocks)
        ports, environ = options.get("ports", ()), options.get("environ", {})
        async with Kernel(settings, ports=ports, environ=environ) as entered:
            yield entered


def _settings(
    found: Found, options: Mapping[str, Any], folder: Path, given: Path | None, mocks: Mapping[type[Port], Port]
) -> Settings:
    """Return the settings of the kernel; ``given`` is the folder of the plugin that serves the mocks."""
    from hotswap import Settings
    from hotswap.testing.served import PLUGIN
    from hotswap.trust import Trust

    manifest = found.manifest
    mocked = {port.PORT for port in mocks}
    required = {each.port for each in manifest.requires}
    ports: dict[str, tuple[str, ...]] = {}
    for port in {*_MOCKS, *mocked, *(each.port for each in manifest.provides)}:
        own = tuple(each.name for each in manifest.provides if each.port == port)
        others = (PLUGIN,) if port in mocked else ("memory",) if port in _MOCKS else ()
        ports[port] = (*own, *(others if not own or port in required else ()))
    return Settings(
        folder=folder,
        enabled=(found.id, "memory", *((PLUGIN,) if given else ())),
        paths=(*((found.path,) if found.door == "path" else ()), *((given,) if given else ())),
        ports=ports,
        config={found.id: dict(options.get("config", {}))},
        trust={found.id: Trust.parse(options.get("trust", "verified"))},
        grants={found.id: dict(options.get("grants", {}))},
    )


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the markers around a test say: the nearest one wins, in tables key by key."""
    found: dict[str, Any] = {}
    for marker in request.node.iter_markers(MARKER):
        given = {**marker.kwargs, **({"plugin": marker.args[0]} if marker.args else {})}
        _check(given)
        for name, value in given.items():
            found[name] = {**(value or {}), **found.get(name, {})} if name in _TABLES else found.get(name, value)
    return found


def _check(given: Mapping[str, Any]) -> None:
    """Fail for what the harness does not take."""
    from hotswap.errors import nearest
    from hotswap.testing import PluginHarness

    options = list(inspect.signature(PluginHarness).parameters)
    for name in given:
        if name not in options:
            hint = nearest(name, options) or f"It takes {', '.join(options)}."
            pytest.fail(f"pytest.mark.{MARKER} takes no {name!r}. {hint}", pytrace=False)


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
