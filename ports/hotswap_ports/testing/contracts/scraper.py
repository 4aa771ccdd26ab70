"""``ScraperContract``: what every adapter of the port ``scraper`` must do."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings, strategies

from hotswap_ports.errors import (
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    NotFound,
    PortError,
    TooLarge,
)
from hotswap_ports.scraper import Fingerprint, Page, Scraper, ScrapeRequest, ScraperFeatures
from hotswap_ports.testing.contracts.scraper_over_time import ScraperOverTime
from hotswap_ports.testing.contracts.site import (
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

__all__ = [
    "ARTICLE",
    "ARTICLE_EDITED",
    "BINARY",
    "FIRST",
    "LONG",
    "NOTE",
    "PARTS",
    "PLAIN",
    "SECOND",
    "THIRD",
    "ScraperContract",
    "Site",
]


class ScraperContract(ScraperOverTime):
    """Tests over the fixtures ``scraper``, an open adapter, and ``site``. Inherit, supply both, done.

    An adapter that is opened and closed overrides the fixture ``reopen`` too.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio
    SUPPLY: ClassVar[dict[str, str]] = {
        "site": "a Site: URLs under which ARTICLE, NOTE, PLAIN and BINARY of this module are served, and edit()"
    }
    """What is to be supplied besides the adapter, and what it is."""

    async def test_its_schemes_are_declared(self, scraper: Scraper, site: Site) -> None:
        """``features.schemes`` has the scheme of what it reads, in lower case."""
        assert isinstance(scraper.features, ScraperFeatures)
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

    async def test_headings_items_and_rows_are_lines(self, scraper: Scraper, site: Site) -> None:
        """Headings and list items are lines of their own, and so is a table's row, as ``| cell | cell |``."""
        if site.parts is None:
            pytest.skip("the site has no such page")
        page = await scraper.scrape(ScrapeRequest(site.parts))
        lines = [line.strip(" -*•") for line in page.text.splitlines()]
        for each in ("Where they nest", "in tall trees near to the river", "in reeds that nobody cuts"):
            assert each in lines
        assert {"| Bird | Eggs |", "| Heron | four or five |"} <= set(page.text.splitlines())
        assert page.text.index(FIRST) < page.text.index("Where they nest") < page.text.index(SECOND)
        assert all(not urlsplit(link.url).fragment and urlsplit(link.url).path for link in page.links)
        assert [link.url for link in page.links if "binary" in link.url] in ([f"{site.binary}?x=1"], [site.binary])

    async def test_a_page_is_described(self, scraper: Scraper, site: Site) -> None:
        """Time, place and fingerprint of what was read come with it, and language, author and date that it states."""
        begun = datetime.now(UTC) - timedelta(seconds=1)
        page = await scraper.scrape(ScrapeRequest(site.article))
        assert page.url == site.article
        assert page.fetched_at is not None
        assert page.fetched_at.utcoffset() == timedelta(0)
        assert begun <= page.fetched_at <= datetime.now(UTC) + timedelta(seconds=1)
        assert page.size > 0
        assert re.fullmatch(r"[0-9a-f]{64}", page.fingerprint.sha256 or "")
        assert site.etag in (None, page.fingerprint.etag)
        assert (page.language, page.author) == ("en", "Ada Wader")
        assert date.fromisoformat((page.published or "")[:10]) == date(2026, 1, 2)
        assert not page.unchanged

    async def test_size_and_digest_are_those_of_the_bytes(self, scraper: Scraper, site: Site) -> None:
        """Both are of the body after decompression: who has the bytes can compute them."""
        body = PLAIN.encode()
        page = await scraper.scrape(ScrapeRequest(site.plain))
        assert page.size == len(body)
        assert page.fingerprint.sha256 == hashlib.sha256(body).hexdigest()

    async def test_a_page_says_where_it_was_found(self, scraper: Scraper, site: Site) -> None:
        """After a redirect URL and links are those of the place that it led to, and known is what came from there."""
        if site.moved is None:
            pytest.skip("nothing leads elsewhere")
        page = await scraper.scrape(ScrapeRequest(site.moved))
        assert page.url == site.article
        assert [link.url for link in page.links] == [site.note, site.plain]
        again = await scraper.scrape(ScrapeRequest(site.moved, known=page.fingerprint))
        assert again.unchanged
        assert again.url == site.article

    async def test_a_fragment_names_a_part_of_the_same_page(self, scraper: Scraper, site: Site) -> None:
        """What follows ``#`` is not asked for."""
        assert FIRST in (await scraper.scrape(ScrapeRequest(f"{site.article}#nest"))).text

    async def test_a_folder_has_its_entries_as_links(self, scraper: Scraper, site: Site) -> None:
        """A folder has no text, its own media type, and each entry as a link that can be read."""
        if site.folder is None:
            pytest.skip("the site has no folders")
        page = await scraper.scrape(ScrapeRequest(site.folder))
        assert (page.text, page.media_type) == ("", "inode/directory")
        urls = [link.url for link in page.links]
        assert len(set(urls)) == len(urls)
        assert {site.article, site.note, site.plain, site.binary} <= set(urls)
        assert FIRST in (await scraper.scrape(ScrapeRequest(urls[urls.index(site.note)]))).text

    async def test_markdown_is_read_as_prose(self, scraper: Scraper, site: Site) -> None:
        """Markdown comes without its marks, titled by its heading."""
        page = await scraper.scrape(ScrapeRequest(site.note))
        assert page.title == "A note"
        assert page.media_type == "text/markdown"
        assert FIRST in page.text
        assert not re.search(r"[#*\[\]]", page.text)
        assert {"one item", "another item"} <= {line.strip(" -•") for line in page.text.splitlines()}
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

    async def test_the_validator_alone_is_enough(self, scraper: Scraper, site: Site) -> None:
        """A page that its server says is unchanged comes without text, and with the fingerprint that was known."""
        if site.etag is None:
            pytest.skip("the site has no validators")
        known = (await scraper.scrape(ScrapeRequest(site.article))).fingerprint
        page = await scraper.scrape(ScrapeRequest(site.article, known=evolve(known, sha256="0" * 64)))
        assert (page.unchanged, page.text, page.links) == (True, "", ())
        assert page.fingerprint.etag == known.etag
        site.edit()
        assert THIRD in (await scraper.scrape(ScrapeRequest(site.article, known=known))).text

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

    async def test_what_cannot_be_read_ends_in_its_own_error(self, scraper: Scraper, site: Site) -> None:
        """Each failure has the class that the port has for it, and the scraper reads on."""
        for url, kind in site.failing.items():
            with pytest.raises(PortError) as failure:
                await scraper.scrape(ScrapeRequest(url))
            assert (url, type(failure.value)) == (url, kind)
            assert str(failure.value)
        assert FIRST in (await scraper.scrape(ScrapeRequest(site.article))).text

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

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=strategies.text(max_size=40))
    @example("\0")
    @example("%00")
    @example("\ud800")
    @example("%ff/../..")
    @example("x" * 10_000)
    async def test_any_address_ends_in_a_page_or_a_port_error(self, scraper: Scraper, site: Site, text: str) -> None:
        """Whatever follows an address, no error of a library comes out; text without a colon is no URL at all."""
        with suppress(PortError):
            assert isinstance(await scraper.scrape(ScrapeRequest(f"{site.missing}/{text}")), Page)
        with pytest.raises(InvalidRequest):
            await scraper.scrape(ScrapeRequest(text.replace(":", "")))

    @pytest.mark.parametrize(
        "bad",
        [
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": float("nan")},
            {"max_bytes": 0},
            {"max_bytes": -1},
        ],
        ids=str,
    )
    async def test_impossible_bounds(self, scraper: Scraper, site: Site, bad: dict[str, Any]) -> None:
        """Bounds that no page can keep are InvalidRequest."""
        with pytest.raises(InvalidRequest):
            await scraper.scrape(ScrapeRequest(site.article, **bad))
