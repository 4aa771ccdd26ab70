"""``MemorySearch``: the port ``search`` in a dict, with a BM25 of its own."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from hotswap_ports.search import (
    RRF_K,
    Document,
    Hit,
    Scalar,
    Search,
    SearchFeatures,
    SearchQuery,
    SearchResult,
    check_documents,
    check_query,
)
from hotswap_ports.vector import Vector

K1 = 1.2
B = 0.75
"""The constants of BM25 that SQLite's FTS5 uses too."""

FUSION_DEPTH = 100
"""How many of the best by words and by vector are fused, at least."""

Ranked = list[tuple[str, float]]
"""Id and score, best first."""


@frozen
class _Entry:
    document: Document
    words: tuple[str, ...]
    counts: Mapping[str, int]


class MemorySearch(Search):
    """Finds documents until it is dropped. Words match whole, whatever the case and the accents; nothing is stemmed."""

    features = SearchFeatures(durable=False)

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    async def index(self, documents: Sequence[Document]) -> int:
        """Check all documents, then add them."""
        added: dict[str, _Entry] = {}
        check_documents(documents)
        for document in documents:
            words = _words(document.text)
            copy = evolve(document, metadata=dict(document.metadata))
            added[document.id] = _Entry(copy, tuple(words), Counter(words))
        self._entries.update(added)
        return len(added)

    async def search(self, query: SearchQuery) -> SearchResult:
        """Compare the query with every document."""
        mode = check_query(query, "memory", self.features)
        wanted = {key: _facts(values) for key, values in query.filters.items()}
        entries = [each for each in self._entries.values() if _passes(each.document, wanted)]
        words = set(_words(query.text)) if mode != "vector" else set()
        depth = max(query.limit, FUSION_DEPTH) if mode == "hybrid" else query.limit
        by_words = _best(self._bm25(words, entries), depth)
        by_vector = _best(_similarities(query.vector, entries), depth) if mode != "lexical" else []
        ranks = [{id_: rank for rank, (id_, _) in enumerate(each, 1)} for each in (by_words, by_vector)]
        fused = {id_: sum(1 / (RRF_K + each[id_]) for each in ranks if id_ in each) for id_ in ranks[0] | ranks[1]}
        best = {"lexical": by_words, "vector": by_vector, "hybrid": _best(fused.items(), query.limit)}[mode]
        hits = tuple(
            Hit(
                id=id_,
                score=score,
                text=(document := self._entries[id_].document).text,
                snippet=_snippet(document.text, words, max(1, query.snippet_words)),
                metadata=dict(document.metadata),
                lexical_rank=ranks[0].get(id_),
                vector_rank=ranks[1].get(id_),
            )
            for id_, score in best
        )
        return SearchResult(hits, mode)

    async def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; return how many of them were there."""
        return sum(self._entries.pop(each, None) is not None for each in ids)

    async def snapshot(self) -> Any:
        """Return everything, for the next generation of the plugin that this index is part of."""
        documents = [each.document for each in self._entries.values()]
        vectors = [None if each.vector is None else (each.vector.data, each.vector.model) for each in documents]
        facts = [(each.id, each.text, dict(each.metadata)) for each in documents]
        return [(*fact, vector) for fact, vector in zip(facts, vectors, strict=True)]

    async def restore(self, state: Any, from_version: str) -> None:
        """Go on from what another generation had indexed."""
        await self.index(
            [
                Document(id_, text, None if vector is None else Vector(*vector), metadata)
                for id_, text, metadata, vector in state
            ]
        )

    async def count(self) -> int:
        """Return how many documents are indexed."""
        return len(self._entries)

    def _bm25(self, words: set[str], entries: Iterable[_Entry]) -> Ranked:
        everything = self._entries.values()
        average = sum(len(each.words) for each in everything) / len(everything) if everything else 0.0
        rarity = {}
        for word in words:
            having = sum(word in each.counts for each in everything)
            rarity[word] = max(1e-6, math.log((len(everything) - having + 0.5) / (having + 0.5)))
        scored: Ranked = []
        for entry in entries:
            found = [word for word in sorted(words) if word in entry.counts]
            if found:
                length = K1 * (1 - B + B * len(entry.words) / average)
                parts = [rarity[word] * entry.counts[word] * (K1 + 1) / (entry.counts[word] + length) for word in found]
                scored.append((entry.document.id, math.fsum(parts)))
        return scored


def _similarities(query: Vector | None, entries: Iterable[_Entry]) -> Ranked:
    assert query is not None
    return [
        (entry.document.id, round(query.similarity(vector), 6))
        for entry in entries
        if (vector := entry.document.vector) is not None
        and (vector.model, len(vector.data)) == (query.model, len(query.data))
    ]


def _best(scored: Iterable[tuple[str, float]], most: int) -> Ranked:
    return sorted(scored, key=lambda each: (-each[1], each[0]))[:most]


def _words(text: str) -> list[str]:
    letters = []
    for each in unicodedata.normalize("NFKD", text).casefold():
        category = unicodedata.category(each)
        if category != "Mn":  # accents, once they are apart from their letters
            letters.append(each if category[0] in "LNM" else " ")
    return "".join(letters).split()


def _snippet(text: str, wanted: set[str], words: int) -> str:
    pieces = text.split()
    matching = [not wanted.isdisjoint(_words(each)) for each in pieces]
    starts = range(max(1, len(pieces) - words + 1))
    start = max(starts, key=lambda each: (sum(matching[each : each + words]), matching[each : each + words][:1], -each))
    if any(matching):  # a third of the words before the first match, for its context
        first = matching.index(True, start)
        start = max(0, min(start, first - words // 3, len(pieces) - words))
    end = start + words
    cut = " ".join(pieces[start:end])
    return ("…" if start else "") + cut + ("…" if end < len(pieces) else "")


def _fact(value: Scalar) -> tuple[bool, Scalar]:
    """Return what filters compare: as Python does, but for truth values, which equal themselves alone."""
    return isinstance(value, bool), value


def _facts(values: Scalar | tuple[Scalar, ...]) -> set[tuple[bool, Scalar]]:
    return {_fact(each) for each in (values if isinstance(values, tuple | list) else (values,))}


def _passes(document: Document, wanted: Mapping[str, set[tuple[bool, Scalar]]]) -> bool:
    metadata = document.metadata
    return all(key in metadata and _fact(metadata[key]) in values for key, values in wanted.items())
