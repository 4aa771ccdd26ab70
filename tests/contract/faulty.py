"""Adapters that break their port's word, one way each: what the contract suites have to notice.

Each says in its docstring what it does wrong. They are twins in memory in all else, so that a suite which fails one of
them fails it for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve

from hotswap_ports import (
    Completion,
    CompletionChunk,
    CompletionRequest,
    Conflict,
    Document,
    EmbeddingRequest,
    Embeddings,
    FeatureUnsupported,
    InvalidRequest,
    KeyPage,
    KeyPhrase,
    Label,
    NotFound,
    Page,
    Progress,
    ProgressEvent,
    Rendered,
    Report,
    ScrapeRequest,
    SearchQuery,
    SearchResult,
    StoredValue,
    Summary,
    SummaryRequest,
    SummarySentence,
    TimedOut,
    TooLarge,
    ToolFeatures,
    ToolResult,
    Vector,
    WorkflowResult,
)
from hotswap_ports.testing import (
    MemoryAI,
    MemoryFormatter,
    MemoryScraper,
    MemorySearch,
    MemoryStorage,
    MemoryTool,
    MemoryWorkflow,
)


class OneKeyTooMany(MemoryStorage):
    """A page has one key more than its limit (off by one)."""

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        if limit < 1:
            raise InvalidRequest("limit")
        return await super().list(prefix, limit=limit + 1, after=after)


class LostUpdate(MemoryStorage):
    """The version is checked, and the value put a moment later."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        if expect is not None:
            stored = await self.read(key)
            if (stored.version if stored else 0) != expect:
                raise Conflict(key, expect, stored.version if stored else 0)
            await asyncio.sleep(0)
        return await super().put(key, value)


class SwallowedConflict(MemoryStorage):
    """A conflict is swallowed, and the version returned that was there."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        try:
            return await super().put(key, value, expect=expect)
        except Conflict as error:
            return error.actual


class ForeignError(MemoryStorage):
    """A bad key is a ValueError, as the library behind it has it (wrong error class)."""

    async def read(self, key: str) -> StoredValue | None:
        try:
            return await super().read(key)
        except InvalidRequest as error:
            raise ValueError(str(error)) from error


class UnsortedKeys(MemoryStorage):
    """Keys are listed as they came (unordered results)."""

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        page = await super().list(prefix, limit=limit, after=after)
        return KeyPage(tuple(sorted(page.keys, key=list(self._values).index)), page.next)


class StaleRead(MemoryStorage):
    """What was read once is read again, whatever was put since."""

    def __init__(self) -> None:
        super().__init__()
        self._cache: dict[str, StoredValue | None] = {}

    async def read(self, key: str) -> StoredValue | None:
        if self._cache.get(key) is None:
            self._cache[key] = await super().read(key)
        return self._cache[key]


class Truncated(MemoryStorage):
    """Values are cut at 64 KiB."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        return await super().put(key, value[: 1 << 16], expect=expect)


class SharedBuffer(MemoryStorage):
    """The caller's buffer is kept, and not a copy of it (aliased input)."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        version = await super().put(key, value, expect=expect)
        self._values[key] = evolve(self._values[key], value=value)
        return version


class UsedVersions(MemoryStorage):
    """Versions begin anew after a delete."""

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        gone = await super().delete(key, expect=expect)
        self._last_version = max((each.version for each in self._values.values()), default=0)
        return gone


class FoldedKeys(MemoryStorage):
    """Keys differ in more than case, or they are one."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        return await super().put(key.lower(), value, expect=expect)

    async def read(self, key: str) -> StoredValue | None:
        stored = await super().read(key.lower())
        return None if stored is None else evolve(stored, key=key)


class NoLastPage(MemoryStorage):
    """The last page says that there is another one when it is full."""

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        page = await super().list(prefix, limit=limit, after=after)
        return KeyPage(page.keys, page.keys[-1] if len(page.keys) == limit else None)


class EmptyIsNothing(MemoryStorage):
    """An empty value is read as none at all."""

    async def read(self, key: str) -> StoredValue | None:
        stored = await super().read(key)
        return stored if stored is not None and stored.value else None


class LocalTime(MemoryStorage):
    """Times are naive."""

    def __init__(self) -> None:
        super().__init__(clock=datetime.now)


