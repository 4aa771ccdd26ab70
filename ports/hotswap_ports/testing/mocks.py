"""A mock of every port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import evolve

from hotswap_ports.ai import (
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    EmbeddingRequest,
    Summary,
    SummaryRequest,
    SummarySentence,
    Usage,
)
from hotswap_ports.errors import FeatureUnsupported, PortError, TooLarge
from hotswap_ports.formatter import Formatter, Rendered
from hotswap_ports.scraper import Page, Scraper
from hotswap_ports.search import Search, check_query
from hotswap_ports.storage import Storage, StoredValue
from hotswap_ports.testing.ai import CHAT_MODEL, MemoryAI
from hotswap_ports.testing.answers import Texts
from hotswap_ports.testing.formatter import MemoryFormatter
from hotswap_ports.testing.mock import Mock
from hotswap_ports.testing.rules import Call
from hotswap_ports.testing.scraper import MemoryScraper, complete_page
from hotswap_ports.testing.search import MemorySearch
from hotswap_ports.testing.storage import MemoryStorage
from hotswap_ports.testing.tool import MemoryTool
from hotswap_ports.testing.workflow import MemoryWorkflow
from hotswap_ports.tool import Tool, ToolResult
from hotswap_ports.workflow import Workflow

if TYPE_CHECKING:  # the methods are made by ``Mock``; type checkers are told of them
    from collections.abc import AsyncIterator

    from hotswap_ports.ai import Embeddings, KeyPhrase, Label, ModelInfo
    from hotswap_ports.formatter import Report
    from hotswap_ports.scraper import ScrapeRequest
    from hotswap_ports.search import Document, SearchQuery, SearchResult
    from hotswap_ports.storage import KeyPage
    from hotswap_ports.workflow import Progress, WorkflowResult

__all__ = ["MockAI", "MockFormatter", "MockScraper", "MockSearch", "MockStorage", "MockTool", "MockWorkflow"]

ANSWER = "This is what the mock was told to say: nothing."
"""What ``MockAI`` completes with where no rule says otherwise."""


def tokens_of(calls: Iterable[Call]) -> Usage:
    """Return what the answers to some calls say that they used, the chunks of streams included."""
    used = Usage(cost_usd=Decimal(0))
    for call in calls:
        for each in call.result if isinstance(call.result, list) else [call.result]:
            usage = getattr(each, "usage", None)
            used += usage if isinstance(usage, Usage) else Usage(cost_usd=Decimal(0))
    return used


class MockAI(Mock, AIProvider):
    """The port ``ai``. Patterns are held against the last message, the text, or all texts together.

    A text for ``complete``, ``stream`` or ``summarize`` becomes an answer of a model, with its tokens counted. What
    ``features`` do not offer is refused; others may be put in the place of the twin's, here as in every mock.
    """

    if TYPE_CHECKING:

        async def complete(self, request: CompletionRequest) -> Completion: ...
        def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]: ...
        async def embed(self, request: EmbeddingRequest) -> Embeddings: ...
        async def summarize(self, request: SummaryRequest) -> Summary: ...
        async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]: ...
        async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]: ...
        async def models(self) -> tuple[ModelInfo, ...]: ...
        async def count_tokens(self, text: str) -> int: ...

    _texts: ClassVar[Texts] = {"complete": str, "stream": str, "summarize": str}

    def __init__(self, twin: AIProvider | None = None) -> None:
        super().__init__(MemoryAI(ANSWER) if twin is None else twin)

    @property
    def tokens(self) -> Usage:
        """Return what all calls so far have used."""
        return tokens_of(self.calls())

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return the last message, or the texts."""
        request = arguments.get("request")
        if isinstance(request, CompletionRequest):
            return request.messages[-1].content if request.messages else ""
        if isinstance(request, SummaryRequest | EmbeddingRequest):
            return "\n\n".join(request.texts)
        return super().subject(method, arguments)

    async def from_text(self, call: Call, text: str) -> Any:
        """Return a completion, a stream of words or a summary of one sentence, as a model would for that request."""
        request: Any = call.arguments["request"]
        if isinstance(request, SummaryRequest):
            await self.twin.summarize(evolve(request, texts=()))  # refuses what cannot be
            usage = Usage(sum(len(each.split()) for each in request.texts), len(text.split()))
            return Summary((SummarySentence(text),), generative=True, model=CHAT_MODEL, usage=usage)
        model, plain = MemoryAI(text), evolve(request, model=None, json_schema=None)
        if call.method == "stream":
            return model.stream(plain)
        return evolve(await model.complete(plain), model=request.model or CHAT_MODEL)

    def _refuse(self, call: Call) -> None:
        """Refuse completions where nothing is generative, and embeddings where there are none."""
        if call.method in ("complete", "stream") and not self.features.generative:
            raise FeatureUnsupported("mock", "completions", "Select a generative provider.")
        if call.method == "embed" and not self.features.embeddings:
            raise FeatureUnsupported("mock", "embeddings", "Select a provider with embeddings.")

    def _flaw(self, call: Call, answer: Any) -> tuple[str, str] | None:
        """There are as many vectors as texts, of the dimensions that they are said to have; labels that were given."""
        if call.method == "embed":
            wanted = f"{len(call.arguments['request'].texts)} vectors of {answer.dimensions} dimensions"
            found = sorted({each.dimensions for each in answer.vectors})
            given = f"{len(answer.vectors)} vectors of {', '.join(map(str, found)) or answer.dimensions} dimensions"
            return None if wanted == given else (wanted, given)
        if call.method == "classify":
            wanted, given = (", ".join(sorted(each)) for each in (call.arguments["labels"], [x.name for x in answer]))
            return None if wanted == given else (f"the labels {wanted}", given or "none")
        return _too_many(answer, call.arguments["limit"]) if call.method == "key_phrases" else None


