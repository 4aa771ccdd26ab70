"""The HTTP scraper against a real server: statuses, redirects, retries, conditions, credentials."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version

import anyio
import pytest

from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import (
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Refused,
    TimedOut,
    Unavailable,
)
from hotswap_ports.scraper import Fingerprint, ScrapeRequest
from tests.integration.web import Asked, Reply, Web, serving

QUICK = HttpScraperConfig(retry_wait=0.01, requests_per_second=1000.0)
PAGE = Reply("<html><title>Page</title><body><p>Some words on a page.</p></body></html>")


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving({"/page": PAGE}) as web:
        yield web


@pytest.fixture
async def scraper() -> AsyncIterator[HttpScraper]:
    async with HttpScraper(QUICK) as scraper:
        yield scraper


async def failure(scraper: HttpScraper, url: str, **bounds: float) -> PortError:
    """Return the port error that scraping ``url`` raises."""
    with pytest.raises(PortError) as caught:
        await scraper.scrape(ScrapeRequest(url, timeout=bounds.get("timeout", 10.0)))
    assert str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFound),
        (410, NotFound),
        (401, Refused),
        (403, Refused),
        (451, Refused),
        (400, Refused),
        (500, Unavailable),
    ],
)
async def test_a_status_is_the_ports_error_at_once(
    scraper: HttpScraper, web: Web, status: int, kind: type[PortError]
) -> None:
    """What will not pass by itself is asked for once, and its error names page and status."""
    web.routes["/page"] = Reply("Sorry.", status)
    error = await failure(scraper, f"{web.base}/page")
    assert type(error) is kind
    assert f"{web.base}/page answered {status}" in str(error)
    assert web.targets() == ["/page"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_pass_is_tried_again(scraper: HttpScraper, web: Web, status: int) -> None:
    """A page that comes at the third attempt is a page."""
    web.sequence("/page", Reply(status=status), Reply(status=status), PAGE)
    page = await scraper.scrape(ScrapeRequest(f"{web.base}/page"))
    assert page.text == "Some words on a page."
    assert len(web.targets()) == 3


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, Unavailable)])
async def test_what_does_not_pass_is_given_up(
    scraper: HttpScraper, web: Web, status: int, kind: type[PortError]
) -> None:
    """After three attempts the last answer is the error."""
    web.routes["/page"] = Reply(status=status)
    assert type(await failure(scraper, f"{web.base}/page")) is kind
    assert len(web.targets()) == 3


async def test_a_dropped_connection_is_tried_again(scraper: HttpScraper, web: Web) -> None:
    """A server that hangs up without an answer is asked again, and then is Unavailable."""

    async def hang_up(asked: Asked, writer: object) -> None:
        """Answer nothing."""

    web.routes["/page"] = hang_up
    assert isinstance(await failure(scraper, f"{web.base}/page"), Unavailable)
    assert len(web.targets()) == 3


async def test_retry_after_is_waited_for(scraper: HttpScraper, web: Web) -> None:
    """A server that asks for a second gets it, and then gives the page."""
    web.sequence("/page", Reply(status=429, headers={"Retry-After": "1"}), PAGE)
    assert (await scraper.scrape(ScrapeRequest(f"{web.base}/page"))).title == "Page"
    first, second = [each.at for each in web.asked if each.target == "/page"]
    assert second - first >= 0.95


async def test_retry_after_may_be_a_date(scraper: HttpScraper, web: Web) -> None:
    """A date gone by is no wait at all."""
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    web.sequence("/page", Reply(status=503, headers={"Retry-After": past}), PAGE)
    assert (await scraper.scrape(ScrapeRequest(f"{web.base}/page"))).title == "Page"


@pytest.mark.parametrize("wait", ["3600", "99999999999999999999", "date"])
async def test_a_wait_that_would_outlast_the_call_is_not_begun(scraper: HttpScraper, web: Web, wait: str) -> None:
    """The caller learns at once how long the server wants to be left alone, and the next call does not even ask."""
    if wait == "date":
        wait = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    web.routes["/page"] = Reply(status=429, headers={"Retry-After": wait})
    error = await failure(scraper, f"{web.base}/page")
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    assert error.retry_after >= 3500
    assert isinstance(await failure(scraper, f"{web.base}/page"), RateLimited)
    assert web.targets() == ["/page"]


async def test_redirects_are_followed(scraper: HttpScraper, web: Web) -> None:
    """The page says where it was found, and its links are relative to that."""
    web.routes["/old"] = Reply(status=301, headers={"Location": "/new/#part"})
    web.routes["/new/"] = Reply("<p>Here it is, <a href='x'>with a link</a>.</p>")
    page = await scraper.scrape(ScrapeRequest(f"{web.base}/old#part"))
    assert page.url == f"{web.base}/new/"
    assert page.links[0].url == f"{web.base}/new/x"


async def test_a_redirect_to_another_host_asks_its_robots(scraper: HttpScraper, web: Web) -> None:
    """Each host on the way has its robots.txt asked, and obeyed."""
    async with serving({"/page": PAGE, "/robots.txt": Reply("User-agent: *\nDisallow: /page")}) as other:
        web.routes["/old"] = Reply(status=302, headers={"Location": f"{other.base}/page"})
        error = await failure(scraper, f"{web.base}/old")
        assert isinstance(error, Refused)
        assert other.targets() == []


async def test_a_redirect_loop_ends(scraper: HttpScraper, web: Web) -> None:
    """Ten redirects are followed, not eleven."""
    web.routes["/loop"] = Reply(status=302, headers={"Location": "/loop"})
    assert isinstance(await failure(scraper, f"{web.base}/loop"), InvalidContent)
    assert len(web.targets()) == 11


async def test_a_cookie_lives_for_one_call(scraper: HttpScraper, web: Web) -> None:
    """A page that redirects until its cookie comes back is read; the next call begins without the cookie."""
    web.routes["/page"] = lambda asked: (
        PAGE if "cookie" in asked.headers else Reply(status=302, headers={"Location": "/page", "Set-Cookie": "seen=1"})
    )
    for _ in range(2):
        assert (await scraper.scrape(ScrapeRequest(f"{web.base}/page"))).title == "Page"
    assert len(web.targets()) == 4


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("file:///etc/passwd", Refused),
        ("ftp://127.0.0.1/", Refused),
        ("", InvalidContent),
        ("http://[", InvalidContent),
    ],
)
async def test_a_redirect_elsewhere_is_not_followed(
    scraper: HttpScraper, web: Web, location: str, kind: type[PortError]
) -> None:
    """Only http and https are gone to, whoever sends one there."""
    web.routes["/page"] = Reply(status=302, headers={"Location": location})
    assert type(await failure(scraper, f"{web.base}/page")) is kind


async def test_an_unchanged_page_is_not_sent_again(scraper: HttpScraper, web: Web) -> None:
    """ETag and date go back to the server, and its 304 is an unchanged page with the fingerprint of before."""
    etag, date = '"v1"', "Mon, 01 Jan 2024 00:00:00 GMT"
    web.routes["/page"] = lambda asked: (
        Reply(status=304, headers={"Content-Length": ""})
        if asked.headers.get("if-none-match") == etag and asked.headers.get("if-modified-since") == date
        else Reply(PAGE.body, headers={"ETag": etag, "Last-Modified": date})
    )
    first = await scraper.scrape(ScrapeRequest(f"{web.base}/page"))
    assert (first.fingerprint.etag, first.fingerprint.last_modified) == (etag, date)
    again = await scraper.scrape(ScrapeRequest(f"{web.base}/page", known=first.fingerprint))
    assert again.unchanged
    assert again.fingerprint == first.fingerprint
    assert again.size == 0


async def test_a_304_that_was_not_asked_for_is_no_page(scraper: HttpScraper, web: Web) -> None:
    """A server that says unchanged to who knows nothing is Unavailable, not an empty page."""
    web.routes["/page"] = Reply(status=304)
    assert isinstance(await failure(scraper, f"{web.base}/page"), Unavailable)


async def test_a_files_fingerprint_is_not_sent(scraper: HttpScraper, web: Web) -> None:
    """What is no HTTP date and no entity tag stays here."""
    await scraper.scrape(ScrapeRequest(f"{web.base}/page", known=Fingerprint("no quotes", "1700000000", "0" * 64)))
    assert not {"if-none-match", "if-modified-since"} & set(web.asked[-1].headers)


async def test_credentials_stay_with_their_page(scraper: HttpScraper, web: Web) -> None:
    """User name and password go to the page as Basic authentication, not to where it redirects, and show nowhere."""
    web.routes["/private"] = Reply(status=302, headers={"Location": "/page"})
    url = web.base.replace("//", "//ann:s3cret%21@")
    page = await scraper.scrape(ScrapeRequest(f"{url}/private"))
    sent = {each.target: each.headers.get("authorization") for each in web.asked}
    assert sent["/private"] == "Basic YW5uOnMzY3JldCE="
    assert sent["/page"] is None
    assert page.url == f"{web.base}/page"
    for bad in ("/nothing", ":0/", "/private"):
        web.routes["/private"] = Reply(status=403)
        error = await failure(scraper, url + bad)
        assert "s3cret" not in f"{error!s}{error!r}{error.hint}{error.__cause__}"


@pytest.mark.parametrize(
    "url",
    ["", "example.org/page", "localhost:8000", "http://", "http:///x", "http://a b/", "http://h:99999/", "http://\\h/",
     "https://exa\x00mple.org", "http://" + "a" * 300, "http://xn--\u00e9\u00e9--.org/"],
)  # fmt: skip
async def test_a_malformed_url_is_said_to_be(scraper: HttpScraper, url: str) -> None:
    """It is InvalidRequest, before anything is asked."""
    assert isinstance(await failure(scraper, url), InvalidRequest)


async def test_other_schemes_name_who_reads_them(scraper: HttpScraper) -> None:
    """A file URL is FeatureUnsupported, with a hint."""
    error = await failure(scraper, "file:///etc/hosts")
    assert isinstance(error, FeatureUnsupported)
    assert "file-scraper" in error.hint


async def test_nobody_listens(scraper: HttpScraper) -> None:
    """A port without a server is Unavailable, with the reason."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    error = await failure(scraper, url)
    assert isinstance(error, Unavailable)
    assert error.retryable


