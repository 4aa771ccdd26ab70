"""``MemoryScraper``: the port ``scraper`` over pages that a test hands it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urldefrag, urlsplit

from attrs import evolve

from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, NotFound, PortError, TooLarge
from hotswap_ports.scraper import Page, Scraper, ScrapeRequest, ScraperFeatures

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


class MemoryScraper(Scraper):
    """Answers from ``pages``: a page, or the error that reading it raises, by URL. Change them while it is in use.

    A page without ``size``, ``fetched_at`` or ``fingerprint.sha256`` gets them: the length and the digest of its text
    in UTF-8, and now. Nothing takes time here, so ``timeout`` never runs out. ``requests`` records every call.
    """

    def __init__(
        self,
        pages: Mapping[str, Page | PortError] | None = None,
        *,
        schemes: Iterable[str] = ("http", "https", "file"),
        javascript: bool = False,
    ) -> None:
        self.pages: dict[str, Page | PortError] = dict(pages or {})
        self.requests: list[ScrapeRequest] = []
        self.features = ScraperFeatures(schemes=frozenset(schemes), javascript=javascript)

    async def scrape(self, request: ScrapeRequest) -> Page:
        """Read one page, as the port says."""
        self.requests.append(request)
        self._check(request)
        found = self.pages.get(request.url) or self.pages.get(urldefrag(request.url).url)
        if found is None:
            raise NotFound(f"There is no page {request.url}.")
        if isinstance(found, PortError):
            raise found.with_traceback(None)
        page = complete_page(found)
        if page.size > request.max_bytes:
            raise TooLarge(request.url, request.max_bytes)
        if request.known is not None and _unchanged(page, request):
            return evolve(page, text="", links=(), unchanged=True)
        return page

    def _check(self, request: ScrapeRequest) -> None:
        scheme = _SCHEME.match(request.url)
        if scheme is None:
            raise InvalidRequest(f"{request.url!r} is no URL: it has no scheme.")
        if scheme[1].lower() not in self.features.schemes:
            raise FeatureUnsupported("MemoryScraper", f"the URL scheme {scheme[1]!r}")
        if request.javascript and not self.features.javascript:
            raise FeatureUnsupported("MemoryScraper", "running a page's scripts", "Give it javascript=True.")
        try:
            parts = urlsplit(request.url)
        except ValueError as error:
            raise InvalidRequest(f"The URL {request.url!r} is malformed: {error}.") from error
        if not (parts.netloc or (parts.scheme == "file" and parts.path.startswith("/"))):
            raise InvalidRequest(f"The URL {request.url!r} is malformed: it names no host.")
        if not request.timeout > 0 or not request.max_bytes > 0:
            raise InvalidRequest("timeout and max_bytes of a scrape must be above zero.")


def complete_page(page: Page) -> Page:
    """Return a page with size, time and digest, where it says nothing of them."""
    body = page.text.encode()
    sha256 = page.fingerprint.sha256 or hashlib.sha256(body).hexdigest()
    return evolve(
        page,
        size=page.size or len(body),
        fetched_at=page.fetched_at or datetime.now(UTC),
        fingerprint=evolve(page.fingerprint, sha256=sha256),
    )


def _unchanged(page: Page, request: ScrapeRequest) -> bool:
    known, now = request.known, page.fingerprint
    if known is None:
        return False
    return known.sha256 == now.sha256 or (known.etag is not None and known.etag == now.etag)