class MockScraper(Mock, Scraper):
    """The port ``scraper`` over ``pages``. Patterns are held against the URL; a text is the text of a page there."""

    if TYPE_CHECKING:

        async def scrape(self, request: ScrapeRequest) -> Page: ...

    _texts: ClassVar[Texts] = {"scrape": str}

    def __init__(self, pages: Mapping[str, Page | PortError | str] | None = None, twin: Scraper | None = None) -> None:
        super().__init__(MemoryScraper() if twin is None else twin)
        for url, page in (pages or {}).items():
            rule = self.on("scrape", re.compile(rf"\A{re.escape(url)}\Z"))
            rule.fail(page) if isinstance(page, PortError) else rule.answer(page)
            rule.expected = False  # that a page is there does not say that it is read

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return the URL."""
        url: str = arguments["request"].url
        return url

    async def from_text(self, call: Call, text: str) -> Page:
        """Return a page at the URL that was asked for."""
        return complete_page(Page(call.subject, text))

    def _refuse(self, call: Call) -> None:
        """Refuse scripts and schemes that are not offered."""
        request, scheme = call.arguments["request"], call.subject.partition(":")[0].lower()
        if ":" in call.subject and scheme not in self.features.schemes:
            raise FeatureUnsupported("mock", f"the URL scheme {scheme!r}")
        if request.javascript and not self.features.javascript:
            raise FeatureUnsupported("mock", "running a page's scripts")


class MockStorage(Mock, Storage):
    """The port ``storage``. Patterns are held against the key, or the prefix; a text is a value in UTF-8.

    ``get``, ``exists``, ``get_json`` and ``put_json`` are made of ``read`` and ``put``, and follow their rules.
    """

    if TYPE_CHECKING:

        async def read(self, key: str) -> StoredValue | None: ...
        async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int: ...
        async def delete(self, key: str, *, expect: int | None = None) -> bool: ...
        async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage: ...

    _texts: ClassVar[Texts] = {"get": str, "read": (str, bytes)}

    def __init__(self, twin: Storage | None = None) -> None:
        super().__init__(MemoryStorage() if twin is None else twin)

    async def from_text(self, call: Call, text: str | bytes) -> Any:
        """Return the bytes of a value, with a version where the method has one."""
        value = text.encode() if isinstance(text, str) else text
        return StoredValue(call.subject, value, 1, datetime.now(UTC)) if call.method == "read" else value

    def _refuse(self, call: Call) -> None:
        """Refuse a value that is larger than is offered."""
        most, value = self.features.max_value_bytes, call.arguments.get("value")
        if call.method == "put" and most is not None and isinstance(value, bytes | bytearray) and len(value) > most:
            raise TooLarge(f"The value of {call.subject!r}", most)

    def _flaw(self, call: Call, answer: Any) -> tuple[str, str] | None:
        """A page of keys has at most as many as were asked for."""
        return _too_many(answer.keys, call.arguments["limit"]) if call.method == "list" else None


class MockSearch(Mock, Search):
    """The port ``search``. Patterns are held against the text of the query, or the ids of documents."""

    if TYPE_CHECKING:

        async def index(self, documents: Sequence[Document]) -> int: ...
        async def search(self, query: SearchQuery) -> SearchResult: ...
        async def remove(self, ids: Sequence[str]) -> int: ...
        async def count(self) -> int: ...

    _texts: ClassVar[Texts] = {}

    def __init__(self, twin: Search | None = None) -> None:
        super().__init__(MemorySearch() if twin is None else twin)

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return what is looked for, or which documents it is about."""
        if "query" in arguments:
            text: str = arguments["query"].text
            return text
        named = arguments.get("ids") or [each.id for each in arguments.get("documents", ())]
        return " ".join(named)

    def _refuse(self, call: Call) -> None:
        """Refuse a mode that is not offered, and a query that cannot be."""
        if call.method == "search":
            check_query(call.arguments["query"], "mock", self.features)

    def _flaw(self, call: Call, answer: Any) -> tuple[str, str] | None:
        """There are at most as many hits as were asked for."""
        return _too_many(answer.hits, call.arguments["query"].limit) if call.method == "search" else None


