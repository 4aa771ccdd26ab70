"""What a type checker sees of the kernel: checked by mypy in ``tests/unit/test_typing.py``, never run."""

from collections.abc import AsyncIterator, Mapping
from typing import assert_type

from attrs import frozen

from hotswap import (
    Bounds,
    Kernel,
    Plan,
    PluginStatus,
    PortStatus,
    Settings,
    Trial,
    TrialStats,
    Verdict,
    Why,
    run,
)
from hotswap_ports import (
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Health,
    Page,
    Scraper,
    ScrapeRequest,
    Storage,
)


@frozen
class Service:
    scraper: Scraper
    stores: Mapping[str, Storage]


def make(scraper: Scraper) -> int:
    return 1


async def application(kernel: Kernel) -> int:
    scraper = kernel.get(Scraper)
    assert_type(scraper, Scraper)
    assert_type(await scraper.scrape(ScrapeRequest("https://example.org")), Page)
    assert_type(kernel.get(AIProvider, "ollama"), AIProvider)
    assert_type(kernel.all(Storage), Mapping[str, Storage])
    assert_type(kernel.build(Service), Service)
    assert_type(kernel.build(make), int)
    assert_type(await kernel.plan(enable=["postgres"], select={Storage: "postgres"}), Plan)
    assert_type(await kernel.enable("postgres"), Plan)
    assert_type(await kernel.select(Storage, "postgres"), Plan)
    trial = await kernel.select(Storage, "postgres", "sqlite", canary=0.05, abort_if=Bounds(error_rate=0.01))
    assert_type(trial, Trial)
    assert_type(await kernel.select(Storage, "new", canary=0.05, abort_if=lambda stats: stats.candidate.p95), Trial)
    assert_type(await kernel.select(Storage, "new", shadow=True, same=lambda one, other: one == other), Trial)
    assert_type(trial.stats(), TrialStats)
    assert_type(await trial.verdict(), Verdict)
    assert_type(kernel.trials(), Mapping[str, Trial])
    await kernel.select(Storage, "new", canary=0.05, same=print)  # type: ignore[call-overload]
    assert_type(await kernel.disable("sqlite", cascade=True), Plan)
    assert_type(await kernel.configure("sqlite", {"path": "x"}), Plan)
    assert_type(await kernel.reload("sqlite"), Plan)
    assert_type(kernel.plugins(), Mapping[str, PluginStatus])
    assert_type(kernel.ports(), Mapping[str, PortStatus])
    assert_type(kernel.why("sqlite"), Why)
    assert_type(await kernel.health(), Mapping[str, Health])
    ai = kernel.get(AIProvider)
    request = CompletionRequest(messages=())
    assert_type(await ai.complete(request), Completion)
    assert_type(ai.stream(request), AsyncIterator[CompletionChunk])
    _ = kernel.get(Scraper).scrap  # type: ignore[attr-defined]
    kernel.get("scraper")  # type: ignore[arg-type]
    return 1


async def main() -> None:
    async with Kernel(Settings.load()) as kernel:
        assert_type(kernel, Kernel)


def synchronous() -> None:
    assert_type(run(application), int)
