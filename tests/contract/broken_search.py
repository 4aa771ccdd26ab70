"""Breaks of ``SqliteSearch``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.search import _rows, _snippets, _vectors, _words, sqlite
from hotswap_adapters.search.sqlite import SqliteSearch, SqliteSearchConfig
from hotswap_ports import Document, SearchQuery
from tests.contract import test_search
from tests.contract.breaks import Breaks, around, edit
from tests.contract.database_breaks import cancelled_together

breaks = Breaks(test_search.TestSqliteSearch)
plain = Breaks(test_search.TestSqliteSearchWithoutNumpy)

SCORED = "for score, number in scored"


def _schema(patch: pytest.MonkeyPatch, old: str, new: str) -> None:
    text = "\n".join(sqlite.SCHEMA.statements)
    assert text.count(old) == 1
    patch.setattr(sqlite, "SCHEMA", evolve(sqlite.SCHEMA, statements=tuple(text.replace(old, new).split("\n"))))


@breaks.noticed_by("test_words_find_a_document")
def ranks_from_zero(patch: pytest.MonkeyPatch) -> None:
    """The best has the rank 0."""
    edit(patch, SqliteSearch, "_find", {"enumerate(each, 1)": "enumerate(each)"})


@breaks.noticed_by("test_a_question_finds_its_passage")
def every_word_must_match(patch: pytest.MonkeyPatch) -> None:
    """A document is found where all words of the query stand in it."""
    edit(patch, _words, "match_expression", {'" OR "': '" AND "'})
    patch.setattr(sqlite, "match_expression", _words.match_expression)


@breaks.noticed_by("test_a_question_finds_its_passage")
def worst_first(patch: pytest.MonkeyPatch) -> None:
    """Hits by words come in the wrong order, and their scores are the lower the better."""
    edit(patch, sqlite, "_by_words", {"-bm25(words)": "bm25(words)"})


@breaks.noticed_by("test_case_and_accents_do_not_matter")
def accents_matter(patch: pytest.MonkeyPatch) -> None:
    """A word is found with its accents only."""
    _schema(patch, "remove_diacritics 2", "remove_diacritics 0")


@breaks.noticed_by("test_a_query_is_plain_words")
def operators_are_operators(patch: pytest.MonkeyPatch) -> None:
    """What is asked for is handed to FTS5 as it is."""
    patch.setattr(sqlite, "match_expression", lambda text: text)


@breaks.noticed_by("test_a_query_is_plain_words")
def words_unquoted(patch: pytest.MonkeyPatch) -> None:
    """AND, OR and NOT are operators among the words."""
    edit(patch, _words, "match_expression", {"f'\"{each}\"'": "each.upper()"})
    patch.setattr(sqlite, "match_expression", _words.match_expression)


@breaks.noticed_by("test_very_many_words_are_no_error")
def any_number_of_words(patch: pytest.MonkeyPatch) -> None:
    """More words than FTS5 takes are an error."""
    edit(patch, _words, "match_expression", {"[:MAX_QUERY_WORDS]": "", '" OR "': '" AND NOT "'})
    patch.setattr(sqlite, "match_expression", _words.match_expression)


@breaks.noticed_by("test_words_of_any_script_match_whole")
def latin_words_only(patch: pytest.MonkeyPatch) -> None:
    """Words in other scripts are not looked for."""
    edit(patch, _words, "match_expression", {'in "LNM"': 'in "LNM" and each < "ɐ"'})
    patch.setattr(sqlite, "match_expression", _words.match_expression)


@breaks.noticed_by("test_a_snippet_is_cut_around_the_match")
def snippet_from_the_beginning(patch: pytest.MonkeyPatch) -> None:
    """A snippet is how the text begins, wherever the words stand that matched."""
    patch.setattr(sqlite, "snippets", lambda connection, match, texts, words: {})


@breaks.noticed_by("test_a_snippet_is_cut_around_the_match")
def cut_without_a_sign(patch: pytest.MonkeyPatch) -> None:
    """Nothing says where a snippet was cut."""
    patch.setattr(_snippets, "_CUT", _snippets._CUT.replace("…", ""))


@breaks.noticed_by("test_a_snippet_is_plain")
def marked_words(patch: pytest.MonkeyPatch) -> None:
    """In a snippet the words that matched are marked."""
    patch.setattr(_snippets, "_CUT", _snippets._CUT.replace("'', ''", "'<b>', '</b>'"))


@breaks.noticed_by("test_a_snippet_is_plain")
def no_snippet_of_no_words(patch: pytest.MonkeyPatch) -> None:
    """Where a snippet of no words is asked for, there is none."""
    edit(patch, SqliteSearch, "_find", {"snippet=cut": 'snippet="" if query.snippet_words < 1 else cut'})


@breaks.noticed_by("test_a_snippet_without_a_match_is_the_beginning")
def whole_text_for_a_snippet(patch: pytest.MonkeyPatch) -> None:
    """What was found by vector is shown from beginning to end."""
    patch.setattr(sqlite, "beginning", lambda text, words: " ".join(text.split()))


@breaks.noticed_by("test_a_text_is_found_to_its_end")
def snippet_without_what_is_behind_a_nul(patch: pytest.MonkeyPatch) -> None:
    """Words go missing in the snippet of a text with a NUL, as FTS5 cuts it."""
    edit(patch, _snippets, "snippets", {'"\\0" in texts[number]': "False"})
    patch.setattr(sqlite, "snippets", _snippets.snippets)


@breaks.noticed_by("test_a_text_is_found_to_its_end")
def cut_texts(patch: pytest.MonkeyPatch) -> None:
    """Of a long text only the beginning is indexed."""
    edit(patch, sqlite, "_store", {"row.text, row.metadata": "row.text[:100_000], row.metadata"})


@breaks.noticed_by("test_an_id_that_is_there_is_replaced")
def known_ids_are_left_alone(patch: pytest.MonkeyPatch) -> None:
    """A document whose id is there is not stored."""
    known = "connection.execute('SELECT 1 FROM documents WHERE id = ?', (row.id,)).fetchone()"
    removed = "_remove(connection, [row.id for row in rows])"
    edit(patch, sqlite, "_store", {removed: f"rows = [row for row in rows if not {known}]"})


@breaks.noticed_by("test_an_id_that_is_there_is_replaced")
def old_vectors_compared(patch: pytest.MonkeyPatch) -> None:
    """Once vectors have been searched, none that is replaced is forgotten."""
    edit(patch, sqlite, "_remove", {"removals = removals + 1": "removals = removals"})


@breaks.noticed_by("test_what_was_removed_takes_no_place")
def removed_vectors_take_places(patch: pytest.MonkeyPatch) -> None:
    """Vectors that were removed after they had been searched count for the limit."""
    edit(patch, sqlite, "_remove", {"removals = removals + 1": "removals = removals"})
    edit(patch, SqliteSearch, "_by_vector", {SCORED: f"{SCORED} if number in ids"})


@breaks.noticed_by("test_what_was_removed_is_not_found")
def counts_what_is_asked(patch: pytest.MonkeyPatch) -> None:
    """Removing counts the ids that were given, there or not."""
    edit(patch, sqlite, "_remove", {"return len(found)": "return len(ids)"})


@breaks.noticed_by("test_what_was_removed_is_not_found")
def counts_twice(patch: pytest.MonkeyPatch) -> None:
    """A document whose id is given twice is counted twice."""
    edit(patch, SqliteSearch, "remove", {"dict.fromkeys(ids)": "ids"})


@breaks.noticed_by("test_what_was_removed_is_not_found")
def vectors_stay(patch: pytest.MonkeyPatch) -> None:
    """A removed document is still found by its vector."""
    edit(patch, sqlite, "_remove", {'"documents", "facts", "vectors"': '"documents", "facts"'})


@breaks.noticed_by("test_what_was_removed_is_not_found")
def only_storable_ids_removed(patch: pytest.MonkeyPatch) -> None:
    """To remove an id that cannot be there is an error of Python's."""
    patch.setattr(sqlite, "_storable", lambda id_: True)


