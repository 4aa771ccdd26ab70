"""A plugin alone: opened as a kernel opens it, with mocks around it, and looked after when it has gone."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hotswap.errors import (
    CallInvalid,
    CapabilityDenied,
    ConfigInvalid,
    HookInvalid,
    HotswapError,
    InjectionFailed,
    IsolationRequired,
    KernelInUse,
    KernelNotRunning,
    ManifestInvalid,
    PluginInitFailed,
    PluginNotFound,
    PortUnknown,
    ProviderNotFound,
    SettingsInvalid,
    TeardownFailed,
)
from hotswap.testing import PluginHarness, check, matching, within
from hotswap_ports import (
    AdapterFailed,
    AIProvider,
    Completion,
    Scraper,
    ScrapeRequest,
    Storage,
    ToolResult,
    Unavailable,
    Usage,
    Workflow,
)
from hotswap_ports.errors import WrongTest
from hotswap_ports.testing import MemoryAI, MemoryStorage, MockStorage
from tests.plugin_folder import JOURNAL, Clock, Gauge, Greeter, greeter, probe, probing, write_plugin

POLITE = """
    from hotswap_ports import Page, Scraper, ScrapeRequest, ScraperFeatures, Storage

    class Polite(Scraper):
        features = ScraperFeatures(schemes=frozenset({"https"}))

        def __init__(self, storage: Storage) -> None:
            self.storage = storage

        async def scrape(self, request: ScrapeRequest) -> Page:
            await self.storage.put(f"seen/{request.url}", b"1")
            return Page(request.url, "Herons.")
"""


def polite(root: Path) -> Path:
    """Write a scraper that keeps what it has seen."""
    return write_plugin(root, "polite", POLITE, provides={"scraper": "Polite"}, requires={"storage": ">=1,<2"})


async def test_five_lines_are_a_test(tmp_path: Path) -> None:
    """A folder is enough: what the plugin needs is mocked, what it provides is called, and the calls are there."""
    async with PluginHarness(polite(tmp_path)) as harness:
        page = await harness.get(Scraper).scrape(ScrapeRequest("https://a.example.org/"))
    check(page, {"text": "Herons.", "url": matching("example")})
    assert [(each.method, each.subject) for each in harness.calls] == [("put", "seen/https://a.example.org/")]


async def test_mocks_fail_on_demand_and_may_be_replaced(tmp_path: Path) -> None:
    """A rule makes the storage fail; another adapter stands in the place of the mock, or nobody."""
    async with PluginHarness(polite(tmp_path)) as harness:
        harness.mock(Storage).on("put").once().fail(Unavailable("the disk is asleep"))
        with pytest.raises(Unavailable, match="asleep"):
            await harness.get(Scraper).scrape(ScrapeRequest("https://a.example.org/"))
    own = MemoryStorage()
    async with PluginHarness(polite(tmp_path), mocks={Storage: own}) as harness:
        await harness.get(Scraper).scrape(ScrapeRequest("https://a.example.org/"))
    assert await own.exists("seen/https://a.example.org/")
    with pytest.raises(InjectionFailed, match="storage"):
        async with PluginHarness(polite(tmp_path), mocks={Storage: None}):
            pass


async def test_an_installed_plugin_is_named_by_its_id() -> None:
    """The research workflow runs on mocks, and its result, calls and tokens can be looked at."""
    async with PluginHarness("research") as harness:
        harness.mock(Scraper).on("scrape").answer("The grey heron stands in the river. It waits for fish.")
        run = await harness.run(sources=("https://a.example.org/",))
    run.check(
        {
            "report.title": matching("example"),
            "report.sources.0.url": "https://a.example.org/",
            "stats.read": within(1, 1),
            "problems": (),
        }
    )
    assert {each.method for each in run.calls} >= {"scrape", "summarize"}
    assert run.progress
    assert harness.tokens.total_tokens > 0


TOOLS = """
    from hotswap_ports import (
        AIProvider, CompletionRequest, Message, Modify, Plugin, PluginContext, Storage, Tool, ToolFeatures, ToolResult,
    )

    NUMBERS = {"type": "array", "items": {"type": "number"}}
    PARAMETERS = {"type": "object", "properties": {"numbers": NUMBERS, "name": {"type": "string"}}}

    class Sum(Tool):
        features = ToolFeatures("Adds numbers, and says why.", PARAMETERS)

        def __init__(self, ai: AIProvider, storage: Storage) -> None:
            self.ai = ai
            self.storage = storage

        async def call(self, arguments) -> ToolResult:
            total = sum(arguments["numbers"])
            said = await self.ai.complete(CompletionRequest((Message("user", f"Why {total}?"),)))
            await self.storage.put("total", str(total).encode())
            return ToolResult({"total": total, "of": arguments.get("name")}, said.text, 0.75)

    class Count(Tool):
        async def call(self, arguments) -> ToolResult:
            return ToolResult(len(arguments))

    class Own(Plugin):
        async def initialize(self, context: PluginContext) -> None:
            context.events.on("post_tool.call", lambda event: None)
