"""``SqliteSearch``: the port ``search`` in one SQLite file: FTS5 for words, exact comparison for vectors."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from attrs import frozen

from hotswap_adapters._sqlite import Schema, SqliteAdapter
from hotswap_adapters.search._rows import Row, filter_values, rows_of
from hotswap_adapters.search._snippets import TOKENIZER, snippets
from hotswap_adapters.search._vectors import VectorCache
from hotswap_adapters.search._words import beginning, match_expression
from hotswap_ports import (
    RRF_K,
    Document,
    Hit,
    Search,
    SearchFeatures,
    SearchQuery,
    SearchResult,
    check_query,
)
from hotswap_ports.search import Mode

SCHEMA = Schema(
    what="search",
    application_id=0x68737732,  # "hsw2"
    version=1,
    statements=(
        "CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
        "text TEXT NOT NULL, metadata TEXT NOT NULL)",
        "CREATE VIRTUAL TABLE words USING fts5 (text, content = 'documents', content_rowid = 'number', "
        f"tokenize = '{TOKENIZER}')",
        "CREATE TABLE facts (key TEXT, value TEXT, number INTEGER, PRIMARY KEY (key, value, number)) WITHOUT ROWID",
        "CREATE INDEX facts_by_number ON facts (number)",
        "CREATE TABLE vectors (number INTEGER PRIMARY KEY, model TEXT NOT NULL, data BLOB NOT NULL)",
        "CREATE TABLE state (removals INTEGER NOT NULL)",
        "INSERT INTO state VALUES (0)",
    ),
)

FUSION_DEPTH = 100
"""How many of the best by words and by vector are fused in a hybrid query, at least; more when more are asked for."""

_MOST_ROWS = 2**62

Ranked = list[tuple[int, str, float]]
"""Number, id and score, best first."""


@frozen
class SqliteSearchConfig:
    """Settings of the plugin ``sqlite-search``."""

    path: str = ".hotswap/search.db"
    """Relative to the working folder; the folder is created."""
    busy_timeout: float = 10.0
    """Seconds to wait for another process that writes to the same file."""


class SqliteSearch(SqliteAdapter, Search):
    """Finds documents in a SQLite file; open inside ``async with``.

    Any word of a query may match, the rare ones count most (bm25), in any form that Porter's stemmer for English knows
    (``running``, ``run``), whatever the case and the accents. A run of CJK characters is one word: parts of it are
    found by vector only. Emoji are no words. Snippets have 64 words at most. Vectors are held in memory once they are
    searched, 4 bytes a value. Two of these, in one process or two, may have the same file open. Raises
    ``InvalidContent`` where the file is no search index of hotswap, or is damaged.
    """

    features = SearchFeatures(durable=True)

    def __init__(self, config: SqliteSearchConfig) -> None:
        super().__init__("search index", config.path, SCHEMA, config.busy_timeout)
        self._vectors = VectorCache()

    async def __aexit__(self, *exc_info: object) -> None:
        self._vectors = VectorCache()
        await super().__aexit__(*exc_info)

    async def index(self, documents: Sequence[Document]) -> int:
        """Add documents in one transaction."""
        given = tuple(documents)
        return await self._open_file.write(lambda connection: _store(connection, rows_of(given)))

    async def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; return how many of them were there."""
        given = [each for each in dict.fromkeys(ids) if _storable(each)]
        return await self._open_file.write(lambda connection: _remove(connection, given))

    async def count(self) -> int:
        """Return how many documents are indexed."""
        query = "SELECT count(*) FROM documents"
        return int(await self._open_file.read(lambda connection: connection.execute(query).fetchone()[0]))

    async def search(self, query: SearchQuery) -> SearchResult:
        """Find documents; similarities are rounded to six decimals, so that equal vectors score alike."""
        mode = check_query(query, "sqlite-search", self.features)
        filters = filter_values(query.filters)
        hits = await self._open_file.read(lambda connection: self._find(connection, query, mode, filters))
        return SearchResult(hits, mode)

    def _find(
        self, connection: sqlite3.Connection, query: SearchQuery, mode: Mode, filters: list[tuple[str, str]]
    ) -> tuple[Hit, ...]:
        most = min(query.limit, _MOST_ROWS)
        depth = max(most, FUSION_DEPTH) if mode == "hybrid" else most
        match = match_expression(query.text) if mode != "vector" else ""
        by_words = _by_words(connection, match, filters, depth) if match else []
        by_vector = self._by_vector(connection, query, filters, depth) if mode != "lexical" else []
        best = {"lexical": by_words, "vector": by_vector}.get(mode)
        if best is None:
            best = _fused(by_words, by_vector)[:most]
        ranks = [{row[0]: rank for rank, row in enumerate(each, 1)} for each in (by_words, by_vector)]
        texts = _texts(connection, [row[0] for row in best])
        cut = snippets(connection, match, {number: text for number, (text, _) in texts.items()}, query.snippet_words)
        return tuple(
            Hit(
                id=id_,
                score=score,
                text=texts[number][0],
                snippet=cut.get(number) or beginning(texts[number][0], max(1, query.snippet_words)),
                metadata=json.loads(texts[number][1]),
                lexical_rank=ranks[0].get(number),
                vector_rank=ranks[1].get(number),
            )
            for number, id_, score in best
        )

    def _by_vector(
        self, connection: sqlite3.Connection, query: SearchQuery, filters: list[tuple[str, str]], depth: int
    ) -> Ranked:
        assert query.vector is not None
        allowed = None
        if filters:
            condition, values = _condition(filters)
            rows = connection.execute(f"SELECT number FROM documents WHERE {condition}", values)  # noqa: S608 - constants
            allowed = {row[0] for row in rows}
        scored = self._vectors.nearest(connection, query.vector, depth, allowed)
        numbers = json.dumps([number for _, number in scored])
        ids = dict(
            connection.execute(
                "SELECT number, id FROM documents WHERE number IN (SELECT value FROM json_each(?))", (numbers,)
            )
        )
        ranked = [(number, ids[number], score) for score, number in scored]
        return sorted(ranked, key=lambda row: (-row[2], row[1]))[:depth]


