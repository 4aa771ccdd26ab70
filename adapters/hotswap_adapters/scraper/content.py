"""Content: what a document says, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from attrs import evolve, frozen

from hotswap_adapters.scraper import charset, media
from hotswap_adapters.scraper.address import absolute
from hotswap_ports.scraper import Link, Page

_SPACE = re.compile(r"\s+")
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]")
_LINK_TEXT = 300
_TITLE = 300  # characters; a page may call itself by megabytes, and every report would repeat them


@frozen
class Content:
    """The parts of a page that are read out of its body."""

    text: str
    title: str = ""
    links: tuple[Link, ...] = ()
    language: str | None = None
    author: str | None = None
    published: str | None = None

    def into(self, page: Page) -> Page:
        """Return ``page`` with what was read."""
        return evolve(
            page,
            text=self.text,
            title=self.title[:_TITLE] or page.title,
            links=self.links,
            language=self.language,
            author=self.author and self.author[:_TITLE],
            published=self.published,
        )


class Links:
    """Links in the order in which they were found, each URL once, with the first text that is not empty."""

    def __init__(self, base: str, schemes: Collection[str]) -> None:
        self.base = base
        self._schemes = schemes
        self._found: dict[str, str] = {}

    def add(self, target: str, text: str) -> None:
        """Take up a link, as it is written in the page."""
        url = absolute(self.base, target, self._schemes)
        if url is not None and not self._found.get(url):
            self._found[url] = one_line(text)[:_LINK_TEXT]

    def all(self) -> tuple[Link, ...]:
        """Return what was found."""
        return tuple(Link(url, text) for url, text in self._found.items())


def one_line(text: str) -> str:
    """Return ``text`` with each run of white space as one blank."""
    return _SPACE.sub(" ", text).strip()


def table_row(cells: Iterable[str]) -> str:
    """Return a table's row as a line that readers and summarisers know for one; empty when all cells are."""
    filled = [each for each in cells if each]
    return f"| {' | '.join(filled)} |" if filled else ""


def paragraphs(blocks: Collection[str]) -> str:
    """Return the blocks that are not empty, separated by blank lines."""
    return "\n\n".join(block for block in blocks if block)


def read(body: bytes, media_type: str, declared: str | None, url: str, schemes: Collection[str]) -> Content:
    """Return what ``body`` says. Takes about 1.5 s of processor time for a megabyte of HTML: call it in a thread.

    ``declared`` is the charset that its server says; links of other ``schemes`` are left out.

    Raises:
        InvalidContent: it is no text in any charset.
    """
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", charset.decode(body, declared, url)))
    links = Links(url, schemes)
    if media_type in media.HTML:
        from hotswap_adapters.scraper.html import read_html

        return read_html(text, links)
    if media_type in media.MARKDOWN:
        from hotswap_adapters.scraper.markdown import read_markdown

        return read_markdown(text, links)
    return Content(text.strip("\n"))
