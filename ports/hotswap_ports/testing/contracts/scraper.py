"""``ScraperContract``: what every adapter of the port ``scraper`` must do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from attrs import evolve, frozen

from hotswap_ports.errors import FeatureUnsupported, InvalidContent, InvalidRequest, NotFound, TooLarge
from hotswap_ports.scraper import Fingerprint, Page, Scraper, ScrapeRequest
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free

FIRST = "The heron stands in the shallow river and waits for fish that swim too near to its long and patient legs."
SECOND = "In winter the river freezes over, and the heron moves south with the last of the swallows and the cranes."
THIRD = "When spring comes it returns to the same tall tree, and mends the nest that it left there in the autumn."

ARTICLE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Herons</title></head><body>
<article><h1>Herons</h1>
<p>{FIRST} <a href="note.md#top">A note</a> says <b>more</b>.</p>
<p>{SECOND} See <a href="plain.txt">the list</a>, and again <a href="note.md">the note</a>.</p>
</article></body></html>
"""
ARTICLE_EDITED = ARTICLE.replace("</article>", f"<p>{THIRD}</p></article>")
NOTE = f"# A note\n\n{FIRST}\n\n- one [item](plain.txt)\n- another *item*\n"
PLAIN = f"{FIRST}\n\n{SECOND}\n"
BINARY = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))


@frozen
class Site:
    """URLs under which the implementer serves the bodies above, and a way to change one of them.

    ``note`` and ``plain`` are ``note.md`` and ``plain.txt`` beside the article, which links to both.
    """

    article: str
    note: str
    plain: str
    binary: str
    missing: str
    edit: Callable[[], None]
    """From now on the article is ARTICLE_EDITED."""