"""


def tools(root: Path) -> Path:
    """Write a plugin with two tools, the first of which asks an AI and a storage."""
    provided = {"tool": [{"class": "Sum", "name": "sum"}, {"class": "Count", "name": "count"}]}
    required = {"ai": ">=1", "storage": ">=1"}
    python = {"class_name": "Own"}
    return write_plugin(root, "sums", TOOLS, type="tool", provides=provided, requires=required, python=python)


async def test_a_tool_is_called_and_looked_at_as_a_workflow_is(tmp_path: Path) -> None:
    """What came of a call: fields of the result, the confidence, the calls made, the tokens used, the hooks fired."""
    async with PluginHarness(tools(tmp_path)) as harness:
        harness.mock(AIProvider).on("complete", "Why 3?").answer("Because.")
        run = await harness.call({"numbers": [1, 2]})
        run.check({"confidence": within(0.7, 1), "value.total": 3, "text": "Because."})
        with pytest.raises(AssertionError, match=r"value\.total: 3 is not 4"):
            run.check({"value.total": 4})
        assert [(each.method, each.subject) for each in run.calls] == [("complete", "Why 3?"), ("put", "total")]
        assert run.tokens.total_tokens == harness.tokens.total_tokens > 0
        assert run.progress == ()
        assert harness.fired("post_tool.call") == 1


async def test_a_tool_is_named_where_a_plugin_has_several(tmp_path: Path) -> None:
    """The first one is called unless a name is given; an argument may be called ``name``, and be a keyword."""
    async with PluginHarness(tools(tmp_path)) as harness:
        assert (await harness.call(numbers=[1, 2], name="few")).result.value == {"total": 3, "of": "few"}
        assert (await harness.call({"a": 1}, "count", b=2)).result == ToolResult(2)
        assert (await harness.call(None, "count")).calls == ()
        with pytest.raises(ProviderNotFound, match="cuont"):
            await harness.call({}, "cuont")
        with pytest.raises(PortUnknown, match="workflow"):
            await harness.run()


async def test_a_run_has_its_own_tokens_and_their_cost_alone(tmp_path: Path) -> None:
    """What was used before it counts neither in tokens nor in dollars; a price nobody knows spoils its own run only."""
    async with PluginHarness(tools(tmp_path)) as harness:
        complete = harness.mock(AIProvider).on("complete")
        priced = Completion("Because.", "m", usage=Usage(5, 2, Decimal("0.25")))
        complete.answer(priced, Completion("?", "m", usage=Usage(1, 1)), priced)
        runs = [await harness.call(numbers=[1]) for _ in range(3)]
        assert [each.tokens for each in runs] == [
            Usage(5, 2, Decimal("0.25")), Usage(1, 1, None), Usage(5, 2, Decimal("0.25")),
        ]  # fmt: skip
        assert harness.tokens == Usage(11, 5, None)


async def test_a_workflow_is_named_where_a_plugin_has_several(tmp_path: Path) -> None:
    """As a tool is; and an input may be called ``name``."""
    code = """
        from hotswap_ports import InputSpec
        from hotswap_ports.testing import MemoryWorkflow

        class One(MemoryWorkflow):
            def __init__(self) -> None:
                super().__init__(inputs=(InputSpec("name"),))

        class Two(MemoryWorkflow):
            pass
    """
    provided = {"workflow": [{"class": "One", "name": "one"}, {"class": "Two", "name": "two"}]}
    write_plugin(tmp_path, "echoes", code, provides=provided)
    async with PluginHarness(tmp_path / "echoes") as harness:
        (await harness.run(name="heron")).check({"report.key_points.0.text": "name = 'heron'"})
        run = await harness.run({"times": 2}, "two", words=("heron",))
        run.check({"report.key_points.0.text": "words = ('heron',)", "stats.read": 5})
        assert len(run.progress) == 5
        with pytest.raises(ProviderNotFound):
            await harness.run({}, "three")


async def test_the_whole_life_of_a_plugin_is_run(tmp_path: Path) -> None:
    """Steps are those of a kernel, in its order; health can be asked."""
    probe(tmp_path, "own")
    from tests.plugin_folder import JOURNAL

    config: dict[str, Any] = probing(tmp_path, own={})["own"]
    async with PluginHarness(tmp_path / "own", config=config, ports=[Greeter, Clock]) as harness:
        assert (await harness.health()).status == "healthy"
        assert await harness.get(Greeter).greet("you") == "own greets you"
    steps = [each.partition(".")[2] for each in JOURNAL[str(tmp_path)]]
    assert steps == [
        "init", "validate", "initialize", "adapter", "enter", "start", "health", "health", "greet",
        "stop", "exit", "cleanup", "undo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "error"), [({"start": "raise"}, PluginInitFailed), ({"status": "unhealthy"}, PluginInitFailed)]
)
async def test_a_plugin_that_cannot_be_opened_says_so(
    tmp_path: Path, config: dict[str, str], error: type[Exception]
) -> None:
    """The error is the one that a kernel raises."""
    probe(tmp_path, "own")
    with pytest.raises(error):
        async with PluginHarness(tmp_path / "own", config=config, ports=[Greeter, Clock]):
            pass


async def test_settings_are_checked_against_the_schema(tmp_path: Path) -> None:
    """As in ``hotswap.toml``; and secrets come from the environment that is given."""
    schema = {"type": "object", "properties": {"rate": {"type": "number"}}}
    greeter(tmp_path, "own", config={"schema": schema})
    with pytest.raises(ConfigInvalid, match="rate"):
        async with PluginHarness(tmp_path / "own", config={"rate": "fast"}, ports=[Greeter]):
            pass


CURIOUS = """
    from hotswap_ports import PluginContext
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        def __init__(self, context: PluginContext) -> None:
            self.context = context

        async def greet(self, name, *, loud=False):
            await self.context.storage.put("name", name.encode())
            return name