@breaks.noticed_by("test_ids_are_any_text")
def folded_ids(patch: pytest.MonkeyPatch) -> None:
    """Ids differ in more than case, or they are one."""
    _schema(patch, "id TEXT NOT NULL UNIQUE", "id TEXT NOT NULL UNIQUE COLLATE NOCASE")


@breaks.noticed_by("test_asking_changes_nothing")
def forgotten_once_found(patch: pytest.MonkeyPatch) -> None:
    """What was found is not found again."""

    @around(patch, SqliteSearch, "search")
    async def search(whole: Any, self: SqliteSearch, query: SearchQuery) -> Any:
        found = await whole(self, query)
        await self.remove([each.id for each in found.hits])
        return found


@breaks.noticed_by("test_one_bad_document_and_none_is_indexed")
def half_indexed(patch: pytest.MonkeyPatch) -> None:
    """What stands before a bad document is indexed."""

    @around(patch, SqliteSearch, "index")
    async def index(whole: Any, self: SqliteSearch, documents: Sequence[Document]) -> int:
        return sum([await whole(self, [each]) for each in documents])


@breaks.noticed_by("test_one_bad_document_and_none_is_indexed")
def unchecked_documents(patch: pytest.MonkeyPatch) -> None:
    """Documents are stored as they come, or the library behind says what is wrong with them."""
    edit(patch, _rows, "rows_of", {"check_documents(documents)": "pass"})
    patch.setattr(sqlite, "rows_of", _rows.rows_of)


