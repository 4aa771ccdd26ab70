"""``HttpScraper``: pages of the web, over httpx2."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Self

import anyio
from attrs import evolve, frozen

from hotswap_adapters.scraper import content, media
from hotswap_adapters.scraper.address import parse, scheme_of, shown
from hotswap_adapters.scraper.fetch import SCHEMES, Errand, Fetched, Fetcher
from hotswap_adapters.scraper.politeness import Lanes, Limits
from hotswap_adapters.scraper.readers import Readers
from hotswap_adapters.scraper.retry import Backoff
from hotswap_adapters.scraper.robots import Robots
from hotswap_adapters.scraper.wire import Wire
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, TimedOut, Unavailable
from hotswap_ports.scraper import Fingerprint, Page, Scraper, ScrapeRequest, ScraperFeatures

_NAME = "http-scraper"
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,1024}")


@frozen
class HttpScraperConfig:
    """Settings of the HTTP scraper; the schema in the plugin's manifest says the same."""

    user_agent: str = ""
    """The ``User-Agent`` header; empty for ``hotswap/<version>``. What precedes the slash is robots.txt's token."""
    obey_robots: bool = True
    robots_ttl: float = 3600.0
    """Seconds for which a robots.txt is believed; RFC 9309 allows a day."""
    robots_failure_ttl: float = 60.0
    """Seconds after which a robots.txt that could not be had is asked for again."""
    requests_per_second: float = 4.0
    """For one host; a longer ``Crawl-delay`` of its robots.txt wins."""
    burst: int = 8
    """Requests to one host that need not wait for each other after a pause."""
    concurrency_per_host: int = 4
    attempts: int = 3
    """Tries for one request, the first included."""
    retry_wait: float = 0.5
    """Seconds before the second try, doubled for each further one; a ``Retry-After`` replaces it."""
    retry_wait_max: float = 10.0
    max_redirects: int = 10
    connect_timeout: float = 10.0
    """Seconds for one connection to be made."""
    block_private: bool = False
    """Refuse hosts at private addresses (loopback, a local network): for programs that read what strangers name."""


DEFAULTS = HttpScraperConfig()


class HttpScraper(Scraper):
    """Reads pages over HTTP: politely, within the request's limits, their main text alone.

    Open it with ``async with``. It runs no scripts. User name and password in a URL are sent to that page as Basic
    authentication, never to where it redirects, and show nowhere.

    Args:
        may_reach: asked with the name of each host before a request goes there, those of redirects and of robots.txt
            included.
    """

    features = ScraperFeatures(schemes=SCHEMES)

    def __init__(
        self,
        config: HttpScraperConfig = DEFAULTS,
        *,
        may_reach: Callable[[str], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._may_reach = may_reach
        self._clock = clock
        self._opened = AsyncExitStack()
        self._readers = Readers()
        self._fetcher: Fetcher | None = None
        self._robots: Robots | None = None

    async def __aenter__(self) -> Self:
        config = self._config
        agent = config.user_agent or f"hotswap/{_version()}"
        wire = await self._opened.enter_async_context(Wire(agent, config.connect_timeout, config.block_private))
        lanes = Lanes(Limits(config.requests_per_second, config.burst, config.concurrency_per_host), self._clock)
        backoff = Backoff(config.attempts, config.retry_wait, config.retry_wait_max)
        self._fetcher = Fetcher(wire, lanes, backoff, self._may_reach)
        if config.obey_robots:
            self._robots = Robots(
                self._fetcher.fetch,
                lanes,
                agent.partition("/")[0].strip(),
                ttl=config.robots_ttl,
                failure_ttl=config.robots_failure_ttl,
                clock=self._clock,
            )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._fetcher = self._robots = None
        await self._opened.aclose()

    async def scrape(self, request: ScrapeRequest) -> Page:
        """Read one page, as the port says. ``known`` becomes a conditional request."""
        _check(request)
        errand = Errand(
            address=parse(request.url),
            deadline=anyio.current_time() + request.timeout,
            max_bytes=request.max_bytes,
            headers=_conditions(request.known),
            max_redirects=self._config.max_redirects,
        )
        if self._fetcher is None:
            raise Unavailable(f"{_NAME} is not open.", "Use it inside `async with`.")
        if self._robots is not None:
            errand.permit = self._robots.permit
        try:
            with anyio.fail_after(request.timeout):
                fetched = await self._fetcher.fetch(errand)
                errand.doing = f"Extracting the text of {fetched.address}"
                return await self._page(fetched, request.known)
        except TimeoutError as error:
            raise TimedOut(errand.doing, request.timeout, "Raise the timeout, or try again later.") from error

    async def _page(self, fetched: Fetched, known: Fingerprint | None) -> Page:
        url = str(fetched.address)
        if fetched.status == 304:
            return _not_modified(fetched, known)
        page = Page(
            url=url,
            text="",
            media_type=media.settle(fetched.media_type, fetched.body, url),
            fetched_at=datetime.now(UTC),
            size=len(fetched.body),
            fingerprint=Fingerprint(fetched.etag, fetched.last_modified, hashlib.sha256(fetched.body).hexdigest()),
        )
        if known is not None and known.sha256 == page.fingerprint.sha256:
            return evolve(page, unchanged=True)
        read = partial(content.read, fetched.body, page.media_type, fetched.charset, url, SCHEMES)
        return (await self._readers.run(read)).into(page)


def _not_modified(fetched: Fetched, known: Fingerprint | None) -> Page:
    if known is None or not _conditions(known):
        raise Unavailable(f"{fetched.address} answered 304, but was not asked whether it had changed.")
    return Page(
        url=str(fetched.address),
        text="",
        media_type=fetched.media_type or "text/html",
        fetched_at=datetime.now(UTC),
        fingerprint=Fingerprint(fetched.etag or known.etag, fetched.last_modified or known.last_modified, known.sha256),
        unchanged=True,
    )


def _check(request: ScrapeRequest) -> None:
    """Raise for what no server needs to be asked about."""
    scheme = scheme_of(request.url)
    if not scheme:
        raise InvalidRequest(
            f"{shown(request.url)!r} is no URL: it has no scheme.", f"Write https://{shown(request.url)}"
        )
    if scheme not in SCHEMES:
        raise FeatureUnsupported(
            _NAME, f"the URL scheme {scheme!r}", "Enable a scraper for it: file-scraper reads file: URLs."
        )
    if request.javascript:
        raise FeatureUnsupported(
            _NAME, "running a page's scripts", "Ask without javascript, or enable a scraper whose features have it."
        )
    if not request.timeout > 0 or not request.max_bytes > 0:
        raise InvalidRequest("timeout and max_bytes of a scrape must be above zero.")


def _conditions(known: Fingerprint | None) -> dict[str, str]:
    """Return the headers that ask whether a page has changed; a validator that no server can have sent asks nothing."""
    if known is None:
        return {}
    headers = {}
    if known.etag and known.etag.lstrip("W/").startswith('"') and _HEADER_VALUE.fullmatch(known.etag):
        headers["If-None-Match"] = known.etag
    if known.last_modified and "GMT" in known.last_modified and _HEADER_VALUE.fullmatch(known.last_modified):
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _version() -> str:
    try:
        return version("hotswap")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0"