class TornPut(MemoryStorage):
    """The old value goes before the new one comes: a cancelled put leaves nothing."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        if expect is None:
            await self.delete(key)
            await asyncio.sleep(0)
        return await super().put(key, value, expect=expect)


class BlockingStorage(MemoryStorage):
    """To put a large value blocks the event loop for a while."""

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        if len(value) >= 100_000:
            time.sleep(0.3)
        return await super().put(key, value, expect=expect)


class LeakingStorage(MemoryStorage):
    """Each read leaves a task behind."""

    def __init__(self) -> None:
        super().__init__()
        self._left: list[asyncio.Task[bool]] = []

    async def read(self, key: str) -> StoredValue | None:
        self._left.append(asyncio.create_task(asyncio.Event().wait()))
        return await super().read(key)


class LimitBeforeFilter(MemorySearch):
    """The limit counts what a filter then throws away."""

    async def search(self, query: SearchQuery) -> SearchResult:
        found = await super().search(evolve(query, filters={}))
        passing = {each.id for each in (await super().search(evolve(query, limit=1 << 40))).hits}
        return evolve(found, hits=tuple(each for each in found.hits if each.id in passing))


class UnstableTies(MemorySearch):
    """Equal scores come in any order."""

    async def search(self, query: SearchQuery) -> SearchResult:
        found = await super().search(evolve(query, limit=1 << 40) if query.limit > 0 else query)
        hits = sorted(found.hits, key=lambda each: (-each.score, each.id[::-1]))
        return evolve(found, hits=tuple(hits[: query.limit]))


class HalfIndexed(MemorySearch):
    """What stands before a bad document is indexed."""

    async def index(self, documents: Sequence[Document]) -> int:
        for each in documents:
            await super().index([each])
        return len(documents)


class LiveMetadata(MemorySearch):
    """The index's own metadata are handed out (mutable result)."""

    async def search(self, query: SearchQuery) -> SearchResult:
        found = await super().search(query)
        live = {key: each.document.metadata for key, each in self._entries.items()}
        return evolve(found, hits=tuple(evolve(each, metadata=live[each.id]) for each in found.hits))


class CountsWhatIsAsked(MemorySearch):
    """Removing counts the ids that were given, there or not."""

    async def remove(self, ids: Sequence[str]) -> int:
        await super().remove(ids)
        return len(ids)


class OldWords(MemorySearch):
    """A document that is indexed again is found by its old words too."""

    def __init__(self) -> None:
        super().__init__()
        self._old: dict[str, str] = {}

    async def index(self, documents: Sequence[Document]) -> int:
        merged = [evolve(each, text=f"{each.text} {self._old.get(each.id, '')}".strip()) for each in documents]
        count = await super().index(documents)
        await super().index(merged)
        self._old.update({each.id: each.text for each in documents})
        return count


class OneModelForAll(MemorySearch):
    """Vectors of different models are compared."""

    async def index(self, documents: Sequence[Document]) -> int:
        same = [evolve(each, vector=each.vector and evolve(each.vector, model="m")) for each in documents]
        return await super().index(same)


class AtMostHundred(MemorySearch):
    """No search gives more than 100 hits (truncation)."""

    async def search(self, query: SearchQuery) -> SearchResult:
        found = await super().search(query)
        return evolve(found, hits=found.hits[:100])


class BatchesOutOfOrder(MemoryAI):
    """Vectors come in the order in which they were made (unordered results)."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        return await super().embed(evolve(request, texts=tuple(sorted(request.texts))))


class LongVectors(MemoryAI):
    """Vectors are not scaled to 1."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        found = await super().embed(request)
        return evolve(found, vectors=tuple(_twice(each) for each in found.vectors))


def _twice(vector: Vector) -> Vector:
    import struct

    values = [2 * each for each in vector]
    return Vector(struct.pack(f"<{len(values)}f", *values), vector.model)


class EndlessStream(MemoryAI):
    """A stream ends without a reason and without usage (truncation)."""

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        async for each in super().stream(request):
            if each.finish_reason is None:
                yield each


class OneSentenceMore(MemoryAI):
    """A summary has a sentence more than it may (off by one)."""

    async def summarize(self, request: SummaryRequest) -> Summary:
        if request.max_sentences < 1:
            raise InvalidRequest("max_sentences")
        return await super().summarize(evolve(request, max_sentences=request.max_sentences + 1))


class InventedSentence(MemoryAI):
    """A summary that is called extracted has sentences of its own."""

    async def summarize(self, request: SummaryRequest) -> Summary:
        found = await super().summarize(request)
        return evolve(found, sentences=tuple(evolve(each, text=f"Well: {each.text}") for each in found.sentences))


class LeastTellingFirst(MemoryAI):
    """Key phrases come in the wrong order."""

    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        return (await super().key_phrases(text, limit=limit))[::-1]