"""


async def test_capabilities_are_those_of_the_manifest(tmp_path: Path) -> None:
    """What the manifest does not ask for is denied; what it asks for is mocked, and scoped as in a kernel."""
    write_plugin(tmp_path, "poor", CURIOUS, provides={"greeter": "Hello"})
    async with PluginHarness(tmp_path / "poor", ports=[Greeter]) as harness:
        with pytest.raises(CapabilityDenied, match="storage_access"):
            await harness.get(Greeter).greet("heron")
    write_plugin(tmp_path, "rich", CURIOUS, provides={"greeter": "Hello"}, capabilities={"storage_access": True})
    async with PluginHarness(tmp_path / "rich", ports=[Greeter]) as harness:
        await harness.get(Greeter).greet("heron")
        assert await harness.mock(Storage).twin.get("plugins/rich/name") == b"heron"
    with pytest.raises(IsolationRequired):
        async with PluginHarness(tmp_path / "rich", ports=[Greeter], trust="community"):
            pass
    async with PluginHarness(tmp_path / "rich", ports=[Greeter], grants={"storage_access": False}) as harness:
        with pytest.raises(CapabilityDenied):
            await harness.get(Greeter).greet("heron")


async def test_a_port_that_is_not_required_is_not_injected(tmp_path: Path) -> None:
    """A constructor may ask for what the manifest requires, and for nothing else."""
    code = POLITE.replace("storage: Storage", "storage: Storage, search: Search")
    code = code.replace("import Page,", "import Page, Search,")
    write_plugin(tmp_path, "polite", code, provides={"scraper": "Polite"}, requires={"storage": ">=1"})
    with pytest.raises(InjectionFailed, match="search"):
        async with PluginHarness(tmp_path / "polite"):
            pass


HOOKED = """
    from hotswap_ports import Modify, Plugin, PluginContext
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            return name

    class Own(Plugin):
        async def initialize(self, context: PluginContext) -> None:
            context.events.on("on_startup", lambda event: None)
            context.events.on("post_greeter.greet", lambda event: Modify({"result": event.data["result"] + "!"}))
