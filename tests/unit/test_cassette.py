"""Cassettes: a real adapter is asked once, and tests are answered from what it said."""

from __future__ import annotations

import base64
import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_ports import (
    AIProvider,
    CompletionChunk,
    CompletionRequest,
    Conflict,
    Document,
    EmbeddingRequest,
    InvalidContent,
    InvalidRequest,
    Message,
    Page,
    Port,
    Report,
    Search,
    SearchQuery,
    Storage,
    SummaryRequest,
    Tool,
    ToolResult,
    Unavailable,
    Vector,
    Workflow,
)
from hotswap_ports.testing import (
    MemoryAI,
    MemorySearch,
    MemoryStorage,
    MemoryTool,
    MemoryWorkflow,
    MockAI,
    NotRecordable,
    NotRecorded,
    WrongTest,
    record,
    replay,
)
from hotswap_ports.testing.plain import Plain

QUESTION = CompletionRequest((Message("user", "Where is the heron?"),))


async def test_a_real_adapter_is_recorded_and_replayed(tmp_path: Path) -> None:
    """Summaries, vectors, features: the replayed adapter says what the real one said, without it."""
    path, summary = tmp_path / "ai.json", SummaryRequest(("Herons wait. Then they strike. Fish do not like that.",), 2)
    async with ExtractiveAI(ExtractiveConfig(embedder="hashing")) as real:
        async with record(AIProvider, real, path) as ai:
            said = await ai.summarize(summary), await ai.embed(EmbeddingRequest(("heron",))), await ai.models()
        features = real.features
    ai = replay(AIProvider, path)
    assert (await ai.summarize(summary), await ai.embed(EmbeddingRequest(("heron",))), await ai.models()) == said
    assert ai.features == features
    assert isinstance(ai, AIProvider)


async def test_errors_and_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    """A conflict keeps its versions, a value its bytes and its time."""
    path = tmp_path / "storage.json"
    config = SqliteStorageConfig(path=str(tmp_path / "data.db"))
    async with SqliteStorage(config) as real, record(Storage, real, path) as storage:
        await storage.put("a", b"\xff\x00")
        stored = await storage.read("a")
        with pytest.raises(Conflict):
            await storage.put("a", b"", expect=7)
    storage = replay(Storage, path)
    assert await storage.read("a") == stored
    with pytest.raises(Conflict, match="'a' is at version 1, not 7") as conflict:
        await storage.put("a", b"", expect=7)
    assert (conflict.value.expected, conflict.value.actual) == (7, 1)


async def test_streams_with_their_end(tmp_path: Path) -> None:
    """A stream is replayed item by item, and breaks where it broke."""
    path, mock = tmp_path / "ai.json", MockAI(MemoryAI("one two three"))
    mock.on("stream", "*heron*").cut(after=2, failure=Unavailable("gone"))
    whole = CompletionRequest((Message("user", "count"),))
    async with record(AIProvider, mock, path) as ai:
        said = [each async for each in ai.stream(whole)]
        with pytest.raises(Unavailable):
            await _all(ai)
    ai = replay(AIProvider, path)
    assert [each async for each in ai.stream(whole)] == said
    with pytest.raises(Unavailable, match="gone"):
        await _all(ai)


async def _all(ai: AIProvider) -> list[CompletionChunk]:
    return [each async for each in ai.stream(QUESTION)]


async def test_the_same_call_is_answered_in_turn_and_the_last_answer_stays(tmp_path: Path) -> None:
    """What changed between two calls changes again when they are replayed."""
    path = tmp_path / "search.json"
    async with record(Search, MemorySearch(), path) as search:
        counts = [await search.count(), await search.index([Document("a", "heron")]), await search.count()]
        found = await search.search(SearchQuery("heron"))
    search = replay(Search, path)
    assert [await search.count(), await search.index([Document("a", "heron")]), await search.count()] == counts
    assert await search.count() == 1
    assert await search.search(SearchQuery("heron")) == found