class ScoresThatDoNotSum(MemoryAI):
    """The scores of labels are no shares."""

    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        return tuple(evolve(each, score=each.score / 2) for each in await super().classify(text, labels))


class MixedUpCalls(MemoryAI):
    """Two calls at once share what they work on."""

    async def summarize(self, request: SummaryRequest) -> Summary:
        self._request = request
        await asyncio.sleep(0)
        return await super().summarize(self._request)


class AnyModel(MemoryAI):
    """A model that nobody has is replaced by another, silently (swallowed error)."""

    async def complete(self, request: CompletionRequest) -> Completion:
        return await super().complete(evolve(request, model=None))


class NoModelError(MemoryAI):
    """An unknown embedding model is a KeyError (wrong error class)."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        try:
            return await super().embed(request)
        except InvalidRequest as error:
            raise KeyError(request.model) from error


class UnchangedWithText(MemoryScraper):
    """An unchanged page comes with its text again."""

    async def scrape(self, request: ScrapeRequest) -> Page:
        page = await super().scrape(request)
        return evolve(await super().scrape(evolve(request, known=None)), unchanged=True) if page.unchanged else page


class OneByteTooStrict(MemoryScraper):
    """A body of exactly the most bytes is too large (off by one)."""

    async def scrape(self, request: ScrapeRequest) -> Page:
        page = await super().scrape(request)
        if page.size >= request.max_bytes:
            raise TooLarge(request.url, request.max_bytes)
        return page


class NoSuchKey(MemoryScraper):
    """A page that is not there is a KeyError (wrong error class)."""

    async def scrape(self, request: ScrapeRequest) -> Page:
        try:
            return await super().scrape(request)
        except NotFound as error:
            raise KeyError(request.url) from error


class ScriptsIgnored(MemoryScraper):
    """Scripts are asked for and not run, without a word (swallowed error)."""

    async def scrape(self, request: ScrapeRequest) -> Page:
        return await super().scrape(evolve(request, javascript=False))


class StalePage(MemoryScraper):
    """A page is read once, and never again (stale read)."""

    def __init__(self, pages: Any = None) -> None:
        super().__init__(pages)
        self._seen: dict[str, Page] = {}

    async def scrape(self, request: ScrapeRequest) -> Page:
        if request.url not in self._seen or request.known is None:
            self._seen[request.url] = await super().scrape(evolve(request, known=None))
        page = self._seen[request.url]
        same = request.known is not None and request.known.sha256 == page.fingerprint.sha256
        return evolve(page, text="", links=(), unchanged=True) if same else page


class NotesLost(MemoryFormatter):
    """What a reader should know is left out (truncation)."""

    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        return await super().format(evolve(report, notes=()), format=format)


class AnyFormat(MemoryFormatter):
    """A format that it does not have is another one, silently."""

    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        try:
            return await super().format(report, format=format)
        except FeatureUnsupported:
            return await super().format(report)


class TimeOfDay(MemoryFormatter):
    """The document says when it was made."""

    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        rendered = await super().format(report, format=format)
        return evolve(rendered, text=f"{rendered.text}made at {time.perf_counter_ns()}\n")


class InputsEaten(MemoryWorkflow):
    """The caller's inputs are changed (mutated input)."""

    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        result = await super().run(inputs, progress=progress)
        inputs.pop("times", None)  # type: ignore[attr-defined]
        return result


class AnyInput(MemoryWorkflow):
    """What is no input is ignored."""

    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        known = {each.name for each in self.features.inputs}
        return await super().run({key: each for key, each in inputs.items() if key in known}, progress=progress)


class MoreThanAll(MemoryWorkflow):
    """Progress counts one further than its total (off by one)."""

    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        def told(event: ProgressEvent) -> None:
            assert progress is not None
            progress(evolve(event, done=event.done + 1))

        return await super().run(inputs, progress=None if progress is None else told)


class WrongSource(MemoryAI):
    """Sentences of a summary name the text after the one they stand in (off by one)."""

    async def summarize(self, request: SummaryRequest) -> Summary:
        found = await super().summarize(request)
        moved = (SummarySentence(each.text, (each.source or 0) + 1, each.score) for each in found.sentences)
        return evolve(found, sentences=tuple(moved))


class ArgumentsEaten(MemoryTool):
    """The caller's arguments are changed (mutated input)."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        result = await super().call(arguments)
        arguments.pop("times", None)  # type: ignore[attr-defined]
        return result


class SharedArguments(MemoryTool):
    """The value is the caller's own arguments, and not a copy of them (aliased result)."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return evolve(await super().call(arguments), value=arguments)


