"""What a type checker sees of the kernel for threads: checked by mypy in ``tests/unit/test_typing.py``, never run."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Protocol, assert_type

from attrs import frozen

from hotswap import BlockingKernel, Kernel, Plan, PluginStatus, PortStatus, Settings, Why
from hotswap.blocking_ports import BlockingAIProvider, BlockingScraper, BlockingStorage
from hotswap.portal_stream import Stream
from hotswap_ports import (
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Health,
    Page,
    Port,
    Scraper,
    ScrapeRequest,
    Storage,
    StorageFeatures,
)


class Bell(Port):
    """A port that is not hotswap's own."""

    PORT: ClassVar[str] = "bell"
    VERSION: ClassVar[str] = "1.0.0"

    async def ring(self, times: int) -> str:
        """Ring."""
        raise NotImplementedError


class BlockingBell(Protocol):
    """Its blocking form."""

    def ring(self, times: int) -> str: ...


@frozen
class Service:
    scraper: BlockingScraper
    stores: Mapping[str, BlockingStorage]
    bell: Annotated[BlockingBell, Bell]


async def inside(kernel: Kernel) -> int:
    return 1


def handles(kernel: BlockingKernel) -> None:
    storage = kernel.get(Storage)
    assert_type(storage, BlockingStorage)
    assert_type(storage.get("a"), bytes | None)
    assert_type(storage.put("a", b"1", expect=None), int)
    assert_type(storage.features, StorageFeatures)
    assert_type(kernel.get(Scraper).scrape(ScrapeRequest("https://example.org")), Page)
    assert_type(kernel.get(AIProvider, "ollama"), BlockingAIProvider)
    ai = kernel.get(AIProvider)
    request = CompletionRequest(messages=())
    assert_type(ai.complete(request), Completion)
    assert_type(ai.stream(request), Stream[CompletionChunk])
    for chunk in ai.stream(request):
        assert_type(chunk, CompletionChunk)
    with ai.stream(request) as chunks:
        assert_type(next(chunks), CompletionChunk)
    assert_type(kernel.all(Storage), Mapping[str, BlockingStorage])
    bell: BlockingBell = kernel.get(Bell)
    assert_type(bell.ring(2), str)
    storage.put("a", "text")  # type: ignore[arg-type]
    _ = storage.fetch  # type: ignore[attr-defined]
    kernel.get("storage")  # type: ignore[call-overload]


def application(kernel: BlockingKernel) -> None:
    assert_type(kernel.build(Service), Service)
    assert_type(kernel.run(inside), int)
    assert_type(kernel.plan(enable=["postgres"], select={Storage: "postgres"}), Plan)
    assert_type(kernel.apply(kernel.plan()), None)
    assert_type(kernel.enable("postgres"), Plan)
    assert_type(kernel.select(Storage, "postgres"), Plan)
    assert_type(kernel.disable("sqlite", cascade=True), Plan)
    assert_type(kernel.configure("sqlite", {"path": "x"}), Plan)
    assert_type(kernel.reload("sqlite"), Plan)
    assert_type(kernel.plugins(), Mapping[str, PluginStatus])
    assert_type(kernel.ports(), Mapping[str, PortStatus])
    assert_type(kernel.why("sqlite"), Why)
    assert_type(kernel.health(), Mapping[str, Health])
    assert_type(kernel.settings, Settings)
    assert_type(kernel.on("on_startup", print), Callable[[], None])
    kernel.enable(1)  # type: ignore[arg-type]
    kernel.disable("sqlite", cascading=True)  # type: ignore[call-arg]


def main() -> None:
    with BlockingKernel(Settings.load()) as kernel:
        assert_type(kernel, BlockingKernel)


def from_threads(kernel: Kernel, storage: Storage, ai: AIProvider) -> None:
    assert_type(kernel.portal.call(storage.get, "a"), bytes | None)
    assert_type(kernel.portal.call(storage.put, "a", b"1", expect=0), int)
    assert_type(kernel.portal.call(kernel.get, Storage), Storage)
    assert_type(kernel.portal.iterate(ai.stream, CompletionRequest(messages=())), Stream[CompletionChunk])
    kernel.portal.call(storage.get, 1)  # type: ignore[call-overload]
