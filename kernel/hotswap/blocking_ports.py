"""The ports as threads see them: what ``BlockingKernel.get`` returns, to annotate with.

Generated: ``python -m hotswap.blocking_reference > kernel/hotswap/blocking_ports.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, overload

from hotswap.portal_stream import Stream
from hotswap_ports import (
    AIFeatures,
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Document,
    EmbeddingRequest,
    Embeddings,
    Formatter,
    FormatterFeatures,
    KeyPage,
    KeyPhrase,
    Label,
    ModelInfo,
    Page,
    Port,
    Progress,
    Rendered,
    Report,
    Scraper,
    ScrapeRequest,
    ScraperFeatures,
    Search,
    SearchFeatures,
    SearchQuery,
    SearchResult,
    Storage,
    StorageFeatures,
    StoredValue,
    Summary,
    SummaryRequest,
    Tool,
    ToolFeatures,
    ToolResult,
    Workflow,
    WorkflowFeatures,
    WorkflowResult,
)


class BlockingAIProvider(Protocol):
    """``AIProvider`` for threads: understands and, where ``features.generative``, writes text."""

    @property
    def features(self) -> AIFeatures: ...

    def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        """Score ``text`` against each label, best first."""

    def complete(self, request: CompletionRequest) -> Completion:
        """Continue a conversation."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens ``text`` has for the default model; an estimate lies in [0, len(text) + 1]."""

    def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed texts; an empty text has a vector too."""

    def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        """Return at most ``limit`` phrases, most telling first, no two the same but for case."""

    def models(self) -> tuple[ModelInfo, ...]:
        """Return what can stand in a request's ``model``, of each kind the default first."""

    def stream(self, request: CompletionRequest) -> Stream[CompletionChunk]:
        """Continue a conversation, piece by piece; closing the iterator, begun or not, ends the call."""

    def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise texts; nothing in gives no sentences, never an invented one."""


class BlockingFormatter(Protocol):
    """``Formatter`` for threads: gives a report a form."""

    @property
    def features(self) -> FormatterFeatures: ...

    def format(self, report: Report, *, format: str | None = None) -> Rendered:
        """Write ``report`` in ``format`` (None: the first of ``features.formats``)."""


class BlockingScraper(Protocol):
    """``Scraper`` for threads: reads pages."""

    @property
    def features(self) -> ScraperFeatures: ...

    def scrape(self, request: ScrapeRequest) -> Page:
        """Read one page."""


class BlockingSearch(Protocol):
    """``Search`` for threads: indexes documents and finds them."""

    @property
    def features(self) -> SearchFeatures: ...

    def count(self) -> int:
        """Return how many documents are indexed."""

    def index(self, documents: Sequence[Document]) -> int:
        """Add documents, all or none; one whose id is there already is replaced. Return how many were given."""

    def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; return how many of them were there."""

    def search(self, query: SearchQuery) -> SearchResult:
        """Find documents; no match is an empty result."""


class BlockingStorage(Protocol):
    """``Storage`` for threads: keeps bytes."""

    @property
    def features(self) -> StorageFeatures: ...

    def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Remove the key; return whether it was there."""

    def exists(self, key: str) -> bool:
        """Return whether the key is there."""

    def get(self, key: str) -> bytes | None:
        """Return the value; None when there is none."""

    def get_json(self, key: str) -> Any:
        """Return the decoded JSON value; None when there is none."""

    def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        """Return up to ``limit`` (>= 1) keys that start with ``prefix`` and come after ``after``, sorted."""

    def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Store ``value`` and return its version."""

    def put_json(self, key: str, value: Any, *, expect: int | None = None) -> int:
        """Store ``value`` as compact JSON in UTF-8 with sorted keys; return its version."""

    def read(self, key: str) -> StoredValue | None:
        """Return the value with its version; None when there is none."""


class BlockingTool(Protocol):
    """``Tool`` for threads: one thing that can be done."""

    @property
    def features(self) -> ToolFeatures: ...

    def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Do it. ``arguments`` are JSON, by name, and are left unchanged."""


class BlockingWorkflow(Protocol):
    """``Workflow`` for threads: a job that is made of calls to other ports."""

    @property
    def features(self) -> WorkflowFeatures: ...

    def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        """Do the job. ``progress`` is called on the event loop, often and only during the run, and must return at
        once."""


class BlockingPorts(ABC):
    """What a blocking kernel is asked for, with the types of what it returns."""

    @overload
    def get(self, port: Callable[..., AIProvider], name: str | None = None) -> BlockingAIProvider: ...
    @overload
    def get(self, port: Callable[..., Formatter], name: str | None = None) -> BlockingFormatter: ...
    @overload
    def get(self, port: Callable[..., Scraper], name: str | None = None) -> BlockingScraper: ...
    @overload
    def get(self, port: Callable[..., Search], name: str | None = None) -> BlockingSearch: ...
    @overload
    def get(self, port: Callable[..., Storage], name: str | None = None) -> BlockingStorage: ...
    @overload
    def get(self, port: Callable[..., Tool], name: str | None = None) -> BlockingTool: ...
    @overload
    def get(self, port: Callable[..., Workflow], name: str | None = None) -> BlockingWorkflow: ...
    @overload
    def get(self, port: Callable[..., Port], name: str | None = None) -> Any: ...
    def get(self, port: Callable[..., Port], name: str | None = None) -> Any:
        """Return the blocking handle of a port: the selected provider's, or that of one by name.

        It has the port's methods, which return what is awaited elsewhere; streams are iterators. It is typed for the
        ports of hotswap, and ``Any`` for others: annotate it with a protocol of your own.

        Raises:
            PortUnknown: the class is no port of this kernel: see its parameter ``ports``.
            PortUnfilled, PortAmbiguous, ProviderNotFound: there is none, or more than one and none is selected.
        """
        return self._get(port, name)

    @overload
    def all(self, port: Callable[..., AIProvider]) -> Mapping[str, BlockingAIProvider]: ...
    @overload
    def all(self, port: Callable[..., Formatter]) -> Mapping[str, BlockingFormatter]: ...
    @overload
    def all(self, port: Callable[..., Scraper]) -> Mapping[str, BlockingScraper]: ...
    @overload
    def all(self, port: Callable[..., Search]) -> Mapping[str, BlockingSearch]: ...
    @overload
    def all(self, port: Callable[..., Storage]) -> Mapping[str, BlockingStorage]: ...
    @overload
    def all(self, port: Callable[..., Tool]) -> Mapping[str, BlockingTool]: ...
    @overload
    def all(self, port: Callable[..., Workflow]) -> Mapping[str, BlockingWorkflow]: ...
    @overload
    def all(self, port: Callable[..., Port]) -> Mapping[str, Any]: ...
    def all(self, port: Callable[..., Port]) -> Mapping[str, Any]:
        """Return the blocking handles of all open providers by name, the selected one first; the mapping is live too.

        Raises:
            PortUnknown: the class is no port of this kernel.
        """
        return self._all(port)

    @abstractmethod
    def _get(self, port: Callable[..., Port], name: str | None) -> Any: ...

    @abstractmethod
    def _all(self, port: Callable[..., Port]) -> Mapping[str, Any]: ...


PORT_OF: Mapping[object, type[Port]] = {
    BlockingAIProvider: AIProvider,
    BlockingFormatter: Formatter,
    BlockingScraper: Scraper,
    BlockingSearch: Search,
    BlockingStorage: Storage,
    BlockingTool: Tool,
    BlockingWorkflow: Workflow,
}