@breaks.noticed_by("test_limit_cuts_the_best")
def hybrid_without_a_limit(patch: pytest.MonkeyPatch) -> None:
    """A hybrid query gives all that was fused."""
    edit(patch, SqliteSearch, "_find", {"_fused(by_words, by_vector)[:most]": "_fused(by_words, by_vector)"})


@breaks.noticed_by("test_limit_cuts_the_best")
def limit_before_order(patch: pytest.MonkeyPatch) -> None:
    """Any documents with the words are taken, and then put in order."""
    edit(
        patch, sqlite, "_by_words",
        {" ORDER BY score DESC, id LIMIT": " LIMIT",
         "return connection.execute(query, (match, *values, depth)).fetchall()":
         "return sorted(connection.execute(query, (match, *values, depth)), key=lambda row: (-row[2], row[1]))"},
    )  # fmt: skip


@breaks.noticed_by("test_equal_scores_are_ordered_by_id")
def first_of_the_nearest(patch: pytest.MonkeyPatch) -> None:
    """Of equally near vectors, those that came first are kept."""
    edit(
        patch, SqliteSearch, "_by_vector",
        {"return sorted(ranked,": "return sorted(sorted(ranked)[:depth],", "row[1]))[:depth]": "row[1]))"},
    )  # fmt: skip


@breaks.noticed_by("test_limit_cuts_the_best")
def ranks_of_words_by_number(patch: pytest.MonkeyPatch) -> None:
    """The rank by words says when a document came, and not how good it is."""
    edit(patch, SqliteSearch, "_find", {"rank for rank, row in enumerate(each, 1)": "row[0] for row in each"})


@breaks.noticed_by("test_limit_cuts_the_best")
def no_very_large_limit(patch: pytest.MonkeyPatch) -> None:
    """A limit that SQLite cannot count to is an OverflowError."""
    edit(patch, SqliteSearch, "_find", {"min(query.limit, _MOST_ROWS)": "query.limit"})


@breaks.noticed_by("test_a_query_that_cannot_be_right_is_refused")
def unchecked_queries(patch: pytest.MonkeyPatch) -> None:
    """A query that lacks what it needs finds nothing."""
    mode = "(query.mode or ('vector' if query.vector else 'lexical'))"
    edit(patch, SqliteSearch, "search", {'check_query(query, "sqlite-search", self.features)': mode})


@breaks.noticed_by("test_the_mode_follows_what_is_given")
def words_before_vectors(patch: pytest.MonkeyPatch) -> None:
    """A query with text and vector is answered by words."""

    @around(patch, SqliteSearch, "search")
    async def search(whole: Any, self: SqliteSearch, query: SearchQuery) -> Any:
        return await whole(self, evolve(query, mode=query.mode or ("lexical" if query.text else "vector")))


