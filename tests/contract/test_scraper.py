"""Every scraper keeps the contract of its port."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hotswap_adapters.scraper.file import FileScraper, FileScraperConfig
from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import (
    InvalidContent,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Refused,
    TooLarge,
    Unavailable,
)
from hotswap_ports.scraper import Fingerprint, Link, Page
from hotswap_ports.testing import MemoryScraper, ScraperContract
from hotswap_ports.testing.contracts.scraper import (
    ARTICLE,
    ARTICLE_EDITED,
    BINARY,
    FIRST,
    LONG,
    NOTE,
    PARTS,
    PLAIN,
    SECOND,
    THIRD,
    Site,
)
from hotswap_ports.testing.contracts.scraper_over_time import Reopen
from tests.integration.web import Asked, Reply, Web, serving

PAGES = {
    "article.html": ARTICLE.encode(),
    "note.md": NOTE.encode(),
    "plain.txt": PLAIN.encode(),
    "binary.png": BINARY,
    "parts.html": PARTS.encode(),
    "long.html": LONG.encode(),
}
MEMORY = "http://memory.example"
TYPES = {"html": "Text/HTML; Charset=UTF-8", "md": "text/markdown", "txt": "TEXT/Plain", "png": "image/png"}
STATUSES: dict[int, type[PortError]] = {
    401: Refused,
    403: Refused,
    404: NotFound,
    410: NotFound,
    429: RateLimited,
    451: Refused,
    500: Unavailable,
    503: Unavailable,
}


def site_at(base: str, edit: object, **more: Any) -> Site:
    assert callable(edit)
    return Site(
        article=f"{base}/article.html",
        note=f"{base}/note.md",
        plain=f"{base}/plain.txt",
        binary=f"{base}/binary.png",
        missing=f"{base}/missing.html",
        edit=edit,
        parts=f"{base}/parts.html",
        **more,
    )


async def never_ending(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Send a page byte by byte, without an end; a client that has left is noticed."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000000\r\n\r\n<p>Herons")
    while True:
        writer.write(b"!")
        await writer.drain()
        await asyncio.sleep(0.01)


def validated(body: str, etag: str) -> Any:
    """Return a route that answers 304 to whoever knows the page."""
    headers = {"Content-Type": TYPES["html"], "ETag": etag}

    def route(asked: Asked) -> Reply:
        same = asked.headers.get("if-none-match") == etag
        return Reply(b"", 304, {"ETag": etag}) if same else Reply(body, headers=headers)

    return route


class TestHttpScraper(ScraperContract):
    """Over HTTP, from a server on loopback."""

    CONFIG = HttpScraperConfig(retry_wait=0.01, requests_per_second=10_000.0, burst=10_000)

    @pytest.fixture
    async def web(self) -> AsyncIterator[Web]:
        async with serving() as web:
            for name, body in PAGES.items():
                web.routes[f"/{name}"] = Reply(body, headers={"Content-Type": TYPES[name.partition(".")[2]]})
            packed = {"Content-Type": TYPES["txt"], "Content-Encoding": "gzip"}
            web.routes["/plain.txt"] = Reply(gzip.compress(PLAIN.encode()), headers=packed)
            web.routes["/article.html"] = validated(ARTICLE, '"heron-1"')
            web.routes["/moved"] = Reply("", 301, {"Location": "/once-more"})
            web.routes["/once-more"] = Reply("", 307, {"Location": f"{web.base}/article.html"})
            web.routes["/stuck"] = never_ending
            web.routes["/robots.txt"] = Reply(
                "User-agent: *\nDisallow: /secret", headers={"Content-Type": "text/plain"}
            )
            web.routes["/secret"] = Reply(ARTICLE)
            web.routes |= {f"/{status}": Reply("No.", status) for status in STATUSES}
            yield web

    @pytest.fixture
    def site(self, web: Web) -> Site:
        failing = {f"{web.base}/{status}": kind for status, kind in STATUSES.items()}
        return site_at(
            web.base,
            lambda: web.routes.update({"/article.html": validated(ARTICLE_EDITED, '"heron-2"')}),
            long=f"{web.base}/long.html",
            moved=f"{web.base}/moved",
            stuck=f"{web.base}/stuck",
            etag='"heron-1"',
            failing={**failing, f"{web.base}/secret": Refused, "http://127.0.0.1:1/": Unavailable},
        )

    @pytest.fixture
    async def scraper(self) -> AsyncIterator[HttpScraper]:
        async with HttpScraper(self.CONFIG) as scraper:
            yield scraper

    @pytest.fixture
    def reopen(self) -> Reopen:
        @asynccontextmanager
        async def reopened(scraper: Any) -> AsyncIterator[HttpScraper]:
            await scraper.__aexit__(None, None, None)
            async with HttpScraper(self.CONFIG) as again:
                yield again

        return reopened


class TestFileScraper(ScraperContract):
    """From a folder."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path.resolve() / "site"
        made.mkdir()
        for name, body in PAGES.items():
            (made / name).write_bytes(body)
        (made / "moved.html").symlink_to(made / "article.html")
        (made / "circle").symlink_to(made / "circle")
        (tmp_path / "outside.txt").write_text(FIRST, encoding="utf-8")
        return made

    @pytest.fixture
    def site(self, folder: Path) -> Site:
        base = folder.as_uri()
        return site_at(
            base,
            lambda: (folder / "article.html").write_text(ARTICLE_EDITED, encoding="utf-8"),
            long=f"{base}/long.html",
            moved=f"{base}/moved.html",
            folder=base,
            failing={
                f"{base}/article.html/more": NotFound,
                f"{base}/circle": NotFound,
                f"{base}/../outside.txt": Refused,
                f"{base}/%00": InvalidRequest,
            },
        )

    @pytest.fixture
    def scraper(self, folder: Path) -> FileScraper:
        return FileScraper(FileScraperConfig(roots=(str(folder),)))


