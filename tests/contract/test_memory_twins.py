"""The in-memory twins keep the contracts of their ports."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict

import hotswap_plugins
from hotswap_adapters.search.sqlite import SqliteSearchConfig
from hotswap_adapters.storage.sqlite import SqliteStorageConfig
from hotswap_plugins.memory import CannedAI, CannedScraper, LimitedStorage, MemoryConfig
from hotswap_ports import (
    CompletionRequest,
    FeatureUnsupported,
    InputSpec,
    InvalidRequest,
    Message,
    NotFound,
    ScrapeRequest,
    TooLarge,
    ToolFeatures,
    ToolResult,
    testing,
)
from hotswap_ports.testing import (
    AIContract,
    FormatterContract,
    MemoryAI,
    MemoryFormatter,
    MemoryTool,
    MemoryWorkflow,
    ToolContract,
    WorkflowContract,
)


class TestMemoryAI(AIContract):
    """Without answers it refuses to generate."""

    @pytest.fixture
    def ai(self) -> MemoryAI:
        return MemoryAI()


class TestGenerativeMemoryAI(AIContract):
    """With answers it generates."""

    @pytest.fixture
    def ai(self) -> MemoryAI:
        return MemoryAI(answers=("In the shallow river.", "South."))


class TestMemoryFormatter(FormatterContract):
    """As plain text."""

    @pytest.fixture
    def formatter(self) -> MemoryFormatter:
        return MemoryFormatter()


class TestMemoryWorkflow(WorkflowContract):
    """Which reports its inputs."""

    @pytest.fixture
    def workflow(self) -> MemoryWorkflow:
        return MemoryWorkflow()

    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        return {"words": ("heron",), "times": 2, "loud": True}


class TestMemoryTool(ToolContract):
    """Which repeats its arguments."""

    @pytest.fixture
    def tool(self) -> MemoryTool:
        return MemoryTool()

    @pytest.fixture
    def arguments(self) -> dict[str, Any]:
        return {
            "text": "heron",
            "times": 2,
            "factor": 0.5,
            "loud": True,
            "tone": "plain",
            "tags": ["bird"],
            "note": None,
        }


class TestMemoryToolWithoutArguments(ToolContract):
    """The least tool: it takes nothing, and has a function that says how sure it is."""

    @pytest.fixture
    def tool(self) -> MemoryTool:
        return MemoryTool(lambda arguments: ToolResult([1], "One.", 0.5), features=ToolFeatures())

    @pytest.fixture
    def arguments(self) -> dict[str, Any]:
        return {}


class TestCannedAI(AIContract):
    """As the plugin ``memory`` builds it."""

    @pytest.fixture
    def ai(self) -> MemoryAI:
        return CannedAI(MemoryConfig(answers=("In the river.",)))


async def test_the_plugins_settings_fill_its_twins() -> None:
    """Pages, answers and the limit come from the settings; without them there is nothing to give."""
    config = MemoryConfig(pages={"https://a.example.org/": "Herons."}, answers=("One.", "Two."), max_value_bytes=3)
    assert (await CannedScraper(config).scrape(ScrapeRequest("https://a.example.org/"))).text == "Herons."
    with pytest.raises(NotFound):
        await CannedScraper(MemoryConfig()).scrape(ScrapeRequest("https://a.example.org/"))
    ai, request = CannedAI(config), CompletionRequest((Message("user", "?"),))
    assert [(await ai.complete(request)).text for _ in range(3)] == ["One.", "Two.", "One."]
    assert not CannedAI(MemoryConfig()).features.generative
    with pytest.raises(TooLarge):
        await LimitedStorage(config).put("key", b"four")


async def test_answers_may_be_a_function_and_obey_the_request() -> None:
    """A function sees the request; stop texts and max_tokens cut; a stream gives the same text word by word."""
    ai = MemoryAI(lambda request: f"You said:  {request.messages[-1].content}! STOP and more.\n")
    messages = (Message("user", "hello there"),)
    assert (await ai.complete(CompletionRequest(messages, stop=("STOP", "")))).text == "You said:  hello there! "
    short = await ai.complete(CompletionRequest(messages, max_tokens=3))
    assert (short.text, short.finish_reason, short.usage.output_tokens) == ("You said:", "length", 3)
    whole = await ai.complete(CompletionRequest(messages))
    chunks = [each async for each in ai.stream(CompletionRequest(messages))]
    assert "".join(each.text for each in chunks) == whole.text
    assert len(chunks) > 5
    assert chunks[-1].usage == whole.usage
    with pytest.raises(FeatureUnsupported):
        await ai.complete(CompletionRequest(messages, json_schema={}))
    assert (await MemoryAI("One string.").complete(CompletionRequest(messages))).text == "One string."
    with pytest.raises(InvalidRequest):
        MemoryAI(())


async def test_a_workflow_may_have_inputs_of_its_own() -> None:
    """Given inputs are checked and reported: a required one is wanted, what is unknown is named."""
    workflow = MemoryWorkflow(inputs=(InputSpec("name", required=True),))
    with pytest.raises(InvalidRequest, match="'name' is missing"):
        await workflow.run({})
    with pytest.raises(InvalidRequest, match="no input other"):
        await workflow.run({"name": "x", "other": 1})
    assert "name = 'x'" in (await workflow.run({"name": "x"})).rendered.text


async def test_a_tool_answers_with_what_its_function_makes_of_the_arguments() -> None:
    """A value gets its words, a result stays as it is; what the schema leaves open may be given."""
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    tool = MemoryTool(lambda given: sum(given.values()), features=ToolFeatures("Adds.", numbers))
    assert await tool.call({"a": 1, "b": 2.5}) == ToolResult(3.5, "3.5")
    with pytest.raises(InvalidRequest, match="b takes a value of type number, not '2'"):
        await tool.call({"a": 1, "b": "2"})
    assert await MemoryTool(lambda given: given.pop("text")).call({"text": "heron"}) == ToolResult("heron", "heron")
    anything = ToolFeatures(parameters={"type": "object"})
    assert (await MemoryTool(features=anything).call({"a": [None]})).value == {"a": [None]}


@pytest.mark.parametrize(
    ("schema", "fitting", "wrong"),
    [
        ({"type": "integer"}, [1, 2.0, 10**400], [True, 1.5, float("nan"), "1"]),
        ({"type": "number"}, [1, 1.5], [True, float("inf"), "1"]),
        ({"type": ["string", "null"]}, ["", None], [0, []]),
        ({"type": "array"}, [[]], [(), {}, "ab"]),
        ({"type": "object"}, [{}], [[], "ab"]),
        ({"enum": [1, "one", None]}, [1, 1.0, "one", None], [True, 2, "two"]),
        ({}, [None, True, 1, "1", [], {}], [object()]),
    ],
)
async def test_a_tool_holds_each_argument_against_its_schema(
    schema: dict[str, Any], fitting: list[Any], wrong: list[Any]
) -> None:
    """As JSON Schema has it: a flag is no number, 2.0 is an integer, an enum may be of any values."""
    parameters = {"type": "object", "properties": {"it": schema}}
    tool = MemoryTool(lambda given: "taken", features=ToolFeatures(parameters=parameters))
    for value in fitting:
        assert (await tool.call({"it": value})).value == "taken"
    for value in wrong:
        with pytest.raises(InvalidRequest, match="The argument it takes "):
            await tool.call({"it": value})


def test_the_twins_need_no_pytest() -> None:
    """Where pytest is not installed, the package and every twin work; a suite says what is missing."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import hotswap_ports.testing as testing\n"
        "import hotswap_plugins.memory\n"
        "twins = [getattr(testing, name)() for name in testing.__all__ if name.startswith('Memory')]\n"
        "assert len(twins) == 7\n"
        "try: testing.AIContract\n"
        "except ImportError: print('no pytest')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("no pytest\n", "")


