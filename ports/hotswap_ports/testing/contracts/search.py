"""``SearchContract``: what every adapter of the port ``search`` must do."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import FeatureUnsupported, InvalidRequest
from hotswap_ports.search import RRF_K, Document, Mode, Search, SearchFeatures, SearchQuery
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.vector import Vector

HERON = "The heron stands in the shallow river and waits for fish."
TRAIN = "A train leaves the station at noon and crosses the river."
CAFE = "Café crème is served on the terrace."

Reopen = Callable[[Search], AbstractAsyncContextManager[Search]]

WORDS = ("heron", "river", "train", "café")
TEXTS = strategies.one_of(strategies.none(), strategies.sets(strategies.sampled_from(WORDS)))
CHANGES = strategies.lists(strategies.tuples(strategies.sampled_from("abcd"), TEXTS), max_size=12)
"""Ids, each with the words of its new text, or None where it is removed."""


def vector(*values: float, model: str = "m") -> Vector:
    """Return a unit vector."""
    return Vector.of(values, model)


def ids(result: Any) -> list[str]:
    """Return the ids of a result's hits, best first."""
    return [each.id for each in result.hits]


class SearchContract:
    """Tests over a fixture ``search``: an open, empty index. Inherit, supply the fixture, done.

    Tests of a mode that ``features.modes`` lacks are skipped, but for the one that wants it refused. Scores of words
    are nobody's promise: only the order of clear cases is.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes an index and opens another over the same data; None: skip that."""
        return None

    @staticmethod
    def need(search: Search, *modes: Mode) -> None:
        """Skip where a mode is missing."""
        missing = [each for each in modes if each not in search.features.modes]
        if missing:
            pytest.skip(f"the index does not answer {', '.join(missing)} queries")

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

    async def test_words_find_a_document(self, search: Search) -> None:
        """A hit has the document's id, text and metadata, and its rank."""
        self.need(search, "lexical")
        await search.index([Document("a", HERON, metadata={"page": 1}), Document("b", TRAIN)])
        (hit,) = (await search.search(SearchQuery("heron"))).hits
        assert (hit.id, hit.text, hit.snippet, dict(hit.metadata)) == ("a", HERON, HERON, {"page": 1})
        assert (hit.lexical_rank, hit.vector_rank) == (1, None)
        assert ids(await search.search(SearchQuery("penguin"))) == []

    async def test_a_question_finds_its_passage(self, search: Search) -> None:
        """Any word may match; the document with the rare words comes first."""
        self.need(search, "lexical")
        await search.index([Document("a", HERON), Document("b", TRAIN), Document("c", CAFE)])
        assert ids(await search.search(SearchQuery("Where does the heron wait for fish?")))[0] == "a"
        assert ids(await search.search(SearchQuery("When does the train leave the station?")))[0] == "b"
        assert set(ids(await search.search(SearchQuery("river penguin")))) == {"a", "b"}

    async def test_case_and_accents_do_not_matter(self, search: Search) -> None:
        """Upper case, composed and decomposed accents, and none at all find the same."""
        self.need(search, "lexical")
        await search.index([Document("a", CAFE), Document("b", "cafe\u0301 cre\u0300me"), Document("c", "ΑΘΗΝΑ")])
        for text in ("cafe", "CAFÉ", "cafe\u0301", "creme", "Crème"):
            assert sorted(ids(await search.search(SearchQuery(text)))) == ["a", "b"], text
        assert ids(await search.search(SearchQuery("αθηνα"))) == ["c"]

    @pytest.mark.parametrize(
        "text",
        [
            "heron AND", "OR heron", "NOT heron", '"heron', "heron\"'", "NEAR(heron, 2)", "text:heron", "heron:text",
            "heron*", "^heron", "-heron", "+heron", "(heron", "heron))", "{heron} : x", "heron; DROP TABLE x; --",
            "heron\0", "\0heron", "heron\\", "%heron%", "\ud800 heron", "🦩 heron", "heron," * 20_000, "heron\n\t\r",
            "[heron]", "heron?", "¿heron!", "(" * 5000 + " heron", "x " * 20 + "heron",
        ],
    )  # fmt: skip
    async def test_a_query_is_plain_words(self, search: Search, text: str) -> None:
        """Operators, quotes, brackets and NUL are text: the word beside them is found."""
        self.need(search, "lexical")
        await search.index([Document("a", HERON), Document("b", CAFE)])
        assert ids(await search.search(SearchQuery(text)))[:1] == ["a"]

    @pytest.mark.parametrize("text", ["NEAR", '"', '""', "*", "NEAR(", "\0", "???", "'", "\u0301", "a" * 100_000, ":"])
    async def test_a_query_without_known_words_finds_nothing(self, search: Search, text: str) -> None:
        """What is no word of a document is no error."""
        self.need(search, "lexical")
        await search.index([Document("a", HERON)])
        assert ids(await search.search(SearchQuery(text))) == []

    async def test_very_many_words_are_no_error(self, search: Search) -> None:
        """A query of 5,000 different words answers."""
        self.need(search, "lexical")
        await search.index([Document("a", HERON)])
        text = "heron " + " ".join(f"word{number}" for number in range(5000))
        assert ids(await search.search(SearchQuery(text))) == ["a"]

    async def test_words_of_any_script_match_whole(self, search: Search) -> None:
        """Between spaces, words of any script are found."""
        self.need(search, "lexical")
        await search.index([Document("a", "東京 は 大きい"), Document("b", "цапля стоит"), Document("c", "हिन्दी भाषा")])
        for text, wanted in (("東京", "a"), ("Цапля", "b"), ("हिन्दी", "c")):
            assert ids(await search.search(SearchQuery(text))) == [wanted]

    async def test_an_id_that_is_there_is_replaced(self, search: Search) -> None:
        """The new text, vector and metadata are found, the old ones are not."""
        self.need(search, "lexical", "vector")
        await search.index([Document("a", HERON, vector(1, 0), {"v": 1}), Document("b", CAFE, vector(0, 1))])
        assert await search.index([Document("a", TRAIN, None, {"v": 2})]) == 1
        assert await search.count() == 2
        assert ids(await search.search(SearchQuery("heron"))) == []
        (hit,) = (await search.search(SearchQuery("train"))).hits
        assert (hit.text, dict(hit.metadata)) == (TRAIN, {"v": 2})
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["b"]
        assert ids(await search.search(SearchQuery("train", filters={"v": 1}))) == []

    async def test_what_was_removed_is_not_found(self, search: Search) -> None:
        """Removal counts what was there, once, and leaves the rest."""
        self.need(search, "lexical", "vector")
        await search.index([Document(each, f"{HERON} {each}", vector(1, 0)) for each in "abc"])
        assert await search.remove(["a", "c", "a", "x", "\ud800"]) == 2
        assert await search.count() == 1
        assert ids(await search.search(SearchQuery("heron"))) == ["b"]
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["b"]
        await search.index([Document("a", TRAIN, vector(1, 0))])
        assert ids(await search.search(SearchQuery(vector=vector(1, 0)))) == ["a", "b"]

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
        await search.index([Document(f"{n:02}", f"heron number {n}", vector(1, n / 10)) for n in range(15)])
        for mode in search.features.modes:
            everything = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=2**63))
            assert len(everything.hits) == 15
            assert len((await search.search(SearchQuery("heron", vector(1, 0), mode))).hits) == 10
            few = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=3))
            assert ids(few) == ids(everything)[:3]
            scores = [each.score for each in everything.hits]
            assert scores == sorted(scores, reverse=True)

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
        ],
    )
    async def test_a_query_that_cannot_be_right_is_refused(self, search: Search, query: SearchQuery) -> None:
        """Neither text nor vector, not what the mode needs, a limit below 1: InvalidRequest."""
        if query.mode is not None:
            self.need(search, query.mode)
        with pytest.raises(InvalidRequest):
            await search.search(query)

    async def test_the_mode_follows_what_is_given(self, search: Search) -> None:
        """Text and vector: hybrid; else the one that is given; ``mode`` decides otherwise."""
        self.need(search, "lexical", "vector", "hybrid")
        await search.index([Document("a", HERON, vector(1, 0))])
        assert (await search.search(SearchQuery("heron"))).mode == "lexical"
        assert (await search.search(SearchQuery(vector=vector(1, 0)))).mode == "vector"
        assert (await search.search(SearchQuery("heron", vector(1, 0)))).mode == "hybrid"
        assert (await search.search(SearchQuery("heron", vector(1, 0), "lexical"))).mode == "lexical"
        assert (await search.search(SearchQuery("heron", vector(1, 0), "vector"))).mode == "vector"

    async def test_vectors_rank_by_cosine(self, search: Search) -> None:
        """The nearest comes first, its score is the cosine, and opposite ones come last."""
        self.need(search, "vector")
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
        self.need(search, "vector")
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
        self.need(search, "hybrid")
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
        self.need(search, "lexical")
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

    async def test_a_snippet_is_cut_around_the_match(self, search: Search) -> None:
        """A long text is cut to about ``snippet_words``, with … where it was, and has the word in it."""
        self.need(search, "lexical")
        text = "start " + "before " * 100 + "\n\nheron " + "after " * 100 + "end"
        await search.index([Document("a", text)])
        for words in (5, 10, 32):
            (hit,) = (await search.search(SearchQuery("HERON", snippet_words=words))).hits
            assert "heron" in hit.snippet
            assert hit.snippet.startswith("…")
            assert hit.snippet.endswith("…")
            assert words / 2 <= len(hit.snippet.split()) <= words * 1.5 + 1
            assert hit.snippet.strip("…").strip() in " ".join(text.split())
            assert hit.text == text

    async def test_a_snippet_without_a_match_is_the_beginning(self, search: Search) -> None:
        """What was found by vector alone shows how it begins."""
        self.need(search, "vector")
        await search.index([Document("a", "one two  three\nfour", vector(1, 0)), Document("b", "", vector(0, 1))])
        cut, empty = (await search.search(SearchQuery(vector=vector(1, 0), snippet_words=2))).hits
        assert (cut.snippet, empty.snippet) == ("one two…", "")
        whole, _ = (await search.search(SearchQuery(vector=vector(1, 0), snippet_words=100))).hits
        assert whole.snippet == "one two three four"

    async def test_a_snippet_is_plain(self, search: Search) -> None:
        """Nothing is marked, escaped or rendered."""
        self.need(search, "lexical")
        text = "<b>heron</b> & [fish] *river*"
        await search.index([Document("a", text)])
        (hit,) = (await search.search(SearchQuery("heron", snippet_words=0))).hits
        assert hit.snippet
        (hit,) = (await search.search(SearchQuery("heron", snippet_words=1000))).hits
        assert hit.snippet == text

    async def test_many_documents_at_once(self, search: Search) -> None:
        """500 documents in one call, and calls at the same time, are all there."""
        calls = [[Document(f"{part}-{n}", f"heron {n}", vector(1, n)) for n in range(100)] for part in range(5)]
        assert await asyncio.gather(*(search.index(each) for each in calls)) == [100] * 5
        assert await search.count() == 500
        for mode in search.features.modes:
            results = await asyncio.gather(
                *(search.search(SearchQuery("heron 7", vector(1, 7), mode, limit=500)) for _ in range(5))
            )
            assert all(len(each.hits) == 500 for each in results)
            assert all(set(ids(each)[:5]) == {f"{part}-7" for part in range(5)} for each in results)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=CHANGES)
    async def test_any_changes_leave_what_was_indexed_last(
        self, search: Search, changes: list[tuple[str, set[str] | None]]
    ) -> None:
        """After each change, the count and what each word finds are those of a model."""
        self.need(search, "lexical")
        await search.remove(list("abcd"))
        model: dict[str, set[str]] = {}
        for id_, words in changes:
            if words is None:
                assert await search.remove([id_]) == (model.pop(id_, None) is not None)
            else:
                model[id_] = words
                assert await search.index([Document(id_, " ".join(sorted(words)))]) == 1
            assert await search.count() == len(model)
            for word in WORDS:
                wanted = {each for each, its in model.items() if word in its}
                assert set(ids(await search.search(SearchQuery(word)))) == wanted

    async def test_what_was_indexed_is_there_after_a_restart(self, search: Search, reopen: Reopen | None) -> None:
        """A durable index that is closed and opened again finds what it found, and not what was removed."""
        if not search.features.durable:
            pytest.skip("the index is not durable")
        if reopen is None:
            pytest.skip("the fixture reopen is not there")
        await search.index([Document(each, f"{HERON} {each}", vector(1, 0), {"id": each}) for each in "abc"])
        await search.remove(["b"])
        queries = [SearchQuery("heron", vector(1, 0), mode) for mode in sorted(search.features.modes)]
        before = [await search.search(each) for each in queries]
        async with reopen(search) as again:
            assert [await again.search(each) for each in queries] == before
            assert await again.count() == 2

    async def test_it_behaves_as_a_guest_should(self, search: Search) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await search.index([Document(f"{number}", HERON, vector(1, number)) for number in range(20)])
            for mode in search.features.modes:
                await search.search(SearchQuery("heron", vector(1, 0), mode))
            await search.remove([f"{number}" for number in range(20)])

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
