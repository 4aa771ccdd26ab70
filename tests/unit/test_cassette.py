"""Cassettes: a real adapter is asked once, and tests are answered from what it said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    Message,
    Page,
    Report,
    Search,
    SearchQuery,
    Storage,
    SummaryRequest,
    Tool,
    Unavailable,
    Vector,
    Workflow,
)
from hotswap_ports.testing import (
    MemoryAI,
    MemorySearch,
    MemoryTool,
    MemoryWorkflow,
    MockAI,
    NotRecorded,
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
        (json.dumps({**CASSETTE, "format": 2}), "no cassette"),
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