async def test_a_call_that_is_not_on_it_is_no_error_of_a_port(tmp_path: Path) -> None:
    """The code under test must not take it for a failure of the adapter and go on."""
    path = tmp_path / "ai.json"
    async with record(AIProvider, MemoryAI("In the river."), path) as ai:
        await ai.complete(QUESTION)
    with pytest.raises(NotRecorded, match=r"ai\.json has no call complete.*record it anew"):
        await replay(AIProvider, path).complete(CompletionRequest((Message("user", "Else?"),)))


async def test_no_handler_of_the_code_under_test_hides_a_call_that_is_not_on_it(tmp_path: Path) -> None:
    """It says that the test is wrong, and is no Exception."""
    path = tmp_path / "ai.json"
    async with record(AIProvider, MemoryAI("In the river."), path) as ai:
        await ai.complete(QUESTION)

    async def careless() -> object:
        try:
            return await replay(AIProvider, path).models()
        except Exception:
            return None

    with pytest.raises(NotRecorded):
        await careless()
    assert issubclass(NotRecorded, WrongTest)


async def test_functions_are_left_out(tmp_path: Path) -> None:
    """A progress callback is no part of what was asked."""
    path, seen = tmp_path / "workflow.json", []
    async with record(Workflow, MemoryWorkflow(), path) as workflow:
        result = await workflow.run({"words": ("heron",)}, progress=seen.append)
    assert seen
    assert await replay(Workflow, path).run({"words": ("heron",)}, progress=lambda event: None) == result


async def test_a_tool_is_recorded_with_whatever_json_it_takes_and_gives(tmp_path: Path) -> None:
    """Arguments and values of any depth come back as they were."""
    path = tmp_path / "tool.json"
    arguments = {"text": "heron", "tags": ["a", {"$": 1, "deep": [None, 0.5, True]}]}
    async with record(Tool, MemoryTool(), path) as tool:
        result = await tool.call(arguments)
    assert result.value == arguments
    assert await replay(Tool, path).call(arguments) == result


async def test_secrets_are_taken_out_before_anything_is_written(tmp_path: Path) -> None:
    """``scrub`` sees every text; the replay is asked with the secret, and finds the call."""
    path = tmp_path / "ai.json"

    def scrub(text: str) -> str:
        return text.replace("sk-secret", "***")

    request = CompletionRequest((Message("user", "my key is sk-secret"),))
    async with record(AIProvider, MemoryAI(lambda asked: asked.messages[0].content), path, scrub=scrub) as ai:
        await ai.complete(request)
    assert "sk-secret" not in path.read_text("utf-8")
    assert (await replay(AIProvider, path, scrub=scrub).complete(request)).text == "my key is ***"


async def test_secrets_in_keys_and_bytes_are_taken_out_as_well(tmp_path: Path) -> None:
    """Bytes are told as the text that they are; what is no UTF-8 in them comes back byte for byte."""
    path = tmp_path / "storage.json"

    def scrub(text: str) -> str:
        return text.replace("sk-SECRET", "***")

    async with record(Storage, MemoryStorage(), path, scrub=scrub) as storage:
        await storage.put("k", b"token sk-SECRET")
        await storage.put("sk-SECRET", b"\xff sk-SECRET \xfe")
        await storage.put("binary", bytes(range(256)))
        kept = [await storage.get(each) for each in ("k", "sk-SECRET", "binary")]
    written = path.read_text("utf-8")
    assert kept[0] == b"token sk-SECRET"
    assert not any(_hidden_in(written, each) for each in (b"sk-SECRET", "sk-SECRET".encode("utf-16-le")))
    storage = replay(Storage, path, scrub=scrub)
    replayed = [await storage.get(each) for each in ("k", "sk-SECRET", "binary")]
    assert replayed == [b"token ***", b"\xff *** \xfe", bytes(range(256))]
    tool = tmp_path / "tool.json"
    async with record(Tool, MemoryTool(), tool, scrub=scrub) as recorded:
        await recorded.call({"text": "a", "tags": [{"sk-SECRET": 1, 2: "sk-SECRET"}]})
    assert "sk-SECRET" not in tool.read_text("utf-8")