"""


async def test_hooks_run_and_are_counted(tmp_path: Path) -> None:
    """Handlers around calls run with the calls; others when a test lets something happen."""
    write_plugin(tmp_path, "own", HOOKED, provides={"greeter": "Hello"}, python={"class_name": "Own"})
    async with PluginHarness(tmp_path / "own", ports=[Greeter]) as harness:
        assert await harness.get(Greeter).greet("heron") == "heron!"
        await harness.fire("on_startup")
        await harness.fire("on_startup")
        assert (harness.fired("post_greeter.greet"), harness.fired("on_startup")) == (1, 2)


LEAKY = """
    import asyncio
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            asyncio.get_running_loop().create_task(asyncio.sleep(3600), name="forgotten")
            return name
"""


async def test_what_a_plugin_leaves_fails_the_test_and_names_the_line(tmp_path: Path) -> None:
    """A task that outlives its plugin is named, with the line that made it, and what would undo it."""
    write_plugin(tmp_path, "leaky", LEAKY, provides={"greeter": "Hello"})
    with pytest.raises(AssertionError, match=r"leaky left a task: .*forgotten.*made at .*code\.py:7") as left:
        async with PluginHarness(tmp_path / "leaky", ports=[Greeter]) as harness:
            await harness.get(Greeter).greet("heron")
    assert "Cancel it and await it in stop()" in str(left.value)
    async with PluginHarness(tmp_path / "leaky", ports=[Greeter], residue=False) as harness:
        await harness.get(Greeter).greet("heron")
    await _end_forgotten()


async def _end_forgotten() -> None:
    import asyncio

    left = [each for each in asyncio.all_tasks() if each.get_name() == "forgotten"]
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def test_the_error_of_a_test_is_the_one_that_is_seen(tmp_path: Path) -> None:
    """What a plugin leaves says nothing where the test itself has failed."""
    write_plugin(tmp_path, "leaky", LEAKY, provides={"greeter": "Hello"})

    async def failing() -> None:
        async with PluginHarness(tmp_path / "leaky", ports=[Greeter]) as harness:
            await harness.get(Greeter).greet("heron")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    await _end_forgotten()


async def test_randomness_is_a_parameter(tmp_path: Path) -> None:
    """The same seed, the same numbers; and the test's own go on as if nothing had been."""
    code = """
        import random
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                return str(random.random())
    """
    write_plugin(tmp_path, "dice", code, provides={"greeter": "Hello"})
    random.seed(5)
    own = random.random()
    random.seed(5)
    drawn = []
    for _ in range(2):
        async with PluginHarness(tmp_path / "dice", ports=[Greeter], seed=1) as harness:
            drawn.append(await harness.get(Greeter).greet(""))
    assert drawn[0] == drawn[1]
    assert random.random() == own


TICKING = """
    import asyncio, time
    from datetime import UTC, datetime

    from hotswap_ports import Plugin, PluginContext
    from tests.plugin_folder import JOURNAL, Clock

    class Ticks(Clock):
        async def now(self):
            return time.time()

    class Own(Plugin):
        async def initialize(self, context: PluginContext):
            JOURNAL["ticking"] = []
            self.task = asyncio.create_task(self.tick())
        async def tick(self):
            while True:
                await asyncio.sleep(60)
                JOURNAL["ticking"].append(datetime.now(UTC).strftime("%H:%M"))
        async def stop(self):
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
"""
NOON = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)


def ticking(root: Path) -> Path:
    """Write a plugin that does something every minute."""
    return write_plugin(root, "ticking", TICKING, provides={"clock": "Ticks"}, python={"class_name": "Own"})


async def test_time_is_a_parameter(tmp_path: Path) -> None:
    """The clock on the wall stands still where the test put it, and goes on as far as the test says."""
    async with PluginHarness(ticking(tmp_path), ports=[Clock], now=NOON) as harness:
        clock = harness.get(Clock)
        assert await clock.now() == await clock.now() == NOON.timestamp()
        await harness.advance(0.5)
        assert await clock.now() == NOON.timestamp() + 0.5
    assert time.time() > NOON.timestamp() + 3600


async def test_what_waits_for_time_to_pass_goes_on_when_it_is_due(tmp_path: Path) -> None:
    """Each timer goes off once it is due, at its own time, in the twinkling of an eye."""
    async with PluginHarness(ticking(tmp_path), ports=[Clock], now=NOON) as harness:
        await harness.advance(59)
        assert JOURNAL["ticking"] == []
        await harness.advance(3541.5)
        assert JOURNAL["ticking"] == [*(f"12:{minute:02}" for minute in range(1, 60)), "13:00"]


