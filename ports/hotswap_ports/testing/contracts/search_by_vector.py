"""``SearchByVector``: the part of the contract about vectors, their fusion with words, and the order of hits."""

from __future__ import annotations

from typing import ClassVar

import pytest

from hotswap_ports.search import RRF_K, Document, Search, SearchQuery
from hotswap_ports.testing.contracts.search_examples import HERON, ids, need, vector


class SearchByVector:
    """Inherited by ``SearchContract``."""

    pytestmark: ClassVar[object] = pytest.mark.anyio

    async def test_vectors_rank_by_cosine(self, search: Search) -> None:
        """The nearest comes first, its score is the cosine, and opposite ones come last."""
        need(search, "vector")
        await search.index(
            [
                Document("far", "x", vector(-1, 0)),
                Document("near", "x", vector(3, 4)),
                Document("same", "x", vector(9, 0)),
            ]
        )
        hits = (await search.search(SearchQuery(vector=vector(1, 0)))).hits
        assert [(each.id, each.vector_rank, each.lexical_rank) for each in hits] == [
            ("same", 1, None), ("near", 2, None), ("far", 3, None),
        ]  # fmt: skip
        assert [each.score for each in hits] == pytest.approx([1.0, 0.6, -1.0], abs=1e-5)

    async def test_vectors_of_other_models_are_not_compared(self, search: Search) -> None:
        """Another model, another length, or no vector: not found by vector."""
        need(search, "vector")
        await search.index(
            [
                Document("a", "x", vector(1, 0)),
                Document("b", "x", vector(1, 0, model="other")),
                Document("c", "x", vector(1, 0, 0)),
                Document("d", "x"),
            ]
        )
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["a"]
        assert ids(await search.search(SearchQuery(vector=vector(1, 0, model="other")))) == ["b"]
        assert ids(await search.search(SearchQuery(vector=vector(1, 0, 0)))) == ["c"]
        assert ids(await search.search(SearchQuery(vector=vector(1, 0, model="none")))) == []

    async def test_hybrid_fuses_ranks(self, search: Search) -> None:
        """The score is the sum of 1 / (RRF_K + rank); found both ways beats found one way."""
        need(search, "hybrid")
        await search.index(
            [
                Document("both", "the heron fishes", vector(1, 0.1)),
                Document("words", "heron heron heron"),
                Document("vector", "a grey bird", vector(1, 0)),
                Document("none", "a train"),
            ]
        )
        result = await search.search(SearchQuery("heron", vector(1, 0)))
        assert set(ids(result)) == {"both", "words", "vector"}
        assert ids(result)[0] == "both"
        for hit in result.hits:
            ranks = [each for each in (hit.lexical_rank, hit.vector_rank) if each is not None]
            assert hit.score == pytest.approx(sum(1 / (RRF_K + rank) for rank in ranks))
        only = next(each for each in result.hits if each.id == "vector")
        assert (only.lexical_rank, only.vector_rank, only.snippet) == (None, 1, "a grey bird")

    async def test_equal_scores_are_ordered_by_id(self, search: Search) -> None:
        """Twins come in the order of their ids, not of their coming."""
        names = [f"{number:03}" for number in range(40)]
        await search.index([Document(each, HERON, vector(*range(1, 38))) for each in reversed(names)])
        for mode in search.features.modes:
            result = await search.search(SearchQuery("heron", vector(*range(1, 38)), mode, limit=7))
            assert ids(result) == names[:7]