def _hidden_in(written: str, secret: bytes) -> bool:
    found = [base64.b64decode(each) for each in re.findall(r'"base64": "([^"]*)"', written)]
    return secret.decode("latin-1") in written or any(secret in each for each in found)


async def test_what_a_name_says_is_a_secret_is_masked_unasked(tmp_path: Path) -> None:
    """Headers, parameters, fields, URLs; the replay is asked with the secret, and finds the call."""
    path = tmp_path / "tool.json"
    arguments = {
        "text": "https://ann:s3cret@a.example.org/?api_key=s3cret&page=2",
        "headers": {"Authorization": "Bearer s3cret", "X-Api-Key": b"s3cret", "Accept": "text/html"},
        "tags": [["Set-Cookie", "s3cret"], ("x-auth-token", "s3cret"), ["one", "two"], ["token", "password", "three"]],
        "accessToken": "s3cret",
        "password": {"old": "s3cret", "tries": 3},
        "max_tokens": 5,
        "next_token": "page 2",
        "key": "name",
    }
    async with record(Tool, _Loose(), path) as tool:
        await tool.call(arguments)
    written = path.read_text("utf-8")
    assert "s3cret" not in written
    assert base64.b64encode(b"s3cret").decode() not in written
    said = (await replay(Tool, path).call(arguments)).value
    assert said["text"] == "https://ann:***@a.example.org/?api_key=***&page=2"
    assert said["headers"] == {"Authorization": "***", "X-Api-Key": b"***", "Accept": "text/html"}
    assert said["tags"][2:] == [["one", "two"], ["token", "password", "three"]]
    assert said["password"] == {"old": "***", "tries": 3}
    assert [said[each] for each in ("max_tokens", "next_token", "key")] == [5, "page 2", "name"]


async def test_a_name_that_is_no_secret_is_kept_when_it_is_named(tmp_path: Path) -> None:
    """A tool may call a word a token."""
    path = tmp_path / "tool.json"
    async with record(Tool, _Loose(), path, keep={"Token"}) as tool:
        await tool.call({"token": "heron"})
        await tool.call({"token": "fish"})
    tool = replay(Tool, path, keep={"token"})
    assert [(await tool.call({"token": each})).value["token"] for each in ("fish", "heron")] == ["fish", "heron"]


class _Loose(Tool):
    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(dict(arguments))


async def test_a_call_that_is_not_on_it_is_told_without_its_secrets(tmp_path: Path) -> None:
    """What a test prints lands in a log."""
    path = tmp_path / "tool.json"
    async with record(Tool, _Loose(), path):
        pass
    with pytest.raises(NotRecorded) as missing:
        await replay(Tool, path).call({"api_key": "s3cret"})
    assert "s3cret" not in str(missing.value)
    with pytest.raises(NotRecorded, match="a object cannot be written"):
        await replay(Tool, path).call({"a": object()})


