"""Plain words in, an FTS5 expression out; and the beginning of a text where no word matched."""

from __future__ import annotations

import unicodedata

MAX_QUERY_WORDS = 256
"""Different words of a query that are looked for; a document pasted as a query keeps its first ones."""


def match_expression(text: str) -> str:
    """Return an FTS5 expression that finds any of the words in ``text``; empty when it has none.

    Each word is quoted, so that no operator, column filter or parenthesis of FTS5 is left. Marks stay with their
    letters, and the tokenizer folds them as it did in the documents.
    """
    normal = unicodedata.normalize("NFC", text)
    words = "".join(each if unicodedata.category(each)[0] in "LNM" else " " for each in normal).split()
    distinct = list(dict.fromkeys(each.lower() for each in words))[:MAX_QUERY_WORDS]
    return " OR ".join(f'"{each}"' for each in distinct)


def beginning(text: str, words: int) -> str:
    """Return the first words of ``text``, with ``…`` where it was cut."""
    found = text.split(None, words)
    return " ".join(found[:words]) + ("…" if len(found) > words else "")
