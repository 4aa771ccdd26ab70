"""The port ``search``: documents with text, vector and metadata, found by words, by meaning, or by both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from attrs import field, frozen

from hotswap_ports.port import Port
from hotswap_ports.vector import Vector

Scalar = str | int | float | bool
Mode = Literal["lexical", "vector", "hybrid"]

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009): the sum of 1 / (60 + rank)."""


@frozen
class SearchFeatures:
    """Which kinds of query a provider answers."""

    modes: frozenset[Mode] = frozenset({"lexical", "vector", "hybrid"})
    durable: bool = False


@frozen
class Document:
    """Something to be found."""

    id: str
    text: str
    vector: Vector | None = None
    """None: found by words only."""
    metadata: Mapping[str, Scalar] = field(factory=dict)


@frozen
class SearchQuery:
    """What is looked for."""

    text: str = ""
    """Plain words, no query language: punctuation and operators are taken as text."""
    vector: Vector | None = None
    """Of the documents' embedding model; documents of other models are not compared."""
    mode: Mode | None = None
    """None: hybrid when both text and vector are given, else the one that is."""
    limit: int = 10
    filters: Mapping[str, Scalar | tuple[Scalar, ...]] = field(factory=dict)
    """A document passes when each key's metadata equals the value, or one of the tuple; a missing key does not."""
    snippet_words: int = 32
    """About how many words a snippet has."""


@frozen
class Hit:
    """A document that was found."""

    id: str
    score: float
    """Higher is better: negated bm25 (lexical), cosine (vector), reciprocal rank fusion (hybrid)."""
    text: str
    snippet: str
    """A part of the text around the words that matched, plain, with ``…`` where it was cut."""
    metadata: Mapping[str, Scalar] = field(factory=dict)
    lexical_rank: int | None = None
    """1 is the best; None: not found by words."""
    vector_rank: int | None = None


@frozen
class SearchResult:
    """Hits, best first; equal scores are ordered by id."""

    hits: tuple[Hit, ...]
    mode: Mode


class Search(Port):
    """Indexes documents and finds them."""

    PORT: ClassVar[str] = "search"
    VERSION: ClassVar[str] = "1.0.0"

    features: SearchFeatures = SearchFeatures()

    @abstractmethod
    async def index(self, documents: Sequence[Document]) -> int:
        """Add documents, all or none; one whose id is there already is replaced. Return how many were given.

        Raises:
            InvalidRequest: an id is empty or twice in ``documents``.
            NotWritable: the disk is full or read-only.
        """

    @abstractmethod
    async def search(self, query: SearchQuery) -> SearchResult:
        """Find documents; no match is an empty result.

        Raises:
            InvalidRequest: the query has neither text nor vector, lacks what its mode needs, or ``limit`` < 1.
            FeatureUnsupported: ``features.modes`` lacks the mode.
        """

    @abstractmethod
    async def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; return how many of them were there."""

    @abstractmethod
    async def count(self) -> int:
        """Return how many documents are indexed."""