async def test_what_cannot_be_written_is_told_at_the_call_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Method and parameter are named; the calls before it are on the cassette."""
    path = tmp_path / "tool.json"
    with pytest.raises(NotRecordable, match=r"tool\.call cannot be recorded, because of its parameter arguments"):
        await _recorded(path, {"text": object()})
    assert (await replay(Tool, path).call({"text": "one"})).value == {"text": "one"}
    async with record(Storage, _Odd(), tmp_path / "storage.json") as storage:
        with pytest.raises(NotRecordable, match="because of what it returned"):
            await storage.read("a")


async def _recorded(path: Path, last: dict[str, Any]) -> None:
    async with record(Tool, MemoryTool(), path) as tool:
        await tool.call({"text": "one"})
        await tool.call(last)


async def test_what_is_no_valid_unicode_is_recorded_as_well(tmp_path: Path) -> None:
    """A text with half a character is asked, refused, and refused again."""
    path = tmp_path / "storage.json"
    async with record(Storage, MemoryStorage(), path) as storage:
        with pytest.raises(InvalidRequest):
            await storage.get("\ud800")
    with pytest.raises(InvalidRequest):
        await replay(Storage, path).get("\ud800")


async def test_a_scrub_that_fails_is_told_at_the_call(tmp_path: Path) -> None:
    """It returns no text, say, or cannot bear what it is told."""
    for scrub, says in ((lambda text: None, "scrub returned None"), (lambda text: text.encode().decode(), "encode")):
        async with record(Storage, MemoryStorage(), tmp_path / "storage.json", scrub=scrub) as storage:
            with pytest.raises(NotRecordable, match=says):
                await storage.put("k", b"\xff")


class _Odd(MemoryStorage):
    async def read(self, key: str) -> Any:
        return object()


async def test_arguments_are_written_as_they_were_at_the_call(tmp_path: Path) -> None:
    """What the caller changes afterwards is no part of what was asked."""
    path, arguments = tmp_path / "tool.json", {"text": "before"}
    async with record(Tool, MemoryTool(), path) as tool:
        await tool.call(arguments)
        arguments["text"] = "after"
    assert (await replay(Tool, path).call({"text": "before"})).value == {"text": "before"}


async def test_a_stream_that_is_left_early_is_recorded_as_far_as_it_came(tmp_path: Path) -> None:
    """It is no failure."""
    path = tmp_path / "ai.json"
    async with record(AIProvider, MemoryAI("one two three"), path) as ai:
        stream: Any = ai.stream(QUESTION)
        first = await anext(stream)
        await stream.aclose()
    assert [each async for each in replay(AIProvider, path).stream(QUESTION)] == [first]


@pytest.mark.parametrize(
    ("adapter", "path", "says"),
    [
        (MemoryStorage(), "nowhere/storage.json", "The folder .*nowhere is not there: make it"),
        (MemoryStorage(), ".", "cannot be written"),
        (MemoryAI(), "storage.json", "MemoryAI is no Storage, and so no adapter of the port storage"),
    ],
)
async def test_what_cannot_be_recorded_is_told_before_anything_is_asked(
    tmp_path: Path, adapter: Any, path: str, says: str
) -> None:
    """A folder that is not there, an adapter of another port."""
    with pytest.raises(InvalidRequest, match=says):
        async with record(Storage, adapter, tmp_path / path):
            pytest.fail("it has begun")


def test_what_is_no_port_is_refused(tmp_path: Path) -> None:
    """An adapter's class in its place, say."""
    with pytest.raises(InvalidRequest, match="is no port: name the class of one"):
        replay(MemoryAI, tmp_path / "ai.json")


async def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    """As everywhere in Python."""
    path = str(tmp_path / "search.json")
    async with record(Search, MemorySearch(), path) as search:
        assert await search.count() == 0
    assert await replay(Search, path).count() == 0


def test_a_cassette_that_is_not_there_says_to_record_it_first(tmp_path: Path) -> None:
    """With the line to write."""
    with pytest.raises(NotRecorded, match=r"There is no cassette .*Record it first.*record\(AIProvider, adapter, "):
        replay(AIProvider, tmp_path / "ai.json")
    with pytest.raises(InvalidContent, match="is no cassette"):
        replay(AIProvider, tmp_path)


class Pricing(Port):
    """A port with methods that are not awaited."""

    PORT: ClassVar[str] = "pricing"
    VERSION: ClassVar[str] = "1.0.0"

    @abstractmethod
    def price(self, article: str) -> int:
        """Return a price."""

    def prices(self, *articles: str) -> tuple[int, ...]:
        """Return several."""
        return tuple(self.price(each) for each in articles)