async def test_limits_and_delays_of_mocks_go_by_that_time(tmp_path: Path) -> None:
    """A limit is over, and a delay ends, when the test has let enough time pass."""
    async with PluginHarness(polite(tmp_path)) as harness:
        harness.mock(Storage).limit(1, seconds=60)
        scraper = harness.get(Scraper)
        await scraper.scrape(ScrapeRequest("https://a.example.org/"))
        await harness.advance(61)
        harness.mock(Storage).on("put").delay(3600)
        waiting = asyncio.create_task(scraper.scrape(ScrapeRequest("https://b.example.org/")))
        await harness.advance(3599)
        assert not waiting.done()
        await harness.advance(2)
        await waiting
    assert len(harness.calls) == 2


SLOW = """
    import asyncio
    from hotswap_ports import Plugin

    class Own(Plugin):
        async def stop(self):
            await asyncio.sleep({0})
"""


async def test_what_is_awaited_while_closing_has_time(tmp_path: Path) -> None:
    """A plugin may wait when it stops, as long as a step may take; one that takes longer is told as a kernel does."""
    write_plugin(tmp_path, "slow", SLOW.replace("{0}", "0.05"), python={"class_name": "Own"})
    async with PluginHarness(tmp_path / "slow"):
        pass
    write_plugin(tmp_path, "slow", SLOW.replace("{0}", "60"), python={"class_name": "Own"})
    with pytest.raises(TeardownFailed, match=r"stop took longer than 0\.1 s"):
        async with PluginHarness(tmp_path / "slow", timeout=0.1):
            pass
    with pytest.raises(ValueError, match="mine") as mine:
        async with PluginHarness(tmp_path / "slow", timeout=0.1):
            raise ValueError("mine")
    assert "took longer" in mine.value.__notes__[0]


@pytest.mark.parametrize("plugin", ["sqlite-storage", "sqlite-search", "http-scraper"])
async def test_plugins_of_hotswap_close_cleanly(plugin: str, tmp_path: Path) -> None:
    """What hotswap brings along passes its own harness."""
    config = {"path": str(tmp_path / "a.db")} if plugin.startswith("sqlite") else {}
    async with PluginHarness(plugin, config=config) as harness:
        assert (await harness.health()).status == "healthy"


HOLDING = """
    from tests.plugin_folder import Greeter

    class Value:
        pass

    class Hello(Greeter):
        async def greet(self, name, *, loud=False):
            if name == "raise":
                raise ValueError("bad")
            if name == "log":
                import logging
                logging.getLogger("own").warning("hello %s", self)
            return Value() if name == "value" else "hi"
"""
kept: list[object] = []


@pytest.mark.parametrize("where", ["local", "module"])
async def test_what_the_test_holds_is_not_left_by_the_plugin(
    tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors, values and records of the log that a test keeps are its own affair, and so is what it makes itself."""
    write_plugin(tmp_path, "own", HOLDING, provides={"greeter": "Hello"})
    async with PluginHarness(tmp_path / "own", ports=[Greeter]) as harness:
        greeter = harness.get(Greeter)
        with pytest.raises(AdapterFailed) as raised:
            await greeter.greet("raise")
        value = await greeter.greet("value")
        await greeter.greet("log")
        if where == "module":
            kept.extend([raised.value, value])
    assert caplog.records
    assert type(value).__name__ == "Value"
    kept.clear()


async def test_what_a_test_in_the_folder_of_the_plugin_does_is_its_own(tmp_path: Path) -> None:
    """Code that was imported before the plugin is none of its code, wherever it lies."""
    write_plugin(tmp_path, "own", HOLDING, provides={"greeter": "Hello"})
    tests = tmp_path / "own" / "beside.py"
    tests.write_text(
        "import json, os\n"
        "def act():\n    os.environ['HOTSWAP_BESIDE'] = '1'\n    json.dumps = lambda *a: ''\n"
        "    return open(__file__)\n"
    )
    spec = importlib.util.spec_from_file_location("beside_the_plugin", tests)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    before = json.dumps
    try:
        async with PluginHarness(tmp_path / "own", ports=[Greeter]):
            opened = module.act()
    finally:
        json.dumps = before
        os.environ.pop("HOTSWAP_BESIDE", None)
        del sys.modules[spec.name]
    opened.close()


async def test_what_a_mock_was_given_is_not_left_by_the_plugin(tmp_path: Path) -> None:
    """A mock remembers what it was called with, for the test."""
    code = """
        from hotswap_ports import Workflow
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self, workflow: Workflow):
                self.workflow = workflow
            def heard(self, event):
                pass
            async def greet(self, name, *, loud=False):
                await self.workflow.run({}, progress=self.heard)
                return "hi"
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, requires={"workflow": ">=1"})
    async with PluginHarness(tmp_path / "own", ports=[Greeter]) as harness:
        await harness.get(Greeter).greet("x")
    assert len(harness.calls) == 1