class ScraperContract:
    """Tests over the fixtures ``scraper``, an open adapter, and ``site``. Inherit, supply both, done."""

    pytestmark: ClassVar[object] = pytest.mark.anyio
    SUPPLY: ClassVar[dict[str, str]] = {
        "site": "a Site: URLs under which ARTICLE, NOTE, PLAIN and BINARY of this module are served, and edit()"
    }
    """What is to be supplied besides the adapter, and what it is."""

    async def test_its_schemes_are_declared(self, scraper: Scraper, site: Site) -> None:
        """``features.schemes`` has the scheme of what it reads, in lower case."""
        assert site.article.partition(":")[0] in scraper.features.schemes
        assert all(each == each.lower() for each in scraper.features.schemes)

    async def test_a_page_has_its_main_text(self, scraper: Scraper, site: Site) -> None:
        """The text is plain, complete and in order, its paragraphs separated by blank lines."""
        page = await scraper.scrape(ScrapeRequest(site.article))
        assert page.title == "Herons"
        assert page.media_type == "text/html"
        assert not re.search(r"<[a-z/]", page.text)
        holding = [paragraph for paragraph in page.text.split("\n\n") if FIRST in paragraph or SECOND in paragraph]
        assert len(holding) == 2
        assert page.text.index(FIRST) < page.text.index(SECOND)

    async def test_a_page_has_its_links(self, scraper: Scraper, site: Site) -> None:
        """Links are absolute, without fragment, in the order of the page, each once."""
        page = await scraper.scrape(ScrapeRequest(site.article))
        assert [link.url for link in page.links] == [site.note, site.plain]
        assert page.links[0].text == "A note"

    async def test_a_page_is_described(self, scraper: Scraper, site: Site) -> None:
        """Time, size, place and fingerprint of what was read come with it."""
        page = await scraper.scrape(ScrapeRequest(site.article))
        assert page.url == site.article
        assert page.fetched_at is not None
        assert page.fetched_at.utcoffset() == timedelta(0)
        assert page.size > 0
        assert re.fullmatch(r"[0-9a-f]{64}", page.fingerprint.sha256 or "")
        assert not page.unchanged

    async def test_markdown_is_read_as_prose(self, scraper: Scraper, site: Site) -> None:
        """Markdown comes without its marks, titled by its heading."""
        page = await scraper.scrape(ScrapeRequest(site.note))
        assert page.title == "A note"
        assert page.media_type == "text/markdown"
        assert FIRST in page.text
        assert not re.search(r"[#*\[\]]", page.text)
        assert [link.url for link in page.links] == [site.plain]

    async def test_plain_text_passes(self, scraper: Scraper, site: Site) -> None:
        """Plain text comes as it is."""
        page = await scraper.scrape(ScrapeRequest(site.plain))
        assert page.text.strip() == PLAIN.strip()
        assert page.media_type == "text/plain"

    async def test_an_unchanged_page_says_so(self, scraper: Scraper, site: Site) -> None:
        """Who brings the fingerprint of last time gets no text, and a fingerprint that works again."""
        known = (await scraper.scrape(ScrapeRequest(site.article))).fingerprint
        for _ in range(2):
            page = await scraper.scrape(ScrapeRequest(site.article, known=known))
            assert page.unchanged
            assert page.text == ""
            assert page.links == ()
            assert page.url == site.article
            known = page.fingerprint

    async def test_the_digest_alone_is_enough(self, scraper: Scraper, site: Site) -> None:
        """A page whose bytes are the same is unchanged, whatever its server says of validators."""
        known = (await scraper.scrape(ScrapeRequest(site.article))).fingerprint
        page = await scraper.scrape(ScrapeRequest(site.article, known=Fingerprint(sha256=known.sha256)))
        assert page.unchanged

    async def test_a_changed_page_is_read(self, scraper: Scraper, site: Site) -> None:
        """A page that changed comes with its new text and another fingerprint."""
        known = (await scraper.scrape(ScrapeRequest(site.article))).fingerprint
        site.edit()
        page = await scraper.scrape(ScrapeRequest(site.article, known=known))
        assert not page.unchanged
        assert THIRD in page.text
        assert page.fingerprint.sha256 != known.sha256

    async def test_a_strange_fingerprint_does_no_harm(self, scraper: Scraper, site: Site) -> None:
        """A fingerprint that came from elsewhere gives the whole page."""
        strange = Fingerprint(etag='"elsewhere"\r\nX: 1', last_modified="12345", sha256="0" * 64)
        page = await scraper.scrape(ScrapeRequest(site.article, known=strange))
        assert FIRST in page.text

    async def test_nothing_there(self, scraper: Scraper, site: Site) -> None:
        """What does not exist is NotFound."""
        with pytest.raises(NotFound):
            await scraper.scrape(ScrapeRequest(site.missing))

    async def test_a_binary_file(self, scraper: Scraper, site: Site) -> None:
        """What is no text is InvalidContent."""
        with pytest.raises(InvalidContent):
            await scraper.scrape(ScrapeRequest(site.binary))

    async def test_a_body_too_large(self, scraper: Scraper, site: Site) -> None:
        """One byte above ``max_bytes`` is too many, and exactly as many are not."""
        size = (await scraper.scrape(ScrapeRequest(site.plain))).size
        with pytest.raises(TooLarge) as refusal:
            await scraper.scrape(ScrapeRequest(site.plain, max_bytes=size - 1))
        assert refusal.value.limit == size - 1
        assert (await scraper.scrape(ScrapeRequest(site.plain, max_bytes=size))).size == size

    async def test_scripts_are_refused_where_they_cannot_run(self, scraper: Scraper, site: Site) -> None:
        """Asking for scripts without the feature is FeatureUnsupported."""
        if scraper.features.javascript:
            return
        with pytest.raises(FeatureUnsupported):
            await scraper.scrape(ScrapeRequest(site.article, javascript=True))

    async def test_a_foreign_scheme(self, scraper: Scraper) -> None:
        """A scheme that is not among the features is FeatureUnsupported."""
        assert "gopher" not in scraper.features.schemes
        with pytest.raises(FeatureUnsupported):
            await scraper.scrape(ScrapeRequest("gopher://localhost/article"))

    @pytest.mark.parametrize("rest", ["", "//", "//[::1", "article"])
    async def test_a_malformed_url(self, scraper: Scraper, site: Site, rest: str) -> None:
        """A URL that cannot be right is InvalidRequest, not something of a library's."""
        url = f"{site.article.partition(':')[0]}:{rest}" if rest else "no-url-at-all"
        with pytest.raises(InvalidRequest):
            await scraper.scrape(ScrapeRequest(url))

    @pytest.mark.parametrize(
        "bad", [ScrapeRequest("", timeout=0), ScrapeRequest("", timeout=float("nan")), ScrapeRequest("", max_bytes=0)]
    )
    async def test_impossible_bounds(self, scraper: Scraper, site: Site, bad: ScrapeRequest) -> None:
        """Bounds that no page can keep are InvalidRequest."""
        with pytest.raises(InvalidRequest):
            await scraper.scrape(evolve(bad, url=site.article))

    async def test_many_at_once(self, scraper: Scraper, site: Site) -> None:
        """Calls at the same time do not disturb each other."""
        urls = [site.article, site.note, site.plain] * 2
        pages = await asyncio.gather(*(scraper.scrape(ScrapeRequest(url)) for url in urls))
        assert [page.url for page in pages] == urls
        assert all(FIRST in page.text for page in pages)

    async def test_a_cancelled_call_does_no_harm(self, scraper: Scraper, site: Site) -> None:
        """After a call was cancelled the next one works."""
        call = asyncio.ensure_future(scraper.scrape(ScrapeRequest(site.article)))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        page: Page = await scraper.scrape(ScrapeRequest(site.article))
        assert FIRST in page.text

    async def test_it_behaves_as_a_guest_should(self, scraper: Scraper, site: Site) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await scraper.scrape(ScrapeRequest(site.article))
            with pytest.raises(NotFound):
                await scraper.scrape(ScrapeRequest(site.missing))

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