def _by_words(connection: sqlite3.Connection, match: str, filters: list[tuple[str, str]], depth: int) -> Ranked:
    condition, values = _condition(filters)
    query = (
        "SELECT number, id, -bm25(words) AS score FROM words JOIN documents ON number = words.rowid "  # noqa: S608 - constants
        f"WHERE words MATCH ? AND {condition} ORDER BY score DESC, id LIMIT ?"
    )
    return connection.execute(query, (match, *values, depth)).fetchall()


def _condition(filters: list[tuple[str, str]]) -> tuple[str, list[str]]:
    # The plus keeps SQLite from running the MATCH once for each number that passes the filter.
    one = "+number IN (SELECT number FROM facts WHERE key = ? AND value IN (SELECT value FROM json_each(?)))"
    return " AND ".join([one] * len(filters)) or "TRUE", [each for pair in filters for each in pair]


def _fused(*rankings: Ranked) -> Ranked:
    scores: dict[tuple[int, str], float] = {}
    for ranking in rankings:
        for rank, (number, id_, _) in enumerate(ranking, 1):
            scores[number, id_] = scores.get((number, id_), 0.0) + 1 / (RRF_K + rank)
    fused = [(number, id_, score) for (number, id_), score in scores.items()]
    return sorted(fused, key=lambda row: (-row[2], row[1]))


def _texts(connection: sqlite3.Connection, numbers: list[int]) -> dict[int, tuple[str, str]]:
    query = "SELECT number, text, metadata FROM documents WHERE number IN (SELECT value FROM json_each(?))"
    return {row[0]: (row[1], row[2]) for row in connection.execute(query, (json.dumps(numbers),))}


def _store(connection: sqlite3.Connection, rows: list[Row]) -> int:
    _remove(connection, [row.id for row in rows])
    last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'documents'").fetchone()
    numbered = list(enumerate(rows, last[0] + 1))
    connection.executemany(
        "INSERT INTO documents (number, id, text, metadata) VALUES (?, ?, ?, ?)",
        ((number, row.id, row.text, row.metadata) for number, row in numbered),
    )
    connection.executemany(
        "INSERT INTO words (rowid, text) VALUES (?, ?)", ((number, row.text) for number, row in numbered)
    )
    connection.executemany(
        "INSERT INTO facts (key, value, number) VALUES (?, ?, ?)",
        ((key, value, number) for number, row in numbered for key, value in row.facts),
    )
    connection.executemany(
        "INSERT INTO vectors (number, model, data) VALUES (?, ?, ?)",
        ((number, row.vector.model, row.vector.data) for number, row in numbered if row.vector is not None),
    )
    return len(rows)


def _remove(connection: sqlite3.Connection, ids: list[str]) -> int:
    find = "SELECT number, text FROM documents WHERE id = ?"
    found = [row for id_ in ids if (row := connection.execute(find, (id_,)).fetchone()) is not None]
    if not found:
        return 0
    # FTS5 keeps no copy of a text: to forget one, it has to be told which.
    connection.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", found)
    numbers = (json.dumps([number for number, _ in found]),)
    for table in ("documents", "facts", "vectors"):
        connection.execute(f"DELETE FROM {table} WHERE number IN (SELECT value FROM json_each(?))", numbers)  # noqa: S608 - constants
    connection.execute("UPDATE state SET removals = removals + 1")
    return len(found)


def _storable(id_: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in id_)