@pytest.mark.parametrize(
    ("tables", "error", "text"),
    [
        ({"requires": {"ai": ">=9"}}, HotswapError, "ai"),
        ({"hotswap": {"min_version": "9.0.0"}}, HotswapError, r"9\.0\.0"),
        ({"python": {"dependencies": ["no-such-distribution-anywhere"]}}, HotswapError, "no-such-distribution"),
        ({"python": {"python_version": ">=9"}}, HotswapError, "9"),
    ],
)
async def test_what_a_kernel_would_not_use_is_not_opened(
    tmp_path: Path, tables: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Versions of ports, of the host, of Python and of distributions are held as a kernel holds them."""
    write_plugin(tmp_path, "own", HOLDING, provides={"greeter": "Hello"}, **tables)
    with pytest.raises(error, match=text):
        async with PluginHarness(tmp_path / "own", ports=[Greeter]):
            pass


def _harness(root: Path, **options: Any) -> PluginHarness:
    return PluginHarness(polite(root), **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"trust": "trusted"}, "no trust level"),
        ({"trust": None}, r"\$\.trust\.polite"),
        ({"config": "x"}, r"\$\.config\.polite"),
        ({"grants": {"storage_acess": False}}, "storage_access"),
        ({"grants": {"storage_access": "no"}}, r"\$\.grants\.polite"),
        ({"timeout": "soon"}, "timeout"),
    ],
)
async def test_arguments_are_held_to_what_the_file_may_say(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    """What could not stand in hotswap.toml is refused, and each mistake is named."""
    with pytest.raises(SettingsInvalid, match=text):
        _harness(tmp_path, **options)


@pytest.mark.parametrize("adapter", [MockStorage, object(), MemoryAI()])
async def test_a_mock_is_an_adapter_of_its_port(tmp_path: Path, adapter: Any) -> None:
    """A class, or an adapter of another port, is told before anything is opened."""
    with pytest.raises(CallInvalid, match="for Storage an open one"):
        async with _harness(tmp_path, mocks={Storage: adapter}):
            pass


async def test_ports_are_named_by_their_class(tmp_path: Path) -> None:
    """Names, and classes that are none, are told; a port of one's own among the mocks is known by that."""
    with pytest.raises(CallInvalid, match="the class of a port"):
        _harness(tmp_path, mocks={"storage": MockStorage()})
    async with _harness(tmp_path) as harness:
        for wrong in ("storage", int, polite):
            with pytest.raises(CallInvalid, match="the class of a port"):
                harness.get(wrong)  # type: ignore[type-var,arg-type]
            with pytest.raises(CallInvalid, match="the class of a port"):
                harness.mock(wrong)  # type: ignore[type-var,arg-type]
    code = """
        from tests.plugin_folder import Clock, Greeter

        class Hello(Greeter):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock
            async def greet(self, name, *, loud=False):
                return f"{await self.clock.now():g}"
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, requires={"clock": ">=2"})

    class Fixed(Clock):
        async def now(self) -> float:
            return 3.0

    async with PluginHarness(tmp_path / "own", mocks={Clock: Fixed()}, ports=[Greeter]) as harness:
        assert await harness.get(Greeter).greet("") == "3"


async def test_it_is_used_while_it_is_open(tmp_path: Path) -> None:
    """Before and after the block there is nothing to call; what was called can be looked at; one block at a time."""
    harness = _harness(tmp_path)
    for early in (lambda: harness.get(Scraper), lambda: harness.mock(Storage)):
        with pytest.raises(KernelNotRunning, match="the harness of polite is not open"):
            early()
    for _ in range(2):
        async with harness:
            await harness.get(Scraper).scrape(ScrapeRequest("https://a.example.org/"))
            with pytest.raises(KernelInUse):
                await harness.__aenter__()
        assert len(harness.calls) == 1
        with pytest.raises(KernelNotRunning):
            await harness.health()
        with pytest.raises(KernelNotRunning):
            await harness.fire("on_startup")


async def test_a_point_that_is_none_was_never_fired(tmp_path: Path) -> None:
    """A typo is told, and not counted as 0."""
    async with _harness(tmp_path) as harness:
        with pytest.raises(HookInvalid, match="pre_storage_wrte") as refused:
            harness.fired("pre_storage_wrte")
    assert "pre_storage_write" in refused.value.hint


async def test_a_wrong_use_of_time_is_told(tmp_path: Path) -> None:
    """A moment has a time zone, and time does not go back."""
    with pytest.raises(CallInvalid, match="a datetime with a time zone"):
        PluginHarness(ticking(tmp_path), ports=[Clock], now=datetime(2026, 1, 1))
    async with PluginHarness(tmp_path / "ticking", ports=[Clock]) as harness:
        with pytest.raises(CallInvalid, match="0 or more"):
            await harness.advance(-1)


async def test_two_plugins_at_once_may_both_be_moved_on(tmp_path: Path) -> None:
    """The clock of the loop is one, and never goes back."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with (
        PluginHarness(ticking(tmp_path / "one"), ports=[Clock]) as one,
        PluginHarness(ticking(tmp_path / "two"), ports=[Clock]) as two,
    ):
        await one.advance(100)
        await two.advance(100)
    assert loop.time() >= before + 200


