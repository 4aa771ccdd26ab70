"""A test that is wrong itself, about a plugin that takes every error for the adapter's: it does not stay green."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotswap.testing import PluginHarness
from hotswap_ports import AIProvider, Scraper, ScrapeRequest, Unavailable
from hotswap_ports.testing import MemoryAI, MockAI, NotRecorded, WrongAnswer, record, replay
from tests.plugin_folder import write_plugin

CARELESS = """
    from hotswap_ports import AIProvider, CompletionRequest, Message, Page, Scraper, ScrapeRequest, ScraperFeatures

    class Careless(Scraper):
        features = ScraperFeatures(schemes=frozenset({"https"}))

        def __init__(self, ai: AIProvider) -> None:
            self.ai = ai

        async def scrape(self, request: ScrapeRequest) -> Page:
            asked = CompletionRequest((Message("user", request.url),))
            try:
                if request.javascript:
                    return Page(request.url, "".join([each.text async for each in self.ai.stream(asked)]))
                return Page(request.url, (await self.ai.complete(asked)).text)
            except Exception:
                return Page(request.url, "nobody knows")
"""


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_test_that_is_wrong_does_not_stay_green(tmp_path: Path, streamed: bool) -> None:
    """A call that is not on the cassette, or an answer that the port cannot give: no handler of the plugin hides it."""
    root = write_plugin(tmp_path, "careless", CARELESS, provides={"scraper": "Careless"}, requires={"ai": ">=1,<2"})
    request, cassette = ScrapeRequest("https://a.example.org/", javascript=streamed), tmp_path / "ai.json"
    async with record(AIProvider, MemoryAI("one"), cassette):
        pass
    with pytest.raises(NotRecorded, match="has no call"):
        async with PluginHarness(root, mocks={AIProvider: replay(AIProvider, cassette)}) as harness:
            await harness.get(Scraper).scrape(request)
    mock = MockAI()
    mock.on("*").answer(lambda call: 3)
    with pytest.raises(WrongAnswer, match="and not int"):
        async with PluginHarness(root, mocks={AIProvider: mock}) as harness:
            await harness.get(Scraper).scrape(request)
    async with PluginHarness(root) as harness:
        harness.mock(AIProvider).on("*").fail(Unavailable("down"))
        assert (await harness.get(Scraper).scrape(request)).text == "nobody knows"
