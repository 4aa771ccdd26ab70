"""What a report's texts go through before they stand in any document: they come from pages that strangers wrote."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote, urlsplit

LINKED = frozenset({"http", "https", "file"})
"""Schemes that become links; whatever else a source has as its URL is shown as text."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of text, and so can make it read as something else."""
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_URL_CHARACTERS = "!#$&'*+,-./:;=?@_~%"


def one_line(text: str) -> str:
    """Return ``text`` on one line, white space folded, without control characters and unpaired surrogates."""
    folded = " ".join(text.split())
    return "".join(_harmless(each) for each in folded).strip()


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of ``text``, which blank lines part, each on one line; empty ones are left out."""
    return [line for line in map(one_line, _BLANK_LINE.split(text)) if line]


def link_to(url: str) -> str:
    """Return ``url`` in the characters that an address may have, or an empty text where it must not become a link."""
    try:
        parts = urlsplit(one_line(url))
    except ValueError:
        return ""
    if parts.scheme not in LINKED or not (parts.netloc or parts.scheme == "file"):
        return ""
    host = quote(parts.netloc, safe=f"{_URL_CHARACTERS}[]")
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{host}{quote(f'{parts.path}{query}{fragment}', safe=_URL_CHARACTERS)}"


def readable(url: str) -> str:
    """Return how ``url`` is shown to people: a file by its path."""
    line = one_line(url)
    return one_line(unquote(line.removeprefix("file://"))) if line.startswith("file:///") else line


def _harmless(character: str) -> str:
    if character in _BIDI:
        return ""
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return "" if category == "Cc" else character
