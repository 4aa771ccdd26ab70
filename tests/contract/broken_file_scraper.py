"""Breaks of ``FileScraper``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.scraper import charset, file, media
from hotswap_adapters.scraper.file import FileScraper
from hotswap_adapters.scraper.readers import Readers
from hotswap_ports import Fingerprint, InvalidRequest, Link, NotFound, Page, Refused, ScrapeRequest, TimedOut, TooLarge
from tests.contract import test_scraper
from tests.contract.breaks import Breaks, around

breaks = Breaks(test_scraper.TestFileScraper)


@breaks.noticed_by("test_nothing_there")
def errors_of_the_system(patch: pytest.MonkeyPatch) -> None:
    """A file that is not there is an OSError."""
    patch.setattr(file, "_explain", lambda error, path: error)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def roots_ignored(patch: pytest.MonkeyPatch) -> None:
    """What lies outside of the roots is read."""
    patch.setattr(FileScraper, "_confine", lambda self, path, asked: None)


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def outside_is_nothing(patch: pytest.MonkeyPatch) -> None:
    """What may not be read is not there."""

    @around(patch, FileScraper, "_confine")
    def confine(whole: Any, self: Any, path: Path, asked: str) -> None:
        try:
            whole(self, path, asked)
        except Refused as error:
            raise NotFound(str(error)) from error


@breaks.noticed_by("test_what_cannot_be_read_ends_in_its_own_error")
def empty_for_a_circle(patch: pytest.MonkeyPatch) -> None:
    """A link that leads to itself is an empty page."""

    @around(patch, FileScraper, "_read")
    def read(whole: Any, self: Any, asked: str, request: ScrapeRequest) -> Any:
        try:
            return whole(self, asked, request)
        except NotFound:
            if not asked.endswith("circle"):
                raise
            return Page(request.url, "")


@breaks.noticed_by("test_a_page_says_where_it_was_found")
def links_kept(patch: pytest.MonkeyPatch) -> None:
    """A page says which link led to it, and not where that leads."""

    @around(patch, FileScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Page:
        return evolve(await whole(self, request), url=request.url)


@breaks.noticed_by("test_a_folder_has_its_entries_as_links")
def listing_as_text(patch: pytest.MonkeyPatch) -> None:
    """A folder is a page of its entries' names."""

    @around(patch, FileScraper, "_folder")
    def folder(whole: Any, self: Any, path: Path) -> Page:
        page: Page = whole(self, path)
        return evolve(page, text="\n".join(link.text for link in page.links))


@breaks.noticed_by("test_a_folder_has_its_entries_as_links")
def relative_entries(patch: pytest.MonkeyPatch) -> None:
    """The entries of a folder are names."""

    @around(patch, FileScraper, "_entries")
    def entries(whole: Any, self: Any, folder: Path) -> Any:
        return (Link(each.text, each.text) for each in whole(self, folder))


@breaks.noticed_by("test_a_folder_has_its_entries_as_links")
def entries_without_the_last(patch: pytest.MonkeyPatch) -> None:
    """A folder lacks an entry."""

    @around(patch, FileScraper, "_entries")
    def entries(whole: Any, self: Any, folder: Path) -> Any:
        return list(whole(self, folder))[:-1]


@breaks.noticed_by("test_a_body_too_large")
def size_believed(patch: pytest.MonkeyPatch) -> None:
    """A file that is too large is read to the limit."""

    def pieces(read: Any, size: int, path: Path, limit: int) -> Any:
        yield read(limit)

    patch.setattr(file, "_pieces", pieces)


