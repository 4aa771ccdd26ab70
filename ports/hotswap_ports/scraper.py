"""The port ``scraper``: a URL in, its main text and links out."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from hotswap_ports.port import Port


@frozen
class Fingerprint:
    """What tells whether a page has changed since it was last read."""

    etag: str | None = None
    """The ``ETag`` header as it came, quotes and all."""
    last_modified: str | None = None
    """The ``Last-Modified`` header, or a file's mtime in nanoseconds as digits."""
    sha256: str | None = None
    """Hex digest of the bytes that were read."""


@frozen
class ScraperFeatures:
    """What a scraper can do."""

    schemes: frozenset[str] = frozenset()
    """URL schemes it reads, lower case: ``http``, ``https``, ``file``."""
    javascript: bool = False
    """Whether it runs a page's scripts before it reads the page."""


@frozen
class ScrapeRequest:
    """One page to read."""

    url: str
    javascript: bool = False
    """Run the page's scripts first; refused with FeatureUnsupported where ``features.javascript`` is False."""
    timeout: float = 30.0
    """Seconds for the whole call: redirects, retries and the body included."""
    max_bytes: int = 10 * 1024 * 1024
    """Most bytes of the body, after decompression."""
    known: Fingerprint | None = None
    """What is known from last time: an unchanged page comes back with ``unchanged=True`` and no text."""


@frozen
class Link:
    """A link found on a page."""

    url: str
    """Absolute, without a fragment."""
    text: str = ""


@frozen
class Page:
    """What was read from a URL."""

    url: str
    """Where the content was found, after redirects; links are relative to that."""
    text: str
    """The main text, plain, paragraphs separated by a blank line; empty for a folder or an unchanged page.

    Headings and list items are lines of their own; so is a table's row, as ``| cell | cell |``.
    """
    title: str = ""
    links: tuple[Link, ...] = ()
    """In the order of the page, each URL once; the entries of a folder."""
    media_type: str = "text/html"
    """Lower case, without parameters; ``inode/directory`` for a folder."""
    language: str | None = None
    """BCP 47 tag where the page says so."""
    author: str | None = None
    published: str | None = None
    """ISO 8601 date where the page says so."""
    fetched_at: datetime | None = None
    """When it was read. Aware, UTC."""
    size: int = 0
    """Bytes of the body after decompression."""
    fingerprint: Fingerprint = Fingerprint()
    unchanged: bool = False


class Scraper(Port):
    """Reads pages. A call that is cancelled ends as cancelled, and no other call with it."""

    PORT: ClassVar[str] = "scraper"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset({"scrape"})

    features: ScraperFeatures = ScraperFeatures()

    @abstractmethod
    async def scrape(self, request: ScrapeRequest) -> Page:
        """Read one page.

        Raises:
            FeatureUnsupported: scripts are asked for, or the URL's scheme, and ``features`` has them not.
            InvalidRequest: the URL is malformed; ``timeout`` or ``max_bytes`` is not above 0.
            NotFound: there is nothing at that URL (404, 410, no such file).
            Refused: robots.txt or the server forbids it (401, 403).
            RateLimited: the server keeps saying 429.
            TooLarge: the body exceeds ``max_bytes``.
            TimedOut: it took longer than ``timeout``.
            InvalidContent: the body is no text (a binary file).
            Unavailable: the host cannot be reached, or fails (5xx); or the scraper is not open.
        """