@breaks.noticed_by("test_vectors_rank_by_cosine")
def absolute_similarity(patch: pytest.MonkeyPatch) -> None:
    """Opposite vectors are as near as equal ones."""
    edit(
        patch,
        _vectors.ArraySpace,
        "nearest",
        {"scores = np.einsum(": "scores = abs(np.einsum(", ".round(DIGITS)": ").round(DIGITS)"},
    )


@plain.noticed_by("test_vectors_rank_by_cosine")
def distance_for_similarity(patch: pytest.MonkeyPatch) -> None:
    """The score by vector is a distance: the lower the better."""
    edit(patch, _vectors.PlainSpace, "nearest", {"round(query": "1 - round(query"})


@breaks.noticed_by("test_vectors_of_other_models_are_not_compared")
def one_model_for_all(patch: pytest.MonkeyPatch) -> None:
    """Vectors of different models are compared."""
    edit(patch, _vectors.VectorCache, "_space", {"AND model = ?": "AND model IS NOT coalesce(NULL, ? || x'00')"})


@breaks.noticed_by("test_hybrid_fuses_ranks")
def fused_from_rank_zero(patch: pytest.MonkeyPatch) -> None:
    """Fusion counts ranks from 0."""
    edit(patch, sqlite, "_fused", {"enumerate(ranking, 1)": "enumerate(ranking)"})


@breaks.noticed_by("test_hybrid_fuses_ranks")
def best_rank_for_the_sum(patch: pytest.MonkeyPatch) -> None:
    """A document that is found both ways counts no more than one that is found one way."""
    added = "scores.get((number, id_), 0.0) + 1 / (RRF_K + rank)"
    edit(patch, sqlite, "_fused", {added: "max(scores.get((number, id_), 0.0), 1 / (RRF_K + rank))"})


@breaks.noticed_by("test_equal_scores_are_ordered_by_id")
def words_as_they_came(patch: pytest.MonkeyPatch) -> None:
    """Equal scores by words are in the order of their coming."""
    edit(patch, sqlite, "_by_words", {"ORDER BY score DESC, id": "ORDER BY score DESC"})


@breaks.noticed_by("test_equal_scores_are_ordered_by_id")
def vectors_as_they_came(patch: pytest.MonkeyPatch) -> None:
    """Equal scores by vector are in the order of their coming."""
    edit(patch, SqliteSearch, "_by_vector", {"(-row[2], row[1])": "(-row[2], row[0])"})


@plain.noticed_by("test_equal_scores_are_ordered_by_id")
def cut_among_equals(patch: pytest.MonkeyPatch) -> None:
    """Of equally near vectors, those that came first are kept."""
    edit(
        patch,
        _vectors.PlainSpace,
        "nearest",
        {"[each for each in scored if each[0] >= last]": "sorted(scored, key=lambda each: -each[0])[:most]"},
    )


@breaks.noticed_by("test_filters_keep_types")
def any_filter_will_do(patch: pytest.MonkeyPatch) -> None:
    """A document passes when one of the filters lets it."""
    edit(patch, sqlite, "_condition", {'" AND "': '" OR "'})


@breaks.noticed_by("test_filters_keep_types")
def true_is_one(patch: pytest.MonkeyPatch) -> None:
    """A filter takes True for 1."""
    edit(patch, _rows, "fact", {'f"b{value:d}"': 'f"n{value:d}"'})


@breaks.noticed_by("test_filters_keep_types")
def whole_floats_apart(patch: pytest.MonkeyPatch) -> None:
    """A filter tells 1.0 from 1."""
    edit(patch, _rows, "fact", {'f"n{int(value)}" if value.is_integer() else ': ""})


@breaks.noticed_by("test_filters_keep_types")
def missing_keys_pass(patch: pytest.MonkeyPatch) -> None:
    """A document that lacks a filter's key passes it."""
    edit(
        patch, sqlite, "_condition",
        {'"+number IN (': '"+number NOT IN (', "AND value IN": "AND value NOT IN"},
    )  # fmt: skip


@breaks.noticed_by("test_a_filter_does_not_eat_the_limit")
def limit_before_the_filter(patch: pytest.MonkeyPatch) -> None:
    """The limit counts what a filter then throws away."""
    edit(
        patch, SqliteSearch, "_by_vector",
        {"depth, allowed)": "depth, None)", SCORED: f"{SCORED} if allowed is None or number in allowed"},
    )  # fmt: skip


