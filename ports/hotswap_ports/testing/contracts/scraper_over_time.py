"""``ScraperOverTime``: the part of ``ScraperContract`` about long and cancelled calls, many at once, and closing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest

from hotswap_ports.errors import NotFound, TimedOut, TooLarge, Unavailable
from hotswap_ports.scraper import Page, Scraper, ScrapeRequest
from hotswap_ports.testing.contracts.cancellation import ends_when_cancelled, leaves_nothing_behind_when_cancelled
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.testing.contracts.site import FIRST, PARAGRAPHS, Site

Reopen = Callable[[Scraper], AbstractAsyncContextManager[Scraper]]

SHORT = 0.3
"""Seconds that are given to what never ends."""
LONGEST = 5.0
"""Seconds after which it counts as never ending: more than a busy machine needs."""


class ScraperOverTime:
    """Inherited by ``ScraperContract``."""

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes a scraper and opens another with the same settings; None: skip that."""
        return None

    async def test_what_never_ends_is_timed_out(self, scraper: Scraper, site: Site) -> None:
        """``timeout`` holds for the whole call, the body included, and for no other call."""
        if site.stuck is None:
            pytest.skip("the site has no such page")
        begun = time.monotonic()
        stuck = asyncio.wait_for(scraper.scrape(ScrapeRequest(site.stuck, timeout=SHORT)), LONGEST)
        failure, page = await asyncio.gather(stuck, scraper.scrape(ScrapeRequest(site.article)), return_exceptions=True)
        assert isinstance(failure, TimedOut)
        assert failure.seconds == SHORT
        assert time.monotonic() - begun < LONGEST
        assert isinstance(page, Page)

    async def test_a_call_without_time_ends_in_timed_out(self, scraper: Scraper, site: Site) -> None:
        """Who does not read a page within ``timeout`` says TimedOut, not what a library says; and reads on."""
        with suppress(TimedOut):
            await scraper.scrape(ScrapeRequest(site.article, timeout=1e-6))
        assert FIRST in (await scraper.scrape(ScrapeRequest(site.article))).text

    async def test_a_long_page_is_read_whole(self, scraper: Scraper, site: Site) -> None:
        """A page of many paragraphs has all of them, and the event loop stays free while they are read."""
        if site.long is None:
            pytest.skip("the site has no such page")
        url = site.long

        async def work() -> None:
            page = await scraper.scrape(ScrapeRequest(url))
            assert page.text.count(FIRST) == page.text.count("Heron number") == PARAGRAPHS
            assert f"Heron number {PARAGRAPHS - 1} waits." in page.text

        await leaves_the_loop_free(work)

    async def test_many_at_once(self, scraper: Scraper, site: Site) -> None:
        """Calls at the same time do not disturb each other, those that fail among them."""
        requests = [
            ScrapeRequest(site.article),
            ScrapeRequest(site.missing),
            ScrapeRequest(site.note),
            ScrapeRequest(site.plain, max_bytes=1),
            ScrapeRequest(site.plain),
        ] * 4
        calls = [scraper.scrape(request) for request in requests]
        for request, found in zip(requests, await asyncio.gather(*calls, return_exceptions=True), strict=True):
            if isinstance(found, Page):
                assert found.url == request.url
                assert FIRST in found.text
            else:
                assert isinstance(found, NotFound if request.url == site.missing else TooLarge)

    async def test_a_cancelled_call_ends_and_the_scraper_reads_on(self, scraper: Scraper, site: Site) -> None:
        """Whoever gives up a call on its way is told so, soon; others and later calls are served as ever."""
        for url in (site.article, site.plain):
            beside = asyncio.ensure_future(scraper.scrape(ScrapeRequest(site.note)))
            await ends_when_cancelled(lambda url=url: scraper.scrape(ScrapeRequest(url)))  # type: ignore[misc]
            assert FIRST in (await beside).text
            assert FIRST in (await scraper.scrape(ScrapeRequest(url))).text

    async def test_a_cancelled_call_leaves_nothing_behind(self, scraper: Scraper, site: Site) -> None:
        """Calls that were given up leave neither tasks nor threads nor open files, also where nothing ever comes."""
        await leaves_nothing_behind_when_cancelled(lambda: scraper.scrape(ScrapeRequest(site.article)))
        if (stuck := site.stuck) is not None:

            async def given_up() -> None:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(scraper.scrape(ScrapeRequest(stuck)), SHORT / 6)

            await leaves_nothing_behind(given_up)

    async def test_who_is_closed_is_unavailable_and_the_next_one_reads(
        self, scraper: Scraper, site: Site, reopen: Reopen | None
    ) -> None:
        """A closed scraper is Unavailable; one that is opened after it reads, and takes fingerprints of before."""
        if reopen is None:
            pytest.skip("the fixture reopen is not there")
        known = (await scraper.scrape(ScrapeRequest(site.article))).fingerprint
        async with reopen(scraper) as again:
            with pytest.raises(Unavailable):
                await scraper.scrape(ScrapeRequest(site.article))
            assert (await again.scrape(ScrapeRequest(site.article, known=known))).unchanged
            assert FIRST in (await again.scrape(ScrapeRequest(site.note))).text
        with pytest.raises(Unavailable):
            await again.scrape(ScrapeRequest(site.article))

    async def test_it_behaves_as_a_guest_should(self, scraper: Scraper, site: Site) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await scraper.scrape(ScrapeRequest(site.article))
            with pytest.raises(NotFound):
                await scraper.scrape(ScrapeRequest(site.missing))

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