class AnyArgument(MemoryTool):
    """What is no argument is ignored."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        known = self.features.parameters["properties"]
        return await super().call({key: each for key, each in arguments.items() if key in known})


class MissingIsEmpty(MemoryTool):
    """An argument that is required and missing is an empty text."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return await super().call({"text": "", **arguments})


class NumbersFromTexts(MemoryTool):
    """A text or a flag in the place of an integer is made into one."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        times = arguments.get("times", 1)
        return await super().call({**arguments, "times": int(times) if isinstance(times, str | bool) else times})


class NullIsLeftOut(MemoryTool):
    """Null is taken for an argument that was not given."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return await super().call({key: each for key, each in arguments.items() if each is not None or key == "text"})


class AnyChoice(MemoryTool):
    """A value that is none of the enum is another one, silently (swallowed error)."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        tone = arguments.get("tone", "plain")
        known = not isinstance(tone, str) or tone in ("plain", "formal")
        return await super().call({**arguments, "tone": tone if known else "plain"})


class SomethingIsWrong(MemoryTool):
    """The error does not say which argument it is about."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        try:
            return await super().call(arguments)
        except InvalidRequest as error:
            raise InvalidRequest("The arguments are not valid.") from error


class NoArgumentError(MemoryTool):
    """A missing argument is a KeyError (wrong error class)."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return await super().call({**arguments, "text": arguments["text"]})


class TuplesAndTimes(MemoryTool):
    """A value has what JSON does not have."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return evolve(await super().call(arguments), value=(1, 2))


class SurePerCent(MemoryTool):
    """The confidence is in per cent."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return evolve(await super().call(arguments), confidence=90)


class ListOfParameters(MemoryTool):
    """The schema is that of a list, and not of an object."""

    def __init__(self) -> None:
        super().__init__(features=ToolFeatures(parameters={"type": "array"}))

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(None)


class MixedUpArguments(MemoryTool):
    """Two calls at once share what they work on."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        self._arguments = arguments
        await asyncio.sleep(0)
        return await super().call(self._arguments)


class BusyForGood(MemoryTool):
    """A call that is cancelled keeps the lock, and those after it get nothing but their time out."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = asyncio.Lock()

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        try:
            async with asyncio.timeout(1):
                await self._lock.acquire()
        except TimeoutError as error:
            raise TimedOut("the call before", 1) from error
        await asyncio.sleep(0)
        self._lock.release()
        return await super().call(arguments)


class LeakingTool(MemoryTool):
    """Each call leaves a task behind."""

    def __init__(self) -> None:
        super().__init__()
        self._left: list[asyncio.Task[bool]] = []

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        self._left.append(asyncio.create_task(asyncio.Event().wait()))
        return await super().call(arguments)


class BlockingTool(MemoryTool):
    """A call blocks the event loop for a while."""

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        time.sleep(0.3)
        return await super().call(arguments)


STORAGES = (
    OneKeyTooMany, LostUpdate, SwallowedConflict, ForeignError, UnsortedKeys, StaleRead, Truncated, SharedBuffer,
    UsedVersions, FoldedKeys, NoLastPage, EmptyIsNothing, LocalTime, TornPut, BlockingStorage, LeakingStorage,
)  # fmt: skip
SEARCHES = (
    LimitBeforeFilter, UnstableTies, HalfIndexed, LiveMetadata, CountsWhatIsAsked, OldWords, OneModelForAll,
    AtMostHundred,
)  # fmt: skip
AIS = (
    BatchesOutOfOrder, LongVectors, EndlessStream, OneSentenceMore, InventedSentence, LeastTellingFirst,
    ScoresThatDoNotSum, MixedUpCalls, AnyModel, NoModelError, WrongSource,
)  # fmt: skip
SCRAPERS = (UnchangedWithText, OneByteTooStrict, NoSuchKey, ScriptsIgnored, StalePage)
FORMATTERS = (NotesLost, AnyFormat, TimeOfDay)
WORKFLOWS = (InputsEaten, AnyInput, MoreThanAll)
TOOLS = (
    ArgumentsEaten, SharedArguments, AnyArgument, MissingIsEmpty, NumbersFromTexts, NullIsLeftOut, AnyChoice,
    SomethingIsWrong, NoArgumentError, TuplesAndTimes, SurePerCent, ListOfParameters, MixedUpArguments, BusyForGood,
    LeakingTool, BlockingTool,
)  # fmt: skip