class MockFormatter(Mock, Formatter):
    """The port ``formatter``. Patterns are held against the report's title; a text is the document, as plain text."""

    if TYPE_CHECKING:

        async def format(self, report: Report, *, format: str | None = None) -> Rendered: ...

    _texts: ClassVar[Texts] = {"format": str}

    def __init__(self, twin: Formatter | None = None) -> None:
        super().__init__(MemoryFormatter() if twin is None else twin)

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return the title of the report."""
        title: str = arguments["report"].title
        return title

    async def from_text(self, call: Call, text: str) -> Rendered:
        """Return a document."""
        return Rendered(text, "text/plain", ".txt")

    def _refuse(self, call: Call) -> None:
        """Refuse a format that is not offered."""
        wanted = call.arguments["format"]
        if wanted not in (None, *self.features.formats):
            raise FeatureUnsupported("mock", f"the format {wanted!r}")


class MockWorkflow(Mock, Workflow):
    """The port ``workflow``. Patterns are held against the inputs, as ``name=value`` with blanks between them."""

    if TYPE_CHECKING:

        async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult: ...

    _texts: ClassVar[Texts] = {}

    def __init__(self, twin: Workflow | None = None) -> None:
        super().__init__(MemoryWorkflow() if twin is None else twin)

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return the inputs."""
        return _listed(arguments["inputs"])


class MockTool(Mock, Tool):
    """The port ``tool``. Patterns are held against the arguments, as ``name=value`` with blanks between them.

    A text is a result with that text, which is its value as well.
    """

    if TYPE_CHECKING:

        async def call(self, arguments: Mapping[str, Any]) -> ToolResult: ...

    _texts: ClassVar[Texts] = {"call": str}

    def __init__(self, twin: Tool | None = None) -> None:
        super().__init__(MemoryTool() if twin is None else twin)

    def subject(self, method: str, arguments: Mapping[str, Any]) -> str:
        """Return the arguments."""
        return _listed(arguments["arguments"])

    async def from_text(self, call: Call, text: str) -> ToolResult:
        """Return a result."""
        return ToolResult(text, text)


def _too_many(found: Sequence[object], most: int) -> tuple[str, str] | None:
    return None if len(found) <= most else (f"at most {most}", str(len(found)))


def _listed(named: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in named.items())
