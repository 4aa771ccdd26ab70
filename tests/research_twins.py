"""The research workflow over in-memory twins that record what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from hotswap_plugins.research import Research, ResearchConfig
from hotswap_plugins.research.records import Record, Records
from hotswap_plugins.research.sources import Target
from hotswap_ports import (
    AIProvider,
    CompletionRequest,
    ConfigView,
    Document,
    EmbeddingRequest,
    Embeddings,
    Events,
    Formatter,
    Link,
    Log,
    Page,
    PluginContext,
    PortError,
    Scraper,
    ScrapeRequest,
    Storage,
    Summary,
    SummaryRequest,
    Tracer,
    WorkflowResult,
)
from hotswap_ports.testing import MemoryAI, MemoryFormatter, MemoryScraper, MemorySearch, MemoryStorage


class RecordingAI(MemoryAI):
    """Keeps what it was asked to embed and to summarise; ``before`` runs first, and may raise."""

    def __init__(self, answers: Sequence[str] | Callable[[CompletionRequest], str] | None = None) -> None:
        super().__init__(answers)
        self.embedded: list[str] = []
        self.asked: list[str] = []
        self.summarised: list[tuple[str, ...]] = []
        self.completions: list[CompletionRequest] = []
        self.before: Callable[[], None] = lambda: None

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        self.before()
        (self.asked if request.purpose == "query" else self.embedded).extend(request.texts)
        return await super().embed(request)

    async def summarize(self, request: SummaryRequest) -> Summary:
        self.before()
        self.summarised.append(request.texts)
        return await super().summarize(request)

    def forget(self) -> None:
        """Begin to record anew."""
        for each in (self.embedded, self.asked, self.summarised, self.completions):
            each.clear()


class RecordingSearch(MemorySearch):
    """Keeps which passages it was given and which it gave up."""

    def __init__(self) -> None:
        super().__init__()
        self.indexed: list[Document] = []
        self.removed: list[str] = []
        self.before_index: Callable[[], None] = lambda: None

    async def index(self, documents: Sequence[Document]) -> int:
        self.before_index()
        self.indexed.extend(each for each in documents if each.metadata.get("research") == "passage")
        return await super().index(documents)

    async def remove(self, ids: Sequence[str]) -> int:
        self.removed.extend(ids)
        return await super().remove(ids)

    def forget(self) -> None:
        """Begin to record anew."""
        self.indexed.clear()
        self.removed.clear()


class NullLog:
    """Takes what is logged."""

    def debug(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def info(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def warning(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def error(self, message: str, /, *args: object, **kwargs: object) -> None: ...


class NullTracer:
    """Traces nothing."""

    log: Log = NullLog()

    @contextmanager
    def span(self, name: str, **attributes: str | int | float | bool) -> Iterator[None]:
        yield

    def metric(self, name: str, value: float, **attributes: str | int | float | bool) -> None: ...

    def timer(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[None]:
        return self.span(name)


class BareContext(PluginContext):
    """Grants a tracer and nothing else."""

    plugin_id = "research"
    version = "1.0.0"
    tracer: Tracer = NullTracer()

    @property
    def config(self) -> ConfigView:
        raise NotImplementedError

    @property
    def storage(self) -> Storage:
        raise NotImplementedError

    @property
    def ai(self) -> AIProvider:
        raise NotImplementedError

    @property
    def events(self) -> Events:
        raise NotImplementedError

    @property
    def exit_stack(self) -> AsyncExitStack:
        raise NotImplementedError

    def allows(self, capability: str, item: str | None = None) -> bool:
        return False


class TimelessResearch(Research):
    """It is always noon."""

    @staticmethod
    def clock() -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)


@define
class Bench:
    """A workflow and all that it works with."""

    scraper: MemoryScraper = field(factory=MemoryScraper)
    ai: RecordingAI = field(factory=RecordingAI)
    storage: Storage = field(factory=MemoryStorage)
    search: RecordingSearch = field(factory=RecordingSearch)
    formatter: Formatter = field(factory=MemoryFormatter)
    config: ResearchConfig = field(factory=ResearchConfig)

    def research(self, scrapers: dict[str, Scraper] | None = None) -> Research:
        """Return the workflow over what this bench holds now."""
        return TimelessResearch(
            scrapers or {"memory": self.scraper},
            self.ai,
            self.storage,
            self.search,
            {"memory": self.formatter},
            self.formatter,
            self.config,
            BareContext(),
        )

    def put(self, url: str, page: Page | PortError | str, *links: str, title: str = "") -> None:
        """Put a page on the web."""
        if isinstance(page, str):
            page = Page(url, page, title, tuple(map(Link, links)))
        self.scraper.pages[url] = page

    def put_folder(self, url: str, *entries: str) -> None:
        """Put a folder on the disk."""
        self.scraper.pages[url] = Page(url, "", links=tuple(map(Link, entries)), media_type="inode/directory")

    async def run(self, *sources: str, **inputs: Any) -> WorkflowResult:
        """Run with sources and inputs."""
        return await self.research().run({"sources": sources, **inputs})

    async def record(self, url: str) -> Record | None:
        """Return what is stored of a page."""
        return (await Records(self.storage).load(Target.of(url).key)).record

    async def indexed(self) -> int:
        """Return how many passages are in the index."""
        return max(0, await self.search.count() - 1)

    def forget(self) -> None:
        """Begin to record calls anew."""
        self.ai.forget()
        self.search.forget()
        self.scraper.requests.clear()

    def requested(self) -> list[ScrapeRequest]:
        """Return what was asked of the scraper."""
        return self.scraper.requests


def paragraphs(*topics: str, words: int = 100) -> str:
    """Return a paragraph a topic, of about ``words`` words in sentences of ten, none like another."""
    return "\n\n".join(
        " ".join(
            f"{topic} {number} begins a sentence of ten words about {topic.lower()}." for number in range(words // 10)
        )
        for topic in topics
    )
