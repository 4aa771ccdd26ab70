"""Parts of texts around the words that matched, as FTS5 cuts them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing

TOKENIZER = "porter unicode61 remove_diacritics 2"

MAX_SNIPPET_WORDS = 64
"""FTS5's own bound on snippet()."""

_CUT = "SELECT rowid, snippet(words, 0, '', '', '…', ?) FROM words WHERE words MATCH ?"


def snippets(connection: sqlite3.Connection, match: str, texts: Mapping[int, str], words: int) -> dict[int, str]:
    """Return the snippets of the documents of these numbers that ``match`` finds; ``texts`` are theirs."""
    if not match or not texts:
        return {}
    most = max(1, min(words, MAX_SNIPPET_WORDS))
    query = f"{_CUT} AND rowid IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants
    found = dict(connection.execute(query, (most, match, json.dumps(list(texts)))).fetchall())
    for number in found:
        if "\0" in texts[number]:
            found[number] = _without_nul(match, texts[number], most)
    return {number: " ".join(text.split()) for number, text in found.items()}


def _without_nul(match: str, text: str, most: int) -> str:
    """Return the snippet of a text that has NULs: snippet() drops what lies between one and the next word."""
    with closing(sqlite3.connect(":memory:")) as beside:
        beside.execute(f"CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = '{TOKENIZER}')")
        beside.execute("INSERT INTO words (text) VALUES (?)", (text.replace("\0", " "),))
        return "".join(row[1] for row in beside.execute(_CUT, (most, match)))
