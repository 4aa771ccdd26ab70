"""``MemorySearch``: the port ``search`` in a dict, with a BM25 of its own."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from hotswap_ports.errors import FeatureUnsupported, InvalidRequest
from hotswap_ports.search import (
    RRF_K,
    Document,
    Hit,
    Mode,
    Scalar,
    Search,
    SearchFeatures,
    SearchQuery,
    SearchResult,
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
        for document in documents:
            _check_document(document)
            if document.id in added:
                raise InvalidRequest(f"The id {document.id!r} stands twice in one call.")
            words = _words(document.text)
            copy = evolve(document, metadata=dict(document.metadata))
            added[document.id] = _Entry(copy, tuple(words), Counter(words))
        self._entries.update(added)
        return len(added)

    async def search(self, query: SearchQuery) -> SearchResult:
        """Compare the query with every document."""
        mode = _mode(query)
        wanted = {key: _facts(key, values) for key, values in query.filters.items()}
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


def _mode(query: SearchQuery) -> Mode:
    text, vector = bool(query.text.strip()), query.vector
    if query.limit < 1:
        raise InvalidRequest(f"limit must be at least 1, not {query.limit}.")
    if not text and vector is None:
        raise InvalidRequest("A query needs text or a vector.")
    mode = query.mode or ("hybrid" if text and vector is not None else "lexical" if text else "vector")
    if mode not in MemorySearch.features.modes:
        raise FeatureUnsupported("memory", f"the mode {mode!r}", "Use lexical, vector or hybrid.")
    if mode != "vector" and not text:
        raise InvalidRequest(f"A query in mode {mode} needs text.")
    if mode != "lexical" and vector is None:
        raise InvalidRequest(f"A query in mode {mode} needs a vector.")
    if vector is not None:
        _check_vector(vector)
    return mode


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


def _fact(key: str, value: Scalar) -> tuple[str, Scalar]:
    """Return what filters compare: as Python does, but for truth values, which equal themselves alone."""
    if isinstance(value, str):
        return "text", _unicode(value)
    if isinstance(value, bool):
        return "flag", value
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return "number", value
    raise InvalidRequest(f"Metadata are texts, finite numbers and truth values; what is under {key!r} is none.")


def _facts(key: str, values: Scalar | tuple[Scalar, ...]) -> set[tuple[str, Scalar]]:
    return {_fact(key, each) for each in (values if isinstance(values, tuple | list) else (values,))}


def _passes(document: Document, wanted: Mapping[str, set[tuple[str, Scalar]]]) -> bool:
    metadata = document.metadata
    return all(key in metadata and _fact(key, metadata[key]) in values for key, values in wanted.items())


def _check_document(document: Document) -> None:
    if not document.id:
        raise InvalidRequest("A document needs an id.")
    _unicode(document.id)
    _unicode(document.text)
    for key, value in document.metadata.items():
        _fact(_unicode(key), value)
    if document.vector is not None:
        _check_vector(document.vector)


def _check_vector(vector: Vector) -> None:
    if not vector.data or len(vector.data) % 4 or not math.isfinite(sum(vector)):
        raise InvalidRequest("A vector holds float32 values, at least one, and all of them finite.")


def _unicode(text: str) -> str:
    if not isinstance(text, str):
        raise InvalidRequest(f"A text is wanted, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("Documents and filters must be valid Unicode.") from error
    return text
