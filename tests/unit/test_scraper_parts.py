"""The parts of the scrapers that need neither a server nor a file."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

import pytest

from hotswap_adapters.scraper.address import absolute, parse, scheme_of, shown
from hotswap_adapters.scraper.content import read
from hotswap_adapters.scraper.politeness import Lanes, Limits
from hotswap_adapters.scraper.readers import READERS, Readers
from hotswap_adapters.scraper.retry import seconds_of
from hotswap_ports.errors import InvalidRequest
from hotswap_ports.scraper import Page

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 12:00:30", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thursday, 01-Jan-26 12:01:00 GMT", 60.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """A number or a date in any of HTTP's forms gives seconds; anything else asks for nothing."""
    assert seconds_of(header, NOW) == seconds


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80?q", "http://example.org/?q"),
        ("https://example.org:443/a#b", "https://example.org/a"),
        ("https://example.org:80/", "https://example.org:80/"),
        ("http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://ann:secret@example.org//a//b", "http://example.org//a//b"),
        ("http://example.org/a/./b/../c/..", "http://example.org/a/"),
        ("http://example.org/../../a", "http://example.org/a"),
        (" http://example.org/a b\u00fc\t ", "http://example.org/a%20b%C3%BC"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://example.org/100%25", "http://example.org/100%25"),
    ],
)
def test_an_address_has_one_spelling(url: str, address: str) -> None:
    """Case, default port, dots, fragment and credentials do not show; reading it again changes nothing."""
    assert str(parse(url)) == address
    assert str(parse(address)) == address


@pytest.mark.parametrize("url", ["http://", "http://a_\\b/", "http://ex%20ample/", "http://h:0/", "http://[:::]/"])
def test_what_is_no_address(url: str) -> None:
    """It is InvalidRequest."""
    with pytest.raises(InvalidRequest):
        parse(url)


def test_a_password_shows_nowhere() -> None:
    """Neither in an address's repr nor in a URL that is shown."""
    assert "secret" not in repr(parse("http://ann:secret@example.org/"))
    assert "secret" not in shown("ftp://ann:secret@example.org/@x")
    assert len(shown("x" * 1000)) < 210


def test_a_link_that_cannot_be_is_left_out() -> None:
    """Whatever a page has as a link, it gives a URL or nothing."""
    for link in ("http://[", "http://h:99999/", "//\x00", "data:text/plain,x", "http://h:x/"):
        assert absolute("http://example.org/", link, {"http"}) is None
    assert absolute("http://example.org/a", "#x", {"http"}) == "http://example.org/a"


@pytest.mark.parametrize(
    ("url", "scheme"), [("FILE:///x", "file"), ("localhost:80", ""), ("example.org", ""), ("mailto:a@b.c", "mailto")]
)
def test_schemes(url: str, scheme: str) -> None:
    """A host with a port is no scheme."""
    assert scheme_of(url) == scheme


async def test_idle_lanes_are_forgotten() -> None:
    """A crawl over many hosts does not grow without end, and a host in use keeps its lane."""
    lanes = Lanes(Limits())
    async with lanes.turn("busy", lambda: 1.0) as busy:
        for number in range(3000):
            lanes.of(f"host-{number}")
        assert lanes.of("busy") is busy
    assert len(lanes._lanes) <= 1025


async def test_a_hold_is_bounded() -> None:
    """A host that wants to be left alone for ever is asked again after ten minutes."""
    now = 0.0
    lanes = Lanes(Limits(), clock=lambda: now)
    lanes.of("host").hold(1e12)
    now = 601.0
    async with lanes.turn("host", lambda: 1.0):
        pass


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "The mill stands by the river." + "</div>" * 100_000,
        f"<p {' '.join(f'a{number}' for number in range(100_000))}>The mill stands by the river.</p>",
    ],
    ids=["nested", "attributes"],
)
def test_a_page_that_would_keep_a_parser_busy_is_read_without_one(html: str) -> None:
    """Markup whose parsing takes the square of its size is not parsed: what stands between its tags is the text."""
    began = time.process_time()
    found = read(html.encode(), "text/html", None, "https://example.org/", {"https"})
    assert found.text == "The mill stands by the river."
    assert time.process_time() - began < 5


def test_a_title_is_bounded() -> None:
    """A page that calls itself by a megabyte is called by its beginning."""
    html = f"<title>{'Mill ' * 200_000}</title><p>The mill stands by the river.</p>"
    page = Page("https://example.org/", "", fetched_at=NOW)
    assert read(html.encode(), "text/html", None, page.url, {"https"}).into(page).title == ("Mill " * 60)


def test_a_key_in_a_query_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The extraction, which logs addresses, is not told the query of one."""
    with caplog.at_level("DEBUG"):
        read(b"<html></html>", "text/html", None, "https://example.org/?api_key=k123", {"https"})
    assert "k123" not in caplog.text


async def test_a_place_is_free_when_its_work_has_ended() -> None:
    """Who gives up is let go at once; the thread that works on keeps its place, and nobody else's is taken."""
    readers, begun, gate = Readers(), threading.Semaphore(0), threading.Event()

    def work() -> bool:
        begun.release()
        return gate.wait(10)

    calls = [asyncio.ensure_future(readers.run(work)) for _ in range(READERS + 1)]
    for _ in range(READERS):
        await asyncio.to_thread(begun.acquire)
    for call in calls:
        call.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*calls, return_exceptions=True)
    )
    later = [asyncio.ensure_future(readers.run(lambda: "read")) for _ in range(READERS + 1)]
    assert (await asyncio.wait(later, timeout=0.05))[0] == set()
    gate.set()
    assert await asyncio.gather(*later) == ["read"] * (READERS + 1)


async def test_a_call_that_is_cancelled_before_a_thread_took_it_up_keeps_no_place() -> None:
    """However many calls are given up as soon as they began, the next one is served."""
    readers = Readers()
    for rounds in range(5 * READERS):
        call = asyncio.ensure_future(readers.run(int))
        for _ in range(rounds // READERS):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert await asyncio.wait_for(readers.run(lambda: "read"), 10) == "read"