async def test_a_port_of_ones_own_that_nobody_mocked_says_what_to_write(tmp_path: Path) -> None:
    """A rule answers it, or a twin is given; the test fails for it, whoever has swallowed the error."""
    code = """
        from tests.plugin_folder import Gauge, Greeter

        class Hello(Greeter):
            def __init__(self, gauge: Gauge) -> None:
                self.gauge = gauge

            async def greet(self, name, *, loud=False):
                return f"{name} at {await self.gauge.level()}"
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, requires={"gauge": ">=1"})
    with pytest.raises(WrongTest, match=r"Nobody answers gauge\.level: say on\('level'\)\.answer"):
        async with PluginHarness(tmp_path / "own", ports=[Greeter, Gauge]) as harness:
            await asyncio.gather(harness.get(Greeter).greet("heron"), return_exceptions=True)
    async with PluginHarness(tmp_path / "own", ports=[Greeter, Gauge]) as harness:
        harness.mock(Gauge).on("level").answer(12.5)
        assert await harness.get(Greeter).greet("heron") == "heron at 12.5"


async def test_what_is_asked_for_in_vain_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    """No such plugin, an invalid manifest, a port that the plugin neither provides nor requires."""
    with pytest.raises(PluginNotFound, match="reserch") as missing:
        PluginHarness("reserch")
    assert "research" in missing.value.hint
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "plugin.toml").write_text("[plugin]\nid = 1\n")
    with pytest.raises(ManifestInvalid):
        PluginHarness(tmp_path / "broken")
    with pytest.raises(PluginNotFound):
        PluginHarness(tmp_path / "nothing")
    async with PluginHarness(polite(tmp_path)) as harness:
        with pytest.raises(PortUnknown):
            harness.get(Workflow)
        with pytest.raises(PortUnknown):
            harness.mock(AIProvider)
        assert isinstance(harness.mock(Storage), MockStorage)


def test_checks_name_every_field_that_is_wrong() -> None:
    """A line for each: what it is, what was wanted, and the nearest name where there is none."""
    value = {"report": {"title": "Herons", "score": 0.2, "tags": ["a", "b"]}}
    check(value, {"report.title": matching("^H"), "report.score": within(0, 0.5), "report.tags.-1": "b"})
    check(value, {"report.tags": lambda tags: len(tags) == 2})
    wrong = {"report.titel": "Herons", "report.score": within(0.5, 1), "report.tags.0": "x", "report.tags.7": 1}
    with pytest.raises(AssertionError) as failed:
        check(value, wrong)
    lines = str(failed.value).splitlines()
    assert lines[0].startswith("report.titel: there is no 'titel' in dict at report. Did you mean")
    assert lines[1] == "report.score: 0.2 is not a number within 0.5 and 1"
    assert lines[2] == "report.tags.0: 'a' is not 'x'"
    assert lines[3].startswith("report.tags.7: there is no '7' in list at report.tags.")