@breaks.noticed_by("test_metadata_come_back_as_they_were")
def metadata_as_text(patch: pytest.MonkeyPatch) -> None:
    """All values of the metadata come back as text."""
    edit(patch, SqliteSearch, "_find", {"json.loads(texts[number][1])": "json.loads(texts[number][1], parse_int=str)"})


@breaks.noticed_by("test_any_changes_leave_what_was_indexed_last")
def empty_texts_are_no_documents(patch: pytest.MonkeyPatch) -> None:
    """A document without words is not kept."""
    edit(
        patch,
        sqlite,
        "_store",
        {"numbered = list(enumerate(rows,": "numbered = list(enumerate([r for r in rows if r.text],"},
    )


@breaks.noticed_by("test_many_documents_at_once")
def at_most_hundred(patch: pytest.MonkeyPatch) -> None:
    """No search gives more than 100 hits."""
    edit(patch, SqliteSearch, "_find", {"min(query.limit, _MOST_ROWS)": "min(query.limit, 100)"})


@breaks.noticed_by("test_documents_of_a_call_come_together")
def a_transaction_each(patch: pytest.MonkeyPatch) -> None:
    """Documents are checked together, and stored one after the other."""

    @around(patch, SqliteSearch, "index")
    async def index(whole: Any, self: SqliteSearch, documents: Sequence[Document]) -> int:
        _rows.check_documents(documents)
        return sum([await whole(self, [each]) for each in documents])


@breaks.noticed_by("test_a_cancelled_call_happened_or_did_not")
def half_removed(patch: pytest.MonkeyPatch) -> None:
    """Documents are removed one after the other."""

    @around(patch, SqliteSearch, "remove")
    async def remove(whole: Any, self: SqliteSearch, ids: Sequence[str]) -> int:
        return sum([await whole(self, [each]) for each in ids])


@breaks.noticed_by("test_of_one_id_at_once_one_document_is_left")
def looked_up_before_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """What has to be replaced is removed in a transaction of its own."""
    edit(patch, sqlite, "_store", {"_remove(connection, [row.id for row in rows])": "pass"})

    @around(patch, SqliteSearch, "index")
    async def index(whole: Any, self: SqliteSearch, documents: Sequence[Document]) -> Any:
        await self.remove([each.id for each in documents])
        return await whole(self, documents)


breaks.noticed_by("test_a_cancelled_call_takes_no_other_with_it")(cancelled_together)


@breaks.noticed_by("test_what_was_indexed_is_there_after_a_restart")
def vectors_in_memory_only(patch: pytest.MonkeyPatch) -> None:
    """Vectors go with the index that was given them."""

    @around(patch, SqliteSearch, "__aexit__")
    async def leave(whole: Any, self: SqliteSearch, *exc_info: object) -> None:
        if self._database is not None:
            await self._database.write(lambda connection: connection.execute("DELETE FROM vectors").rowcount)
        await whole(self, *exc_info)


@breaks.noticed_by("test_what_was_acknowledged_survives_a_hard_end")
def written_when_closed(patch: pytest.MonkeyPatch) -> None:
    """What was indexed is put in its place when the index is closed."""

    @around(patch, SqliteSearch, "__init__")
    def init(whole: Any, self: SqliteSearch, config: SqliteSearchConfig) -> None:
        whole(self, evolve(config, path=str(Path(config.path).parent / "work" / "search.db")))

    @around(patch, SqliteSearch, "__aexit__")
    async def leave(whole: Any, self: SqliteSearch, *exc_info: object) -> None:
        await whole(self, *exc_info)
        Path(self._path).rename(Path(self._path).parents[1] / "search.db")


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def held_loop(patch: pytest.MonkeyPatch) -> None:
    """Documents are prepared on the event loop, which takes a while."""

    @around(patch, SqliteSearch, "index")
    async def index(whole: Any, self: SqliteSearch, documents: Sequence[Document]) -> Any:
        time.sleep(0.3)
        return await whole(self, documents)
