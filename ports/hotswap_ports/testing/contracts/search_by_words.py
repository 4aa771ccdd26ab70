"""``SearchByWords``: the part of the contract about queries in words, and the snippets that show them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from hotswap_ports.search import Document, Search, SearchQuery
from hotswap_ports.testing.contracts.search_examples import CAFE, HERON, TRAIN, ids, need, vector


class SearchByWords:
    """Inherited by ``SearchContract``."""

    pytestmark: ClassVar[object] = pytest.mark.anyio

    async def test_words_find_a_document(self, search: Search) -> None:
        """A hit has the document's id, text and metadata, and its rank."""
        need(search, "lexical")
        await search.index([Document("a", HERON, metadata={"page": 1}), Document("b", TRAIN)])
        (hit,) = (await search.search(SearchQuery("heron"))).hits
        assert (hit.id, hit.text, hit.snippet, dict(hit.metadata)) == ("a", HERON, HERON, {"page": 1})
        assert (hit.lexical_rank, hit.vector_rank) == (1, None)
        assert ids(await search.search(SearchQuery("penguin"))) == []

    async def test_a_question_finds_its_passage(self, search: Search) -> None:
        """Any word may match; the document with the rare words comes first."""
        need(search, "lexical")
        await search.index([Document("a", HERON), Document("b", TRAIN), Document("c", CAFE)])
        assert ids(await search.search(SearchQuery("Where does the heron wait for fish?")))[0] == "a"
        assert ids(await search.search(SearchQuery("When does the train leave the station?")))[0] == "b"
        assert set(ids(await search.search(SearchQuery("river penguin")))) == {"a", "b"}

    async def test_case_and_accents_do_not_matter(self, search: Search) -> None:
        """Upper case, composed and decomposed accents, and none at all find the same."""
        need(search, "lexical")
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
        need(search, "lexical")
        await search.index([Document("a", HERON), Document("b", CAFE)])
        assert ids(await search.search(SearchQuery(text)))[:1] == ["a"]

    @pytest.mark.parametrize("text", ["NEAR", '"', '""', "*", "NEAR(", "\0", "???", "'", "\u0301", "a" * 100_000, ":"])
    async def test_a_query_without_known_words_finds_nothing(self, search: Search, text: str) -> None:
        """What is no word of a document is no error."""
        need(search, "lexical")
        await search.index([Document("a", HERON)])
        assert ids(await search.search(SearchQuery(text))) == []

    async def test_very_many_words_are_no_error(self, search: Search) -> None:
        """A query of 5,000 different words answers."""
        need(search, "lexical")
        await search.index([Document("a", HERON)])
        text = "heron " + " ".join(f"word{number}" for number in range(5000))
        assert ids(await search.search(SearchQuery(text))) == ["a"]

    async def test_words_of_any_script_match_whole(self, search: Search) -> None:
        """Between spaces, words of any script are found."""
        need(search, "lexical")
        await search.index([Document("a", "東京 は 大きい"), Document("b", "цапля стоит"), Document("c", "हिन्दी भाषा")])
        for text, wanted in (("東京", "a"), ("Цапля", "b"), ("हिन्दी", "c")):
            assert ids(await search.search(SearchQuery(text))) == [wanted]

    async def test_a_snippet_is_cut_around_the_match(self, search: Search) -> None:
        """A long text is cut to about ``snippet_words``, with … where it was, and has the word in it."""
        need(search, "lexical")
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
        need(search, "vector")
        await search.index([Document("a", "one two  three\nfour", vector(1, 0)), Document("b", "", vector(0, 1))])
        cut, empty = (await search.search(SearchQuery(vector=vector(1, 0), snippet_words=2))).hits
        assert (cut.snippet, empty.snippet) == ("one two…", "")
        whole, _ = (await search.search(SearchQuery(vector=vector(1, 0), snippet_words=100))).hits
        assert whole.snippet == "one two three four"

    async def test_a_snippet_is_plain(self, search: Search) -> None:
        """Nothing is marked, escaped or rendered."""
        need(search, "lexical")
        text = "<b>heron</b> & [fish] *river*"
        await search.index([Document("a", text)])
        (hit,) = (await search.search(SearchQuery("heron", snippet_words=0))).hits
        assert hit.snippet
        (hit,) = (await search.search(SearchQuery("heron", snippet_words=1000))).hits
        assert hit.snippet == text

    async def test_a_text_is_found_to_its_end(self, search: Search) -> None:
        """Behind a NUL and at the end of a very long text words are found and shown, and the hit has the whole text."""
        need(search, "lexical")
        texts = {"nul": "heron\0 egret\0bittern", "long": f"{'word ' * 100_000}bittern"}
        await search.index([Document(id_, text) for id_, text in texts.items()] + [Document("empty", "")])
        hits = (await search.search(SearchQuery("bittern"))).hits
        assert {each.id: each.text for each in hits} == texts
        for hit in hits:
            assert "bittern" in hit.snippet
            assert set(hit.snippet.replace("\0", " ").strip("…").split()) <= {"heron", "egret", "bittern", "word"}
