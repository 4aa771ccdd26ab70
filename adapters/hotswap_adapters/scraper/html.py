"""HTML: main text, metadata and links."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser

from hotswap_adapters.scraper.content import Content, Links, one_line, paragraphs, table_row

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]  # lxml carries no types

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_UNSEEN = ["script", "style", "noscript", "template", "head", "nav", "footer", "aside", "svg", "iframe", "form"]
_BLOCKS = (
    "p,div,section,article,main,header,h1,h2,h3,h4,h5,h6,ul,ol,li,dl,dt,dd,"
    "table,tr,blockquote,figure,figcaption,address,pre,br"
)
_BREAK = "\x1e"
_MOST_NESTED = 5_000
"""Elements open at once, and attributes of one tag: the time of parsers grows with the square of either (200,000 took
minutes, and cannot be interrupted). Browsers stop nesting at 512."""
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]*)([^<>]*)")
_ANY_TAG = re.compile(r"<[^<>]*>")
_SHUT = frozenset(
    (
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "option",
    )
)
"""Elements that have no end, or whose end need not be written."""
_SHORT = 250  # characters; trafilatura's own bound for a text that it trusts (MIN_EXTRACTED_SIZE)

_log = logging.getLogger(__name__)

# Without a handler of their own their warnings go to stderr, across the host's progress bars.
for _name in ("trafilatura", "htmldate", "justext", "courlan"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


def read_html(html: str, links: Links) -> Content:
    """Return the main text of a page, without menus and footers; all its visible text where no main text is found.

    Of a page that is nested too deep to be parsed, all that stands between its tags is the text.
    """
    if _is_hostile(html):
        return Content(paragraphs(tuple(map(one_line, _ANY_TAG.split(html)))))
    tree = LexborHTMLParser(html)
    base = tree.css_first("base[href]")
    page = links.base
    if base is not None:
        try:
            links.base = urljoin(links.base, (base.attributes.get("href") or "").strip())
        except ValueError:
            links.base = page
    for anchor in tree.css("a[href], area[href]"):
        links.add(anchor.attributes.get("href") or "", anchor.text() or anchor.attributes.get("alt") or "")
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "").strip() if root is not None else ""
    heading = tree.css_first("title") or tree.css_first("h1")
    title = one_line(heading.text()) if heading is not None else ""
    main = _main(html, page.partition("?")[0])  # it is logged, and a query may hold a key
    return Content(
        text=main.text if len(main.text) >= _SHORT else _visible(tree) or main.text,
        title=_title(title, main.title),
        links=links.all(),
        language=language if _LANGUAGE.fullmatch(language) else None,
        author=main.author,
        published=main.published,
    )


def _is_hostile(html: str) -> bool:
    depth = 0
    for closes, name, attributes in _TAG.findall(html):
        if name.lower() not in _SHUT:
            depth = max(0, depth - 1) if closes else depth + 1
        if depth > _MOST_NESTED or (len(attributes) > 2 * _MOST_NESTED and len(attributes.split()) > _MOST_NESTED):
            return True
    return False


def _title(written: str, found: str) -> str:
    """Return the title without the site's name where that was found in it; a heading from elsewhere is no title."""
    return found if not written or (found and found.casefold() in written.casefold()) else written


def visible_text(html: str) -> str:
    """Return what a reader sees of a piece of HTML, each block as a paragraph."""
    return _visible(LexborHTMLParser(html))


def _main(html: str, url: str) -> Content:
    try:
        return _extract(html, url)
    except Exception:  # noqa: BLE001 - broken markup makes it raise whatever lxml does; the visible text is left
        _log.info("No main text was found on %s; its visible text is taken.", url, exc_info=True)
        return Content("")


def _extract(html: str, url: str) -> Content:
    import trafilatura

    document = trafilatura.bare_extraction(
        html, url=url if url.startswith("http") else None, with_metadata=True, include_comments=False
    )
    if document is None or isinstance(document, dict):
        return Content("")
    date = document.date or ""
    return Content(
        text=paragraphs(tuple(_blocks(document.body))) if document.body is not None else "",
        title=one_line(document.title or ""),
        author=one_line(document.author or "") or None,
        published=date if _DATE.fullmatch(date) else None,
    )


def _blocks(body: HtmlElement) -> Iterator[str]:
    """Yield the paragraphs of trafilatura's tree: p, head, list/item, table/row/cell, quote, code."""
    if body.text:
        yield one_line(body.text)
    for element in body:
        match element.tag:
            case "list":
                yield "\n".join(_items(element))
            case "table":
                yield "\n".join(filter(None, (_row(row) for row in element.iter("row"))))
            case "code":
                if "\n" not in (element.xpath("string()")):  # a listing is no prose; a word in code type is
                    yield one_line(element.xpath("string()"))
            case "quote" | "div" | "section" | "figure":
                yield from _blocks(element)
            case str():
                yield _prose(element)
        if element.tail:
            yield one_line(element.tail)


def _items(listing: HtmlElement) -> Iterator[str]:
    for item in listing:
        own = [item.text or ""]
        nested: list[str] = []
        for child in item:
            if child.tag == "list":
                nested.extend(_items(child))
            else:
                own.append(_prose(child))
            own.append(child.tail or "")
        yield from filter(None, (one_line(" ".join(own)), *nested))


def _row(row: HtmlElement) -> str:
    return table_row(one_line(_prose(cell)) for cell in row.iter("cell"))


def _prose(element: HtmlElement) -> str:
    if element.tag == "lb":
        return ""
    for line_break in element.iter("lb"):
        line_break.tail = f" {line_break.tail or ''}"
    return one_line(element.xpath("string()"))


def _visible(tree: LexborHTMLParser) -> str:
    if tree.body is None:
        return ""
    tree.strip_tags(_UNSEEN, recursive=True)
    for block in tree.css(_BLOCKS):
        block.insert_before(_BREAK)
        block.insert_after(_BREAK)
    text = tree.body.text(separator="") if tree.body is not None else ""
    return paragraphs(tuple(one_line(block) for block in text.split(_BREAK)))
