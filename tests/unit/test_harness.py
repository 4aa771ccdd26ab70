"""A plugin alone: opened as a kernel opens it, with mocks around it, and looked after when it has gone."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hotswap.errors import (
    CapabilityDenied,
    ConfigInvalid,
    InjectionFailed,
    IsolationRequired,
    ManifestInvalid,
    PluginInitFailed,
    PluginNotFound,
    PortUnknown,
    ProviderNotFound,
)
from hotswap.testing import PluginHarness, check, matching, within
from hotswap_ports import (
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
from hotswap_ports.testing import MemoryStorage, MockStorage
from tests.plugin_folder import Clock, Greeter, greeter, probe, probing, write_plugin

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


async def test_time_of_the_mocks_is_a_parameter(tmp_path: Path) -> None:
    """A limit on a mock counts by the clock that is given."""
    now = [0.0]
    async with PluginHarness(polite(tmp_path), clock=lambda: now[0]) as harness:
        harness.mock(Storage).limit(1, seconds=60)
        scraper = harness.get(Scraper)
        await scraper.scrape(ScrapeRequest("https://a.example.org/"))
        now[0] = 61.0
        await scraper.scrape(ScrapeRequest("https://b.example.org/"))
    assert len(harness.calls) == 2


async def test_a_port_of_ones_own_that_nobody_mocked_says_what_to_write(tmp_path: Path) -> None:
    """A rule answers it, or a twin is given."""
    code = """
        from tests.plugin_folder import Clock, Greeter

        class Hello(Greeter):
            def __init__(self, clock: Clock) -> None:
                self.clock = clock

            async def greet(self, name, *, loud=False):
                return f"{name} at {await self.clock.now()}"
    """
    write_plugin(tmp_path, "own", code, provides={"greeter": "Hello"}, requires={"clock": ">=2"})
    async with PluginHarness(tmp_path / "own", ports=[Greeter, Clock]) as harness:
        with pytest.raises(Exception, match=r'harness\.mock\(Clock\)\.on\("now"\)\.answer'):
            await harness.get(Greeter).greet("heron")
        harness.mock(Clock).on("now").answer(12.5)
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