class Prices(Pricing):
    def price(self, article: str) -> int:
        if article == "fish":
            raise Unavailable("sold out")
        return len(article)


async def test_what_is_not_awaited_is_recorded_and_replayed_as_what_it_is(tmp_path: Path) -> None:
    """A plain method stays one, with its errors."""
    path = tmp_path / "pricing.json"
    async with record(Pricing, Prices(), path) as pricing:
        said = pricing.price("bread"), pricing.prices("bread", "wine")
        with pytest.raises(Unavailable):
            pricing.price("fish")
    pricing = replay(Pricing, path)
    assert (pricing.price("bread"), pricing.prices("bread", "wine")) == said == (5, (5, 4))
    with pytest.raises(Unavailable, match="sold out"):
        pricing.price("fish")


async def test_a_block_that_fails_writes_nothing(tmp_path: Path) -> None:
    """Half a recording would make the next run fail elsewhere."""
    path = tmp_path / "ai.json"

    async def half() -> None:
        async with record(AIProvider, MemoryAI("one"), path) as ai:
            await ai.complete(QUESTION)
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        await half()
    assert not path.exists()


async def test_a_replayed_adapter_is_a_mock_as_well(tmp_path: Path) -> None:
    """So a recording can be made to fail."""
    path = tmp_path / "ai.json"
    async with record(AIProvider, MemoryAI("one"), path) as ai:
        await ai.complete(QUESTION)
    replayed: Any = replay(AIProvider, path)
    replayed.on("complete").once().fail(Unavailable)
    with pytest.raises(Unavailable):
        await replayed.complete(QUESTION)
    assert (await replayed.complete(QUESTION)).text == "one"


CASSETTE = {"format": 1, "port": "ai", "version": "1.0.0", "features": None, "calls": []}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no cassette"),
        ("[]", "no cassette"),
        ("[" * 100_000, "no cassette"),
        (json.dumps({**CASSETTE, "format": 2}), "no cassette of format 1, which is read here: it is of 2"),
        (json.dumps({**CASSETTE, "calls": [{}]}), "no cassette"),
        (json.dumps({**CASSETTE, "port": "storage"}), "of the port storage, and not of ai"),
        (json.dumps({**CASSETTE, "version": "2.0.0"}), r"version 2\.0\.0"),
        (json.dumps({**CASSETTE, "features": {"$": "Popen", "args": ["ls"]}}), "'Popen' is no value of a port"),
        (json.dumps({**CASSETTE, "features": {"$": "!OSError", "facts": {}}}), "'!OSError' is no error of a port"),
        (json.dumps({**CASSETTE, "features": {"$": "AIFeatures", "wrong": 1}}), "not written by this kind"),
        (json.dumps({**CASSETTE, "features": {"$": "bytes", "base64": "*"}}), "not written by this kind"),
    ],
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, content: str, says: str) -> None:
    """A file from elsewhere constructs nothing but values of the port."""
    path = tmp_path / "ai.json"
    path.write_text(content)
    with pytest.raises(InvalidContent, match=says):
        replay(AIProvider, path)


@pytest.mark.parametrize(
    "value",
    [
        Page("https://a.example.org/", "text", fetched_at=datetime.now(UTC)),
        (b"\x00", Decimal("0.1"), frozenset({"b", "a"}), {"$": 1}, {1: "a"}, [None, True, 1.5]),
        Vector.of([1.0, 2.0], "model"),
        Report("Herons", notes=("one",)),
    ],
)
def test_every_value_of_a_port_comes_back(value: object) -> None:
    """What was written is read as it was, through JSON."""
    plain = Plain(AIProvider)
    assert plain.read(json.loads(json.dumps(plain.write(value)))) == value


def test_what_no_port_uses_is_refused() -> None:
    """A value that cannot be written is an error when it is recorded, not when it is replayed."""
    with pytest.raises(TypeError, match=r"a .*Path cannot be written"):
        Plain(AIProvider).write(Path("a"))
