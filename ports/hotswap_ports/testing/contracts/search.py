"""``SearchContract``: what every adapter of the port ``search`` must do."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import FeatureUnsupported, InvalidRequest
from hotswap_ports.search import RRF_K, Document, Search, SearchFeatures, SearchQuery
from hotswap_ports.testing.contracts.search_by_words import SearchByWords
from hotswap_ports.testing.contracts.search_examples import CAFE, HERON, TRAIN, ids, need, vector
from hotswap_ports.testing.contracts.search_over_time import Reopen, SearchOverTime
from hotswap_ports.vector import Vector

__all__ = ["Reopen", "SearchContract"]

WORDS = ("heron", "river", "train", "café")
TEXTS = strategies.one_of(strategies.none(), strategies.sets(strategies.sampled_from(WORDS)))
CHANGES = strategies.lists(strategies.tuples(strategies.sampled_from("abcd"), TEXTS), max_size=12)
"""Ids, each with the words of its new text, or None where it is removed."""


class SearchContract(SearchByWords, SearchOverTime):
    """Tests over a fixture ``search``: an open, empty index. Inherit, supply the fixture, done.

    Tests of a mode that ``features.modes`` lacks are skipped, but for the one that wants it refused. Scores of words
    are nobody's promise: only the order of clear cases is. Where ``features.durable``, override the fixtures ``reopen``
    and ``revive`` too.
    """

    async def test_features_are_declared(self, search: Search) -> None:
        """``features`` is a SearchFeatures with at least one mode; the others are refused."""
        assert isinstance(search.features, SearchFeatures)
        assert search.features.modes
        for mode in ("lexical", "vector", "hybrid", "no-such-mode"):
            if mode not in search.features.modes:
                with pytest.raises(FeatureUnsupported):
                    await search.search(SearchQuery("heron", vector(1, 0), mode))  # type: ignore[arg-type]

    async def test_an_empty_index_finds_nothing(self, search: Search) -> None:
        """Nothing indexed: no hits, none to remove, a count of 0."""
        for mode in search.features.modes:
            result = await search.search(SearchQuery("heron", vector(1, 0), mode))
            assert (result.hits, result.mode) == ((), mode)
        assert await search.count() == 0
        assert await search.remove(["a"]) == 0
        assert await search.index([]) == 0

    async def test_an_id_that_is_there_is_replaced(self, search: Search) -> None:
        """The new text, vector and metadata are found, the old ones are not."""
        need(search, "lexical", "vector")
        await search.index([Document("a", HERON, vector(1, 0), {"v": 1}), Document("b", CAFE, vector(0, 1))])
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["a", "b"]
        assert await search.index([Document("a", HERON, vector(-1, 0), {"v": 1})]) == 1
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["b", "a"]
        assert await search.index([Document("a", TRAIN, None, {"v": 2})]) == 1
        assert await search.count() == 2
        assert ids(await search.search(SearchQuery("heron"))) == []
        (hit,) = (await search.search(SearchQuery("train"))).hits
        assert (hit.text, dict(hit.metadata)) == (TRAIN, {"v": 2})
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["b"]
        assert ids(await search.search(SearchQuery("train", filters={"v": 1}))) == []

    async def test_what_was_removed_is_not_found(self, search: Search) -> None:
        """Removal counts what was there, once, and leaves the rest."""
        need(search, "lexical", "vector")
        await search.index([Document(each, f"{HERON} {each}", vector(1, 0)) for each in "abc"])
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["a", "b", "c"]
        assert await search.remove(["a", "c", "a", "x", "\ud800"]) == 2
        assert await search.count() == 1
        assert ids(await search.search(SearchQuery("heron"))) == ["b"]
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["b"]
        await search.index([Document("a", TRAIN, vector(1, 0))])
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["a", "b"]

    async def test_what_was_removed_takes_no_place(self, search: Search) -> None:
        """However many better documents were there and were found, the limit counts those that are left."""
        better = [Document(f"{n}", "heron", vector(1, 0)) for n in range(30)]
        await search.index([*better, Document("left", f"heron {TRAIN}", vector(1, 1))])
        for mode in sorted(search.features.modes):
            assert "left" not in ids(await search.search(SearchQuery("heron", vector(1, 0), mode, 1)))
        await search.remove([each.id for each in better])
        for mode in sorted(search.features.modes):
            assert ids(await search.search(SearchQuery("heron", vector(1, 0), mode, 1))) == ["left"]

    async def test_ids_are_any_text(self, search: Search) -> None:
        """Case, accents, blanks, quotes, NUL and length keep ids apart, and each is found and removed by its own."""
        names = [
            "A",
            "a",
            "é",
            "e\u0301",
            " ",
            "a ",
            "\0",
            "a\0b",
            "a\0c",
            "🦩",
            "'",
            '"',
            "%",
            "_",
            "1",
            "01",
            "x" * 5000,
        ]
        await search.index([Document(each, HERON, vector(1, n)) for n, each in enumerate(names)])
        for mode in search.features.modes:
            found = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=100))
            assert sorted(ids(found)) == sorted(names)
        for left, each in enumerate(reversed(names)):
            assert await search.count() == len(names) - left
            assert await search.remove([each]) == 1

    async def test_asking_changes_nothing(self, search: Search) -> None:
        """The same query finds the same, and counts stay, however often they are asked."""
        await search.index([Document(each, f"{HERON} {each}", vector(1, n)) for n, each in enumerate("abc")])
        queries = [SearchQuery("heron b", vector(1, 1), mode) for mode in sorted(search.features.modes)]
        before = [await search.search(each) for each in queries]
        assert await search.count() == 3
        assert [await search.search(each) for each in queries] == before
        assert await search.count() == 3

    @pytest.mark.parametrize(
        "bad",
        [
            Document("", HERON),
            Document("good", HERON),
            Document("\ud800", HERON),
            Document("bad", "\ud800"),
            Document("bad", HERON, Vector(b"123", "m")),
            Document("bad", HERON, Vector(b"", "m")),
            Document("bad", HERON, Vector(array("f", [float("nan"), 1.0]).tobytes(), "m")),
            Document("bad", HERON, None, {"a": [1]}),  # type: ignore[dict-item]
            Document("bad", HERON, None, {"a": None}),  # type: ignore[dict-item]
            Document("bad", HERON, None, {"a": 10**5000}),
            Document("bad", HERON, None, {"a": float("inf")}),
            Document("bad", HERON, None, {1: "a"}),  # type: ignore[dict-item]
        ],
    )
    async def test_one_bad_document_and_none_is_indexed(self, search: Search, bad: Document) -> None:
        """An empty id, one twice, broken text, vector or metadata: InvalidRequest, and all stays as it was."""
        await search.index([Document("old", CAFE)])
        with pytest.raises(InvalidRequest):
            await search.index([Document("good", HERON), Document("old", HERON), bad])
        assert await search.count() == 1
        if "lexical" in search.features.modes:
            assert ids(await search.search(SearchQuery("heron"))) == []
            assert ids(await search.search(SearchQuery("cafe"))) == ["old"]

    async def test_limit_cuts_the_best(self, search: Search) -> None:
        """No more than ``limit`` hits, the best ones, whatever the mode."""
        order = (7, 2, 12, 0, 9, 14, 4, 1, 11, 6, 3, 13, 8, 5, 10)
        await search.index([Document(f"{n:02}", f"heron{' number' * n}", vector(1, n / 10)) for n in order])
        for mode in search.features.modes:
            everything = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=2**63))
            assert len(everything.hits) == 15
            assert len((await search.search(SearchQuery("heron", vector(1, 0), mode))).hits) == 10
            few = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=3))
            assert ids(few) == ids(everything)[:3]
            scores = [each.score for each in everything.hits]
            assert scores == sorted(scores, reverse=True)
            ranks = [(each.lexical_rank, each.vector_rank) for each in everything.hits]
            if mode != "hybrid":
                assert ranks == [(n, None) if mode == "lexical" else (None, n) for n in range(1, 16)]

    @pytest.mark.parametrize(
        "query",
        [
            SearchQuery(),
            SearchQuery("  \n"),
            SearchQuery("heron", limit=0),
            SearchQuery("heron", limit=-1),
            SearchQuery(vector=vector(1, 0), mode="lexical"),
            SearchQuery("heron", mode="vector"),
            SearchQuery("heron", mode="hybrid"),
            SearchQuery(vector=vector(1, 0), mode="hybrid"),
            SearchQuery(vector=Vector(b"12345", "m")),
            SearchQuery("heron", filters={"a": float("nan")}),
            SearchQuery("heron", filters={"a": 10**5000}),
        ],
    )
    async def test_a_query_that_cannot_be_right_is_refused(self, search: Search, query: SearchQuery) -> None:
        """Neither text nor vector, not what the mode needs, a limit below 1: InvalidRequest."""
        if query.mode is not None:
            need(search, query.mode)
        with pytest.raises(InvalidRequest):
            await search.search(query)

    async def test_the_mode_follows_what_is_given(self, search: Search) -> None:
        """Text and vector: hybrid; else the one that is given; ``mode`` decides otherwise."""
        need(search, "lexical", "vector", "hybrid")
        await search.index([Document("a", HERON, vector(1, 0))])
        assert (await search.search(SearchQuery("heron"))).mode == "lexical"
        assert (await search.search(SearchQuery(vector=vector(1, 0)))).mode == "vector"
        assert (await search.search(SearchQuery("heron", vector(1, 0)))).mode == "hybrid"
        assert (await search.search(SearchQuery("heron", vector(1, 0), "lexical"))).mode == "lexical"
        assert (await search.search(SearchQuery("heron", vector(1, 0), "vector"))).mode == "vector"

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

    @pytest.mark.parametrize(
        ("filters", "wanted"),
        [
            ({}, "abcdefg"),
            ({"kind": "page"}, "ab"),
            ({"kind": ("page", "note")}, "abc"),
            ({"kind": ()}, ""),
            ({"kind": "page", "n": 1}, "a"),
            ({"n": 1}, "ad"),
            ({"n": 1.0}, "ad"),
            ({"n": "1"}, "e"),
            ({"n": True}, "f"),
            ({"n": (True, "1")}, "ef"),
            ({"n": 2.5}, "b"),
            ({"n": False}, ""),
            ({"n": 0}, "g"),
            ({"missing": "page"}, ""),
            ({"kind": "PAGE"}, ""),
            ({"kind": "pag%"}, ""),
            ({'it\'s "odd".$[0]': "é🦩\0'"}, "g"),
        ],
    )
    async def test_filters_keep_types(self, search: Search, filters: Mapping[str, Any], wanted: str) -> None:
        """1 equals 1.0 but neither "1" nor True; several filters must all pass; a missing key does not."""
        await search.index(
            [
                Document("a", HERON, vector(1, 0), {"kind": "page", "n": 1}),
                Document("b", HERON, vector(1, 0), {"kind": "page", "n": 2.5}),
                Document("c", HERON, vector(1, 0), {"kind": "note", "n": 3}),
                Document("d", HERON, vector(1, 0), {"n": 1.0}),
                Document("e", HERON, vector(1, 0), {"n": "1"}),
                Document("f", HERON, vector(1, 0), {"n": True}),
                Document("g", HERON, vector(1, 0), {"n": 0, 'it\'s "odd".$[0]': "é🦩\0'"}),
            ]
        )
        for mode in search.features.modes:
            result = await search.search(SearchQuery("heron", vector(1, 0), mode, filters=filters))
            assert ids(result) == list(wanted), mode

    async def test_a_filter_does_not_eat_the_limit(self, search: Search) -> None:
        """The limit counts what passes, however many better documents do not."""
        bad = [Document(f"bad{n}", "heron heron", vector(1, 0), {"ok": False}) for n in range(150)]
        await search.index([*bad, Document("good", f"heron {'x ' * 50}", vector(1, 1), {"ok": True})])
        for mode in search.features.modes:
            assert ids(await search.search(SearchQuery("heron", vector(1, 0), mode, 1, {"ok": True}))) == ["good"]

    async def test_metadata_come_back_as_they_were(self, search: Search) -> None:
        """Types are kept, and neither side can change what the index holds."""
        need(search, "lexical")
        metadata: dict[str, Any] = {"t": True, "i": 1, "f": 1.5, "s": "é\n", "big": 10**30, "": ""}
        await search.index([Document("a", HERON, None, metadata)])
        kept = dict(metadata)
        metadata["t"] = "changed"
        (first,) = (await search.search(SearchQuery("heron"))).hits
        assert {key: (type(value), value) for key, value in first.metadata.items()} == {
            key: (type(value), value) for key, value in kept.items()
        }
        first.metadata["i"] = 2  # type: ignore[index]
        (second,) = (await search.search(SearchQuery("heron"))).hits
        assert dict(second.metadata) == kept

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=CHANGES)
    async def test_any_changes_leave_what_was_indexed_last(
        self, search: Search, changes: list[tuple[str, set[str] | None]]
    ) -> None:
        """After each change, the count and what each word and its vector find are those of a model."""
        need(search, "lexical")
        await search.remove(list("abcd"))
        model: dict[str, set[str]] = {}
        for id_, words in changes:
            if words is None:
                assert await search.remove([id_]) == (model.pop(id_, None) is not None)
            else:
                model[id_] = words
                text = " ".join(sorted(words))
                near = vector(1, 0, model=min(words)) if words else None
                assert await search.index([Document(id_, text, near)]) == 1
            assert await search.count() == len(model)
            for word in WORDS:
                wanted = {each for each, its in model.items() if word in its}
                assert set(ids(await search.search(SearchQuery(word)))) == wanted
                if "vector" in search.features.modes:
                    wanted = {each for each in wanted if min(model[each]) == word}
                    assert set(ids(await search.search(SearchQuery(vector=vector(1, 0, model=word))))) == wanted
