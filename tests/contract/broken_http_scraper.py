"""Breaks of ``HttpScraper``, over a server on loopback."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.scraper import address, charset, content, fetch, html, http, media
from hotswap_adapters.scraper.content import Links
from hotswap_adapters.scraper.http import HttpScraper
from hotswap_adapters.scraper.readers import Readers
from hotswap_adapters.scraper.robots import Robots
from hotswap_ports import (
    FeatureUnsupported,
    Fingerprint,
    InvalidContent,
    InvalidRequest,
    NotFound,
    Page,
    RateLimited,
    Refused,
    ScrapeRequest,
    TimedOut,
    TooLarge,
    Unavailable,
)
from tests.contract import test_scraper
from tests.contract.breaks import Breaks, around

breaks = Breaks(test_scraper.TestHttpScraper)
LEFT_OPEN: list[Any] = []
"""For as long as the process lasts, so that no test hears of it when these are collected."""


def changed(patch: pytest.MonkeyPatch, change: Any) -> None:
    """Put another page in the place of what was read: ``change`` of it and the request."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Page:
        page: Page = change(await whole(self, request), request)
        return page


def instead(patch: pytest.MonkeyPatch, kind: type[Exception], other: Any) -> None:
    """Raise another error in the place of one of ``kind``."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Page:
        try:
            page: Page = await whole(self, request)
        except kind as error:
            raise other(str(error)) from error
        return page


@breaks.noticed_by("test_a_page_says_where_it_was_found")
def asked_for_where(patch: pytest.MonkeyPatch) -> None:
    """A page says where it was asked for, and not where it was found."""
    changed(patch, lambda page, request: evolve(page, url=request.url))


@breaks.noticed_by("test_a_page_says_where_it_was_found")
def links_of_the_first_place(patch: pytest.MonkeyPatch) -> None:
    """Links are relative to where the page was asked for."""

    @around(patch, content, "read")
    def read(whole: Any, body: bytes, media_type: str, declared: Any, url: str, schemes: Any) -> Any:
        return whole(body, media_type, declared, f"{url}/../moved/here", schemes)


@breaks.noticed_by("test_nothing_there")
def nothing_is_a_page(patch: pytest.MonkeyPatch) -> None:
    """What the server says instead of a page is the page."""
    patch.setattr(fetch, "_check_status", lambda address, response: None)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def gone_for_a_while(patch: pytest.MonkeyPatch) -> None:
    """What is not there is Unavailable."""
    instead(patch, NotFound, Unavailable)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def forbidden_is_nothing(patch: pytest.MonkeyPatch) -> None:
    """What is forbidden is not there."""
    instead(patch, Refused, NotFound)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def too_often_is_down(patch: pytest.MonkeyPatch) -> None:
    """A server that is asked too often is Unavailable."""
    instead(patch, RateLimited, Unavailable)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def rules_ignored(patch: pytest.MonkeyPatch) -> None:
    """What robots.txt forbids is read."""

    @around(patch, Robots, "permit")
    async def permit(whole: Any, self: Any, *given: Any) -> None:
        return None


@breaks.noticed_by("test_a_binary_file")
def pictures_as_text(patch: pytest.MonkeyPatch) -> None:
    """A picture is read as text."""
    patch.setattr(media, "check", lambda media_type, where: None)
    patch.setattr(media, "settle", lambda declared, body, where: "text/plain")
    patch.setattr(charset, "decode", lambda body, declared, url: body.decode("latin-1"))


@breaks.noticed_by("test_a_body_too_large")
def one_byte_too_strict(patch: pytest.MonkeyPatch) -> None:
    """A body of exactly the most bytes is too large."""

    @around(patch, fetch, "_read")
    async def read(whole: Any, errand: Any, response: Any) -> Any:
        body = await whole(errand, response)
        if len(body) >= errand.max_bytes:
            raise TooLarge(str(errand.address), errand.max_bytes)
        return body


@breaks.noticed_by("test_a_body_too_large")
def cut_at_the_limit(patch: pytest.MonkeyPatch) -> None:
    """Of a body that is too large the beginning is read."""

    @around(patch, fetch, "_read")
    async def read(whole: Any, errand: Any, response: Any) -> Any:
        errand.cut = True
        return await whole(errand, response)


@breaks.noticed_by("test_size_and_digest_are_those_of_the_bytes")
def size_on_the_wire(patch: pytest.MonkeyPatch) -> None:
    """The size is that of the text in characters, and so is the digest."""
    changed(patch, lambda page, _: evolve(page, size=len(page.text)))


@breaks.noticed_by("test_size_and_digest_are_those_of_the_bytes")
def still_packed(patch: pytest.MonkeyPatch) -> None:
    """Size and digest are those of the packed bytes."""

    class Packed:
        def __init__(self, response: Any) -> None:
            self._response = response
            self.headers = response.headers

        def aiter_bytes(self) -> Any:
            return self._response.aiter_raw()

    @around(patch, fetch, "_read")
    async def read(whole: Any, errand: Any, response: Any) -> Any:
        return await whole(errand, Packed(response))

    patch.setattr(media, "settle", lambda declared, body, where: declared)


@breaks.noticed_by("test_what_never_ends_is_timed_out")
def timeout_of_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Time that runs out is asyncio's own error."""
    instead(patch, TimedOut, TimeoutError)