async def test_it_says_who_it_is(scraper: HttpScraper, web: Web) -> None:
    """User-Agent names product and version."""
    await scraper.scrape(ScrapeRequest(f"{web.base}/page"))
    assert {each.headers["user-agent"] for each in web.asked} == {f"hotswap/{version('hotswap')}"}


async def test_a_private_address_is_refused_when_told_so(web: Web) -> None:
    """With block_private neither a page nor a redirect leads to this machine."""
    async with HttpScraper(HttpScraperConfig(block_private=True)) as careful:
        for url in (web.base, web.base.replace("127.0.0.1", "localhost"), "http://[::1]/", "http://169.254.169.254/"):
            error = await failure(careful, f"{url}/page")
            assert isinstance(error, Refused)
            assert "block_private" in str(error)
    assert web.asked == []


async def test_requests_to_one_host_are_spread(web: Web) -> None:
    """Six requests at 20 a second, two of them at once, take a fifth of a second, two at a time."""
    config = HttpScraperConfig(requests_per_second=20.0, burst=2, concurrency_per_host=2)
    urls = [f"{web.base}/page?{number}" for number in range(6)]
    begin = asyncio.get_running_loop().time()
    async with HttpScraper(config) as scraper, anyio.create_task_group() as group:
        for url in urls:
            group.start_soon(scraper.scrape, ScrapeRequest(url))
    at = [each.at for each in web.asked if each.target != "/robots.txt"]
    assert at[-1] - begin >= 0.19
    assert web.most <= 2
    assert len([each for each in web.asked if each.target == "/robots.txt"]) == 1