def memory_pages() -> dict[str, Page | PortError]:
    """Return the site's pages, as a scraper in memory is handed them."""
    note, plain = Link(f"{MEMORY}/note.md", "A note"), Link(f"{MEMORY}/plain.txt", "the list")
    parts = f"{FIRST}\n\nWhere they nest\n\n{SECOND}\n\n- in tall trees near to the river\n- in reeds that nobody cuts"
    table = "| Bird | Eggs |\n| Heron | four or five |"
    picture = Link(f"{MEMORY}/binary.png", "picture")
    article = Page(
        f"{MEMORY}/article.html",
        f"{FIRST}\n\n{SECOND}",
        "Herons",
        (note, plain),
        language="en",
        author="Ada Wader",
        published="2026-01-02",
        fingerprint=Fingerprint('"heron-1"'),
    )
    entries = (Link(article.url), note, plain, picture)
    return {
        article.url: article,
        f"{MEMORY}/moved": article,
        note.url: Page(note.url, f"A note\n\n{FIRST}\n\none item\nanother item", "A note", (plain,), "text/markdown"),
        plain.url: Page(plain.url, PLAIN, media_type="text/plain"),
        picture.url: InvalidContent("This is image/png."),
        f"{MEMORY}/parts.html": Page(f"{MEMORY}/parts.html", f"{parts}\n\n{table}", "Wading birds", (picture,)),
        f"{MEMORY}/": Page(f"{MEMORY}/", "", links=entries, media_type="inode/directory"),
        f"{MEMORY}/private": Refused("It is private."),
        f"{MEMORY}/huge": TooLarge(f"{MEMORY}/huge", 1),
    }


def memory_site(scraper: MemoryScraper) -> Site:
    """Return the site of a scraper in memory."""
    edited = Page(f"{MEMORY}/article.html", f"{FIRST}\n\n{SECOND}\n\n{THIRD}", "Herons")
    return site_at(
        MEMORY,
        lambda: scraper.pages.update({edited.url: edited}),
        moved=f"{MEMORY}/moved",
        folder=f"{MEMORY}/",
        etag='"heron-1"',
        failing={f"{MEMORY}/private": Refused, f"{MEMORY}/huge": TooLarge},
    )


class TestMemoryScraper(ScraperContract):
    """From a dict."""

    @pytest.fixture
    def scraper(self) -> MemoryScraper:
        return MemoryScraper(memory_pages())

    @pytest.fixture
    def site(self, scraper: MemoryScraper) -> Site:
        return memory_site(scraper)
