"""robots.txt over the wire, as RFC 9309 has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import pytest

from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import Refused, TimedOut, Unavailable
from hotswap_ports.scraper import ScrapeRequest
from tests.integration.web import Asked, Reply, Web, serving

QUICK = HttpScraperConfig(retry_wait=0.01, requests_per_second=1000.0)
PAGE = Reply("<title>Page</title><p>Some words on a page.</p>")


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving(dict.fromkeys(("/", "/open", "/closed", "/closed/but", "/slow"), PAGE)) as web:
        yield web


@pytest.fixture
async def scraper() -> AsyncIterator[HttpScraper]:
    async with HttpScraper(QUICK) as scraper:
        yield scraper


async def allowed(scraper: HttpScraper, url: str) -> bool:
    """Return whether ``url`` may be read."""
    try:
        await scraper.scrape(ScrapeRequest(url, timeout=10.0))
    except Refused:
        return False
    return True


def rules(text: str) -> Reply:
    return Reply(text, headers={"Content-Type": "text/plain"})


async def test_rules_are_obeyed(scraper: HttpScraper, web: Web) -> None:
    """The longest rule wins, dots in a path hide nothing, and a page that is forbidden is not asked for."""
    web.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /closed\nAllow: /closed/but\n")
    assert await allowed(scraper, f"{web.base}/open")
    assert await allowed(scraper, f"{web.base}/closed/but")
    for hidden in ("/closed", "/open/../closed", "/open/%2e%2E/closed", "/./closed"):
        assert not await allowed(scraper, web.base + hidden)
    assert web.targets() == ["/open", "/closed/but"]


async def test_the_group_of_its_name_counts(scraper: HttpScraper, web: Web) -> None:
    """A group for hotswap replaces the one for everybody."""
    web.routes["/robots.txt"] = rules("User-agent: *\nDisallow:\n\nUser-agent: HotSwap\nDisallow: /closed\n")
    assert not await allowed(scraper, f"{web.base}/closed")
    async with HttpScraper(HttpScraperConfig(user_agent="other-bot/2.0")) as other:
        assert await allowed(other, f"{web.base}/closed")


async def test_obedience_can_be_switched_off(web: Web) -> None:
    """For a site of one's own nothing is asked."""
    web.routes["/robots.txt"] = rules("User-agent: *\nDisallow: /")
    async with HttpScraper(HttpScraperConfig(obey_robots=False)) as scraper:
        assert await allowed(scraper, f"{web.base}/open")
    assert [each.target for each in web.asked] == ["/open"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_no_rules_allow_everything(scraper: HttpScraper, web: Web, status: int) -> None:
    """A robots.txt that is not there forbids nothing."""
    web.routes["/robots.txt"] = Reply("User-agent: *\nDisallow: /", status)
    assert await allowed(scraper, f"{web.base}/closed")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_rules_that_cannot_be_had_forbid_everything(web: Web, status: int) -> None:
    """The site is Unavailable, is not asked again for a while, and is read when the rules are there."""
    now = 1000.0
    web.routes["/robots.txt"] = Reply("Sorry.", status)
    async with HttpScraper(QUICK, clock=lambda: now) as scraper:
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"robots\.txt"):
                await scraper.scrape(ScrapeRequest(f"{web.base}/open"))
        asked = len(web.asked)
        assert asked <= 3
        assert web.targets() == []
        web.routes["/robots.txt"] = rules("")
        now += 61
        assert await allowed(scraper, f"{web.base}/open")


async def test_rules_are_kept_for_an_hour(web: Web) -> None:
    """robots.txt is asked for once an hour, however many pages are read."""
    now = 1000.0
    async with HttpScraper(QUICK, clock=lambda: now) as scraper:
        for later in (0, 3599, 2):
            now += later
            assert await allowed(scraper, f"{web.base}/open")
    assert len([each for each in web.asked if each.target == "/robots.txt"]) == 2


async def test_redirected_rules_are_rules(scraper: HttpScraper, web: Web) -> None:
    """Up to five redirects lead to the rules; more are no rules."""
    web.routes["/robots.txt"] = Reply(status=301, headers={"Location": "/rules"})
    web.routes["/rules"] = rules("User-agent: *\nDisallow: /closed")
    assert not await allowed(scraper, f"{web.base}/closed")
    web.routes["/robots.txt"] = Reply(status=301, headers={"Location": "/robots.txt"})
    async with HttpScraper(QUICK) as fresh:
        assert await allowed(fresh, f"{web.base}/closed")


async def test_endless_rules_are_read_to_500_kib(scraper: HttpScraper, web: Web) -> None:
    """What stands in the first 500 KiB counts, and no more is read."""

    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nUser-agent: *\nDisallow: /closed\n")
        while True:
            writer.write(b"# nothing\n" * 1000)
            await writer.drain()

    web.routes["/robots.txt"] = endless
    assert not await allowed(scraper, f"{web.base}/closed")
    assert await allowed(scraper, f"{web.base}/open")


async def test_nonsense_forbids_nothing(scraper: HttpScraper, web: Web) -> None:
    """A binary robots.txt, or a page in its place, is no rule."""
    web.routes["/robots.txt"] = Reply(bytes(range(256)) * 10)
    assert await allowed(scraper, f"{web.base}/closed")


async def test_a_crawl_delay_is_kept(scraper: HttpScraper, web: Web) -> None:
    """Three pages of a site that asks for a quarter of a second take half a second."""
    web.routes["/robots.txt"] = rules("User-agent: *\nCrawl-delay: 0.25")
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(scraper.scrape, ScrapeRequest(f"{web.base}/open?{number}"))
    at = [each.at for each in web.asked if each.target != "/robots.txt"]
    assert at[-1] - at[0] >= 0.48


async def test_a_hurried_caller_spoils_nothing(scraper: HttpScraper, web: Web) -> None:
    """A call that runs out of time while robots.txt is read does not make the site unavailable for the next."""

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(rules("").encoded())
        await writer.drain()

    web.routes["/robots.txt"] = slow
    with pytest.raises(TimedOut, match=r"robots\.txt"):
        await scraper.scrape(ScrapeRequest(f"{web.base}/open", timeout=0.1))
    assert await allowed(scraper, f"{web.base}/open")