@breaks.noticed_by("test_a_body_too_large")
def another_limit(patch: pytest.MonkeyPatch) -> None:
    """The limit that an error names is not the one that was asked for."""

    @around(patch, FileScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            return await whole(self, request)
        except TooLarge as error:
            raise TooLarge(request.url, error.limit + 1) from error


@breaks.noticed_by("test_a_binary_file")
def pictures_as_text(patch: pytest.MonkeyPatch) -> None:
    """A picture is read as text."""
    patch.setattr(media, "settle", lambda declared, body, where: "text/plain")
    patch.setattr(charset, "decode", lambda body, declared, url: body.decode("latin-1"))


@breaks.noticed_by("test_a_changed_page_is_read")
def read_once(patch: pytest.MonkeyPatch) -> None:
    """A file that is known is unchanged."""

    @around(patch, FileScraper, "_file")
    def read(whole: Any, self: Any, path: Path, request: ScrapeRequest) -> Any:
        page = whole(self, path, request)
        return evolve(page, unchanged=True, text="") if request.known is not None else page


@breaks.noticed_by("test_a_strange_fingerprint_does_no_harm")
def any_fingerprint(patch: pytest.MonkeyPatch) -> None:
    """A fingerprint from elsewhere is looked at by its digest's length alone."""

    @around(patch, FileScraper, "_file")
    def read(whole: Any, self: Any, path: Path, request: ScrapeRequest) -> Any:
        page = whole(self, path, request)
        same = request.known and len(request.known.sha256 or "") == len(page.fingerprint.sha256)
        return evolve(page, unchanged=True, text="") if same else page


@breaks.noticed_by("test_an_unchanged_page_says_so")
def unchanged_and_bare(patch: pytest.MonkeyPatch) -> None:
    """An unchanged file comes without its fingerprint."""

    @around(patch, FileScraper, "_file")
    def read(whole: Any, self: Any, path: Path, request: ScrapeRequest) -> Any:
        page = whole(self, path, request)
        return evolve(page, fingerprint=Fingerprint()) if page.unchanged else page


@breaks.noticed_by("test_markdown_is_read_as_prose")
def markdown_as_it_is(patch: pytest.MonkeyPatch) -> None:
    """Markdown is plain text."""

    @around(patch, media, "by_name")
    def by_name(whole: Any, name: str) -> str:
        return str(whole(name)).replace("markdown", "plain")


@breaks.noticed_by("test_its_schemes_are_declared")
def loud_schemes(patch: pytest.MonkeyPatch) -> None:
    """The schemes are declared in capitals."""
    patch.setattr(FileScraper, "features", evolve(FileScraper.features, schemes=frozenset({"FILE", "file"})))


@breaks.noticed_by("test_impossible_bounds")
def bounds_unchecked(patch: pytest.MonkeyPatch) -> None:
    """No bytes are asked for, and the file is too large for that."""

    @around(patch, file, "_path")
    def path(whole: Any, request: ScrapeRequest) -> Any:
        return whole(evolve(request, timeout=1, max_bytes=1))


@breaks.noticed_by("test_any_address_ends_in_a_page_or_a_port_error")
def odd_names(patch: pytest.MonkeyPatch) -> None:
    """A name with a NUL in it is the system's error."""

    @around(patch, FileScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            return await whole(self, request)
        except InvalidRequest as error:
            if "://" in request.url:
                raise ValueError("embedded null byte") from error
            raise


@breaks.noticed_by("test_a_long_page_is_read_whole")
def on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Files are read on the event loop."""

    async def run(self: Readers, work: Any) -> Any:
        return [work() for _ in range(3)][-1]  # a machine may be too fast to show it with one

    patch.setattr(Readers, "run", run)


@breaks.noticed_by("test_a_call_without_time_ends_in_timed_out")
def timeout_of_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Time that runs out is asyncio's own error."""

    @around(patch, FileScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            return await whole(self, request)
        except TimedOut as error:
            raise TimeoutError(str(error)) from error


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_scraper_reads_on")
def cancellation_as_timeout(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled ends as if its time had run out."""

    @around(patch, FileScraper, "scrape")
    async def scrape(whole: Any, self: Any, request: ScrapeRequest) -> Any:
        try:
            return await whole(self, request)
        except asyncio.CancelledError as error:
            raise TimedOut("Reading", request.timeout) from error


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def files_left_open(patch: pytest.MonkeyPatch) -> None:
    """A file that was read stays open."""

    @around(patch, FileScraper, "_read")
    def read(whole: Any, self: Any, asked: str, request: ScrapeRequest) -> Any:
        page = whole(self, asked, request)
        os.open(asked, os.O_RDONLY)
        return page
