"""Every scraper keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotswap_adapters.scraper.file import FileScraper
from hotswap_adapters.scraper.http import HttpScraper, HttpScraperConfig
from hotswap_ports.errors import InvalidContent, PortError
from hotswap_ports.scraper import Link, Page
from hotswap_ports.testing import MemoryScraper, ScraperContract
from hotswap_ports.testing.contracts.scraper import (
    ARTICLE,
    ARTICLE_EDITED,
    BINARY,
    FIRST,
    NOTE,
    PLAIN,
    SECOND,
    THIRD,
    Site,
)
from tests.integration.web import Reply, Web, serving

PAGES = {"article.html": ARTICLE.encode(), "note.md": NOTE.encode(), "plain.txt": PLAIN.encode(), "binary.png": BINARY}
MEMORY = "http://memory.example"
TYPES = {"html": "text/html", "md": "text/markdown", "txt": "text/plain", "png": "image/png"}


def site_at(base: str, edit: object) -> Site:
    assert callable(edit)
    return Site(
        article=f"{base}/article.html",
        note=f"{base}/note.md",
        plain=f"{base}/plain.txt",
        binary=f"{base}/binary.png",
        missing=f"{base}/missing.html",
        edit=edit,
    )


class TestHttpScraper(ScraperContract):
    """Over HTTP, from a server on loopback."""

    @pytest.fixture
    async def web(self) -> AsyncIterator[Web]:
        async with serving() as web:
            for name, body in PAGES.items():
                web.routes[f"/{name}"] = Reply(body, headers={"Content-Type": TYPES[name.partition(".")[2]]})
            yield web

    @pytest.fixture
    def site(self, web: Web) -> Site:
        return site_at(web.base, lambda: web.routes.update({"/article.html": Reply(ARTICLE_EDITED)}))

    @pytest.fixture
    async def scraper(self) -> AsyncIterator[HttpScraper]:
        async with HttpScraper(HttpScraperConfig(retry_wait=0.01)) as scraper:
            yield scraper


class TestFileScraper(ScraperContract):
    """From a folder."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        for name, body in PAGES.items():
            (tmp_path / name).write_bytes(body)
        article = tmp_path / "article.html"
        return site_at(tmp_path.resolve().as_uri(), lambda: article.write_text(ARTICLE_EDITED, encoding="utf-8"))

    @pytest.fixture
    def scraper(self) -> FileScraper:
        return FileScraper()


def memory_pages() -> dict[str, Page | PortError]:
    """Return the site's pages, as a scraper in memory is handed them."""
    note, plain = Link(f"{MEMORY}/note.md", "A note"), Link(f"{MEMORY}/plain.txt", "the list")
    article = Page(f"{MEMORY}/article.html", f"{FIRST}\n\n{SECOND}", "Herons", (note, plain))
    return {
        article.url: article,
        note.url: Page(note.url, f"A note\n\n{FIRST}", "A note", (plain,), "text/markdown"),
        plain.url: Page(plain.url, PLAIN, media_type="text/plain"),
        f"{MEMORY}/binary.png": InvalidContent("This is image/png."),
    }


def memory_site(scraper: MemoryScraper) -> Site:
    """Return the site of a scraper in memory."""
    edited = Page(f"{MEMORY}/article.html", f"{FIRST}\n\n{SECOND}\n\n{THIRD}", "Herons")
    return site_at(MEMORY, lambda: scraper.pages.update({edited.url: edited}))


class TestMemoryScraper(ScraperContract):
    """From a dict."""

    @pytest.fixture
    def scraper(self) -> MemoryScraper:
        return MemoryScraper(memory_pages())

    @pytest.fixture
    def site(self, scraper: MemoryScraper) -> Site:
        return memory_site(scraper)
