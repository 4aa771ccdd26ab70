"""Texts that would be markup where nobody escapes them, and how to see that somebody did."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from urllib.parse import urlsplit

from hotswap_ports.formatter import Answer, KeyPoint, Passage, Rendered, Report, Source

HOSTILE = (
    "<script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onfocus='alert(1)' x='",
    "<!-- gone",
    "[click](javascript:alert(1))",
    "![x](http://127.0.0.1/x)",
    "# not a heading\n\n---\n| a | b |\n```\ncode",
    "- minus sign",
    "+ plus sign",
    "> greater sign",
    "1. first number",
    "1) other number",
    "*bold* _under_ `code` ~~gone~~ \\ $x$ {{ 1 }} {% x %} &amp; &lt;b&gt;",
    "\x1b[31mred\x1b[0m\r\n\t\x00\u202e\u2066",
    "unpaired \ud800",
    "",
)
ADDRESSES = (
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " java\nscript:alert(1)",
    "vbscript:x",
    "data:text/html,<script>alert(1)</script>",
)
"""URLs that do something when they are followed, and lead nowhere."""

_START = r"^(?:[>*+-] |\d+[.)] | )*"
_MARKDOWN = [
    re.compile(each, re.MULTILINE | re.IGNORECASE)
    for each in (
        r"(?<!\\)<(script|img|/textarea|!--)",
        r"(?<!\\)\[click(?<!\\)\]\(javascript:",
        r"(?<!\\)\[x(?<!\\)\]\(",
        r"(?:(?<!\\)\]\(|\]: *<?|(?<!\\)<)\s*(javascript|vbscript|data):",
        rf"{_START}# not a heading",
        rf"{_START}- minus sign",
        rf"{_START}\+ plus sign",
        rf"{_START}> greater sign",
        rf"{_START}1\. first number",
        rf"{_START}1\) other number",
        r"(?<!\\)\*bold(?<!\\)\*",
        r"(?<![\\\w])_under(?<!\\)_",
        r"(?<!\\)`code(?<!\\)`",
        r"(?<!\\)```",
        r"(?<!\\)~~gone",
        r"(?<!\\)&(amp|lt);",
    )
]
"""What must not be found in Markdown; a backslash before it makes it text."""
_ADDRESS = re.compile(r"(?:(?<=<)|(?<=\]\())https?://[^\s<>]*")
"""Where a link of Markdown leads: nothing in it is markup."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of text, and so makes it read as something else."""


def full_of(text: str) -> Report:
    """Return a report whose every field is ``text``."""
    return Report(
        title=text,
        summary=text,
        key_points=(KeyPoint(text, (0,)),),
        key_phrases=(text,),
        answer=Answer(text, text, (Passage(text, 0),)),
        sources=(Source(text, f"https://example.org/{text}", text, (text,)),),
        method=text,
        notes=(text,),
    )


def live_markup(rendered: Rendered, *own: Rendered) -> list[str]:
    """Return what in a document is not text; ``own`` are documents of harmless reports, whose elements are no harm."""
    found = [f"U+{ord(each):04X}" for each in rendered.text if _is_live(each)]
    if rendered.media_type == "text/markdown":
        text = _ADDRESS.sub("", rendered.text)
        found += [each.pattern for each in _MARKDOWN if each.search(text)]
    if rendered.media_type == "text/html":
        page = read_html(rendered.text)
        known = {element for each in own for element in read_html(each.text).elements}
        found += [*sorted(page.elements - known), *page.dangerous]
    return found


def _is_live(character: str) -> bool:
    category = unicodedata.category(character)
    return character in _TURNING or category == "Cs" or (category == "Cc" and character not in "\n\r\t")


class HtmlPage(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        """Each tag with the names of its attributes."""
        self.dangerous: list[str] = []
        """Addresses that are neither of the web nor of files."""
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.add(" ".join((tag, *sorted({name for name, _ in attrs}))))
        addresses = [value or "" for name, value in attrs if name in ("href", "src")]
        self.dangerous += [each for each in addresses if urlsplit(each).scheme not in ("", "http", "https", "file")]

    def handle_comment(self, data: str) -> None:
        """Note that there is a comment."""
        self.elements.add("!--")

    def handle_data(self, data: str) -> None:
        """Take what is read as text."""
        self.text += data


def read_html(text: str) -> HtmlPage:
    """Return an HTML page as it is read."""
    page = HtmlPage()
    page.feed(text)
    page.close()
    return page