def test_every_name_of_the_package_can_be_had() -> None:
    """``__all__`` and ``dir`` name what exists, and what does not is an AttributeError."""
    assert testing.__all__ == sorted(testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))
    assert all(callable(getattr(testing, name)) for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'MemoryFridge'"):
        testing.MemoryFridge  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize(
    ("folder", "config"),
    [("memory", MemoryConfig()), ("sqlite_storage", SqliteStorageConfig()), ("sqlite_search", SqliteSearchConfig())],
)
def test_manifest_and_class_have_the_same_defaults(folder: str, config: Any) -> None:
    """A schema's defaults are those of the class that the settings become."""
    text = (Path(hotswap_plugins.__path__[0]) / folder / "plugin.toml").read_text(encoding="utf-8")
    properties = tomllib.loads(text)["plugin"]["config"]["schema"]["properties"]
    defaults = {name: each["default"] for name, each in properties.items()}
    assert defaults == {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(config).items()}


async def test_each_provider_is_a_tool_that_can_be_offered_by_its_name() -> None:
    """A kernel tells names, descriptions and schemas of all tools, and a tool is called through its handle."""
    from hotswap import Kernel, Settings
    from hotswap_ports import Tool

    async with Kernel(Settings(enabled=["memory"]), environ={}) as kernel:
        tools = kernel.all(Tool)
        assert {name: each.features for name, each in tools.items()} == {"memory": MemoryTool().features}
        assert (await tools["memory"].call({"text": "heron"})).value == {"text": "heron"}
        with pytest.raises(InvalidRequest, match="txt"):
            await kernel.get(Tool).call({"text": "heron", "txt": ""})


async def test_what_the_memory_holds_survives_its_swaps() -> None:
    """Configuring or reloading the plugin memory loses nothing: keys, versions, documents and vectors go on."""
    from hotswap import Kernel, Settings
    from hotswap_ports import Document, Search, SearchQuery, Storage, Vector

    ports = {"storage": ("memory",), "search": ("memory",)}
    async with Kernel(Settings(enabled=["memory"], ports=ports), environ={}) as kernel:
        storage, search = kernel.get(Storage), kernel.get(Search)
        await storage.put("gone", b"")
        await storage.delete("gone")
        await storage.put("key", b"value")
        before = await storage.read("key")
        await search.index([Document("a", "herons fish", Vector.of([1, 2], "m"), {"n": 1}), Document("b", "otters")])
        await kernel.configure("memory", {"max_value_bytes": 10})
        await kernel.reload("memory")
        assert await storage.read("key") == before
        assert await storage.put("gone", b"") == 3
        assert (await storage.list()).keys == ("gone", "key")
        found = await search.search(SearchQuery("herons", Vector.of([1, 2], "m")))
        assert [(each.id, each.metadata) for each in found.hits] == [("a", {"n": 1})]
        assert await search.count() == 2