async def test_waiting_for_a_turn_counts(web: Web) -> None:
    """Who waits for a turn longer than the timeout is told what for."""
    async with HttpScraper(HttpScraperConfig(requests_per_second=0.01, burst=1)) as scraper:
        await scraper.scrape(ScrapeRequest(f"{web.base}/page"))
        error = await failure(scraper, f"{web.base}/page", timeout=0.1)
    assert isinstance(error, TimedOut)
    assert re.search(r"turn at 127\.0\.0\.1", str(error))


async def test_it_must_be_opened(web: Web) -> None:
    """A scraper that is not open, or not any more, says what to write."""
    scraper = HttpScraper(QUICK)
    async with scraper:
        pass
    with pytest.raises(Unavailable) as refusal:
        await scraper.scrape(ScrapeRequest(f"{web.base}/page"))
    assert "async with" in refusal.value.hint
    await web.until_closed()


async def test_time_running_out_between_tries_names_the_failure(web: Web) -> None:
    """Who waits for another try when time is over learns what failed, not only that it took long."""
    web.routes["/page"] = Reply(status=503)
    async with HttpScraper(HttpScraperConfig(retry_wait=5.0)) as scraper:
        error = await failure(scraper, f"{web.base}/page", timeout=0.2)
    assert isinstance(error, TimedOut)
    assert "answered 503" in str(error)


async def test_a_host_that_wants_to_be_left_alone_is(scraper: HttpScraper, web: Web) -> None:
    """While one call waits as it was told, another call to the same host waits with it."""
    web.sequence("/page", Reply(status=503, headers={"Retry-After": "1"}), PAGE)
    web.routes["/other"] = PAGE
    await scraper.scrape(ScrapeRequest(f"{web.base}/other"))
    async with anyio.create_task_group() as group:
        group.start_soon(scraper.scrape, ScrapeRequest(f"{web.base}/page"))
        while "/page" not in web.targets():
            await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        group.start_soon(scraper.scrape, ScrapeRequest(f"{web.base}/other"))
    first, *later = [each.at for each in web.asked if each.target in ("/page", "/other")][1:]
    assert len(later) == 2
    assert min(later) - first >= 0.95


async def test_hosts_that_were_not_granted_are_not_asked(web: Web) -> None:
    """A host that the program's host does not grant is refused before anything is sent, after a redirect as well."""
    elsewhere = web.base.replace("127.0.0.1", "localhost") + "/page"
    web.routes["/away"] = Reply(status=302, headers={"Location": elsewhere})
    async with HttpScraper(QUICK, may_reach=lambda host: host == "127.0.0.1") as scraper:
        assert "Some words" in (await scraper.scrape(ScrapeRequest(f"{web.base}/page"))).text
        before = len(web.asked)
        assert isinstance(await failure(scraper, elsewhere), Refused)
        assert len(web.asked) == before
        error = await failure(scraper, f"{web.base}/away")
    assert isinstance(error, Refused)
    assert "localhost" in str(error)
    assert "[grants.http-scraper]" in error.hint
