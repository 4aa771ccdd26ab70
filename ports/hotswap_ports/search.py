"""The port ``search``: documents with text, vector and metadata, found by words, by meaning, or by both."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from attrs import field, frozen

from hotswap_ports.errors import FeatureUnsupported, InvalidRequest
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
    """The document's, whole."""
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


def check_documents(documents: Sequence[Document]) -> None:
    """Return when any search can index these documents together.

    Raises:
        InvalidRequest: an id is empty or stands twice, a text is no valid Unicode, a value of the metadata is no
            scalar, not finite or too long, or a vector is not made of finite float32 values.
    """
    seen: set[str] = set()
    for each in documents:
        if not each.id or each.id in seen:
            raise InvalidRequest(f"An id stands once in a call, and is not empty: {each.id!r}.")
        seen.add(_unicode(each.id))
        _unicode(each.text)
        for key, value in each.metadata.items():
            check_scalar(_unicode(key), value)
        if each.vector is not None:
            _check_vector(each.vector)


def check_scalar(key: str, value: object) -> None:
    """Raise InvalidRequest for what is neither a valid text, a finite number nor a truth value.

    A number has at most the digits that Python writes out (4,300): any index may have to keep it as text.
    """
    if isinstance(value, str):
        _unicode(value)
    elif isinstance(value, int):
        try:
            str(value)
        except ValueError as error:
            raise InvalidRequest(f"The number under {key!r} is too long.") from error
    elif not (isinstance(value, float) and math.isfinite(value)):
        raise InvalidRequest(f"Metadata are texts, finite numbers and truth values; what is under {key!r} is none.")


def check_query(query: SearchQuery, provider: str, features: SearchFeatures) -> Mode:
    """Return the mode in which a provider has to answer a query.

    Raises:
        InvalidRequest, FeatureUnsupported: as ``Search.search`` says.
    """
    text, vector = bool(query.text.strip()), query.vector
    if query.limit < 1:
        raise InvalidRequest(f"limit must be at least 1, not {query.limit}.")
    if not text and vector is None:
        raise InvalidRequest("A query needs text or a vector.")
    mode = query.mode or ("hybrid" if text and vector is not None else "lexical" if text else "vector")
    if mode not in features.modes:
        raise FeatureUnsupported(provider, f"the mode {mode!r}", f"Use {' or '.join(sorted(features.modes))}.")
    if mode != "vector" and not text:
        raise InvalidRequest(f"A query in mode {mode} needs text.")
    if mode != "lexical" and vector is None:
        raise InvalidRequest(f"A query in mode {mode} needs a vector.")
    if vector is not None:
        _check_vector(vector)
    for key, wanted in query.filters.items():
        for value in wanted if isinstance(wanted, tuple | list) else (wanted,):
            check_scalar(_unicode(key), value)
    return mode


def _check_vector(vector: Vector) -> None:
    _unicode(vector.model)
    if not vector.data or len(vector.data) % 4 or not math.isfinite(sum(vector)):
        raise InvalidRequest("A vector holds float32 values, at least one, and all of them finite.")


def _unicode(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidRequest(f"A text is wanted, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("Documents and filters must be valid Unicode.") from error
    return text


class Search(Port):
    """Indexes documents and finds them.

    A call that is cancelled has happened wholly or not at all, and no other call is the worse for it.
    """

    PORT: ClassVar[str] = "search"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset({"count", "search"})

    features: SearchFeatures = SearchFeatures()

    @abstractmethod
    async def index(self, documents: Sequence[Document]) -> int:
        """Add documents, all or none; one whose id is there already is replaced. Return how many were given.

        Nobody ever finds some documents of a call and not the others.

        Raises:
            InvalidRequest: an id is empty or twice in ``documents``, or check_documents refuses one of them.
            NotWritable: the disk is full or read-only.
        """

    @abstractmethod
    async def search(self, query: SearchQuery) -> SearchResult:
        """Find documents; no match is an empty result.

        Raises:
            InvalidRequest: the query has neither text nor vector, lacks what its mode needs, has a vector or a filter
                that no document could have, or ``limit`` < 1.
            FeatureUnsupported: ``features.modes`` lacks the mode.
        """

    @abstractmethod
    async def remove(self, ids: Sequence[str]) -> int:
        """Remove documents; return how many of them were there."""

    @abstractmethod
    async def count(self) -> int:
        """Return how many documents are indexed."""