@breaks.noticed_by("test_what_never_ends_is_timed_out")
def timeout_for_the_head(patch: pytest.MonkeyPatch) -> None:
    """The bound does not hold for the body."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        return await whole(self, evolve(request, timeout=max(request.timeout, 100.0)))


@breaks.noticed_by("test_an_unchanged_page_says_so")
def fingerprint_used_up(patch: pytest.MonkeyPatch) -> None:
    """The fingerprint of an unchanged page does not work again."""
    changed(patch, lambda page, _: evolve(page, fingerprint=Fingerprint()) if page.unchanged else page)


@breaks.noticed_by("test_an_unchanged_page_says_so")
def always_whole(patch: pytest.MonkeyPatch) -> None:
    """What is known is not looked at."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        return await whole(self, evolve(request, known=None))


@breaks.noticed_by("test_the_digest_alone_is_enough")
def validators_alone(patch: pytest.MonkeyPatch) -> None:
    """A page that its server does not call unchanged is changed."""

    @around(patch, HttpScraper, "_page")
    async def page(whole: Any, self: Any, fetched: Any, known: Any) -> Any:
        return await whole(self, fetched, known and evolve(known, sha256=None))


@breaks.noticed_by("test_the_validator_alone_is_enough")
def unconditional(patch: pytest.MonkeyPatch) -> None:
    """The server is not asked whether a page has changed."""
    patch.setattr(http, "_conditions", lambda known: {})


@breaks.noticed_by("test_a_strange_fingerprint_does_no_harm")
def any_header(patch: pytest.MonkeyPatch) -> None:
    """What is known is sent as it is."""
    patch.setattr(http, "_conditions", lambda known: {"If-None-Match": known.etag} if known and known.etag else {})


@breaks.noticed_by("test_a_page_has_its_links")
def every_link(patch: pytest.MonkeyPatch) -> None:
    """A link that is there twice comes twice."""

    @around(patch, Links, "all")
    def every(whole: Any, self: Any) -> Any:
        return (*whole(self), *whole(self))


@breaks.noticed_by("test_a_page_has_its_links")
def links_as_written(patch: pytest.MonkeyPatch) -> None:
    """Links come as they stand in the page: relative, with fragments."""
    patch.setattr(content, "absolute", lambda base, link, schemes: link)


@breaks.noticed_by("test_a_page_has_its_links")
def sorted_links(patch: pytest.MonkeyPatch) -> None:
    """Links come in the order of the alphabet, backwards."""

    @around(patch, Links, "all")
    def every(whole: Any, self: Any) -> Any:
        return tuple(sorted(whole(self), key=lambda link: link.url, reverse=True))


@breaks.noticed_by("test_headings_items_and_rows_are_lines")
def rows_without_bars(patch: pytest.MonkeyPatch) -> None:
    """A table's row is its cells."""
    patch.setattr(html, "table_row", lambda cells: " ".join(cells))


@breaks.noticed_by("test_headings_items_and_rows_are_lines")
def items_in_one_line(patch: pytest.MonkeyPatch) -> None:
    """The items of a list run on."""
    changed(patch, lambda page, _: evolve(page, text=page.text.replace("river\n", "river ")))


@breaks.noticed_by("test_a_page_has_its_main_text")
def run_on_paragraphs(patch: pytest.MonkeyPatch) -> None:
    """Paragraphs are lines."""
    changed(patch, lambda page, _: evolve(page, text=page.text.replace("\n\n", "\n")))


@breaks.noticed_by("test_a_page_has_its_main_text")
def type_as_sent(patch: pytest.MonkeyPatch) -> None:
    """The media type is what the header says, in its case."""
    changed(patch, lambda page, _: evolve(page, media_type=page.media_type.title() + "; Charset=UTF-8"))


@breaks.noticed_by("test_a_page_is_described")
def time_of_day(patch: pytest.MonkeyPatch) -> None:
    """The time is naive."""
    changed(patch, lambda page, _: evolve(page, fetched_at=datetime.now()))


@breaks.noticed_by("test_a_page_is_described")
def language_lost(patch: pytest.MonkeyPatch) -> None:
    """What language a page is in is not read."""
    changed(patch, lambda page, _: evolve(page, language=None))


@breaks.noticed_by("test_a_page_is_described")
def bare_etag(patch: pytest.MonkeyPatch) -> None:
    """The entity tag comes without its quotes."""

    def bare(page: Page, _: object) -> Page:
        etag = page.fingerprint.etag
        return evolve(page, fingerprint=evolve(page.fingerprint, etag=etag and etag.strip('"')))

    changed(patch, bare)


@breaks.noticed_by("test_scripts_are_refused_where_they_cannot_run")
def scripts_ignored(patch: pytest.MonkeyPatch) -> None:
    """Scripts are asked for and not run, without a word."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        return await whole(self, evolve(request, javascript=False))


@breaks.noticed_by("test_a_foreign_scheme")
def any_scheme(patch: pytest.MonkeyPatch) -> None:
    """A scheme that nobody reads is taken for a malformed URL."""
    instead(patch, FeatureUnsupported, InvalidRequest)


@breaks.noticed_by("test_a_malformed_url")
def error_of_the_parser(patch: pytest.MonkeyPatch) -> None:
    """A URL that cannot be taken apart is a ValueError."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            return await whole(self, request)
        except InvalidRequest as error:
            raise ValueError(str(error)) from error


@breaks.noticed_by("test_impossible_bounds")
def bounds_unchecked(patch: pytest.MonkeyPatch) -> None:
    """No bytes are asked for, and none are read."""

    @around(patch, http, "_check")
    def check(whole: Any, request: ScrapeRequest) -> Any:
        return whole(evolve(request, timeout=1, max_bytes=1))


@breaks.noticed_by("test_any_address_ends_in_a_page_or_a_port_error")
def odd_addresses(patch: pytest.MonkeyPatch) -> None:
    """An address that is not ASCII is an error of the encoder."""

    @around(patch, http, "parse")
    def parse(whole: Any, url: str) -> Any:
        url.encode("ascii")
        return whole(url)


@breaks.noticed_by("test_many_at_once")
def one_at_a_time(patch: pytest.MonkeyPatch) -> None:
    """A call while another is under way is refused."""
    busy: list[ScrapeRequest] = []

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        if busy:
            raise Unavailable("It is busy.")
        busy.append(request)
        try:
            return await whole(self, request)
        finally:
            busy.clear()


@breaks.noticed_by("test_many_at_once")
def failing_together(patch: pytest.MonkeyPatch) -> None:
    """A call that fails ends what is under way."""
    failures: list[Exception] = []

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            page = await whole(self, request)
        except NotFound as error:
            failures.append(error)
            raise
        if failures:
            raise failures[0].with_traceback(None)
        return page


@breaks.noticed_by("test_a_long_page_is_read_whole")
def on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Pages are taken apart on the event loop."""

    async def run(self: Readers, work: Any) -> Any:
        return [work() for _ in range(3)][-1]  # a machine may be too fast to show it with one

    patch.setattr(Readers, "run", run)


@breaks.noticed_by("test_a_long_page_is_read_whole")
def first_paragraphs(patch: pytest.MonkeyPatch) -> None:
    """Of a long page the beginning is read."""
    changed(patch, lambda page, _: evolve(page, text=page.text[: 1 << 16]))


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_scraper_reads_on")
def cancellation_as_another_error(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled ends in an error of the port."""
    instead(patch, asyncio.CancelledError, InvalidContent)  # type: ignore[arg-type]


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_scraper_reads_on")
def lane_taken_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled keeps its place: soon nobody else is let in."""
    taken: list[ScrapeRequest] = []

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        if len(taken) >= 4:
            raise TimedOut("Waiting for a turn", request.timeout)
        taken.append(request)
        page = await whole(self, request)
        taken.pop()
        return page


@breaks.noticed_by("test_a_cancelled_call_leaves_nothing_behind")
def connections_left_open(patch: pytest.MonkeyPatch) -> None:
    """A connection that is made before the call is closed after it, unless it was cancelled."""

    @around(patch, HttpScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        place = address.parse(request.url)
        connection = await asyncio.open_connection(place.host, place.port)
        LEFT_OPEN.append(connection)
        page = await whole(self, request)
        connection[1].close()
        return page


@breaks.noticed_by("test_who_is_closed_is_unavailable_and_the_next_one_reads")
def closed_and_wrong(patch: pytest.MonkeyPatch) -> None:
    """A closed scraper is an error of whoever calls it."""
    instead(patch, Unavailable, RuntimeError)


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def slow_on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """The event loop waits with the call."""

    def slow(page: Page, _: object) -> Page:
        time.sleep(0.3)
        return page

    changed(patch, slow)
