"""SQLite search on real files: reopened, shared, full, damaged, and with vectors held in memory."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotswap_adapters.search._vectors import ArraySpace, PlainSpace, VectorCache
from hotswap_adapters.search._words import MAX_QUERY_WORDS, beginning, match_expression
from hotswap_adapters.search.sqlite import SCHEMA, SqliteSearch, SqliteSearchConfig
from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_ports import (
    Document,
    InvalidContent,
    InvalidRequest,
    NotWritable,
    SearchQuery,
    SearchResult,
    Unavailable,
    Vector,
)
from tests.small_disk import mounted


def search_at(path: Path) -> SqliteSearch:
    return SqliteSearch(SqliteSearchConfig(path=str(path)))


def vector(*values: float) -> Vector:
    return Vector.of(values, "m")


def ids(result: SearchResult) -> list[str]:
    return [each.id for each in result.hits]


async def test_an_index_outlives_its_process(tmp_path: Path) -> None:
    """What was indexed is found by words, vectors and filters after the file was closed and opened again."""
    search = search_at(tmp_path / "search.db")
    with pytest.raises(Unavailable, match="not open"):
        await search.count()
    async with search:
        await search.index([Document("a", "The heron waits.", vector(1, 0), {"n": 1}), Document("b", "A train.")])
        with pytest.raises(RuntimeError, match="open already"):
            await search.__aenter__()
    async with search, search_at(tmp_path / "search.db") as again:
        for each in (search, again):
            assert await each.count() == 2
            assert ids(await each.search(SearchQuery("heron", vector(1, 0), filters={"n": 1}))) == ["a"]
    assert [each.name for each in tmp_path.iterdir()] == ["search.db"]


async def test_two_generations_see_each_others_changes(tmp_path: Path) -> None:
    """What one adds, replaces or removes, the other finds or misses at once, though it holds vectors in memory."""
    path = tmp_path / "search.db"
    query = SearchQuery(vector=vector(1, 0))
    async with search_at(path) as one, search_at(path) as two:
        assert ids(await two.search(query)) == []
        await one.index([Document("a", "x", vector(1, 0)), Document("b", "x", vector(1, 1))])
        assert ids(await two.search(query)) == ["a", "b"]
        await one.index([Document("c", "x", vector(2, 1))])
        assert ids(await two.search(query)) == ["a", "c", "b"]
        await two.index([Document("a", "x", vector(-1, 0))])
        assert ids(await one.search(query)) == ids(await two.search(query)) == ["c", "b", "a"]
        await one.remove(["c"])
        assert ids(await two.search(query)) == ["b", "a"]
        await two.remove(["a", "b"])
        assert ids(await one.search(query)) == []
        await one.index([Document("d", "no vector")])
        assert ids(await two.search(query)) == []


async def test_readers_and_a_writer_at_once(tmp_path: Path) -> None:
    """While documents come and go, every search answers from one state: never a hit that is half gone."""
    async with search_at(tmp_path / "search.db") as search:
        await search.index([Document(f"{n}", "heron", vector(1, n)) for n in range(50)])

        async def write() -> None:
            for turn in range(30):
                await search.index([Document(f"{n}", "heron", vector(1, n + turn)) for n in range(turn, turn + 10)])
                await search.remove([f"{turn}"])

        async def look() -> None:
            for _ in range(30):
                result = await search.search(SearchQuery("heron", vector(1, 0), limit=100))
                assert len(result.hits) >= 19
                assert all(each.text == "heron" and each.vector_rank and each.lexical_rank for each in result.hits)

        await asyncio.gather(write(), look(), look(), look())


def test_a_reader_of_an_older_snapshot_sees_no_newer_vectors() -> None:
    """The cache serves a snapshot by the numbers and removals that it has, and keeps the newest."""

    def state(removals: int, rows: list[tuple[int, bytes]]) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        for statement in SCHEMA.statements:
            connection.execute(statement)
        connection.execute("UPDATE state SET removals = ?", (removals,))
        for number, data in rows:
            connection.execute("INSERT INTO documents VALUES (?, ?, '', '{}')", (number, str(number)))
            connection.execute("INSERT INTO vectors VALUES (?, 'm', ?)", (number, data))
        return connection

    x, y = vector(1, 0).data, vector(0, 1).data
    cache, query = VectorCache(), vector(1, 0)
    old, new, newest = state(0, [(1, x)]), state(0, [(1, x), (2, y)]), state(1, [(2, y), (3, x)])
    try:
        for connection, wanted in ((new, [1, 2]), (old, [1]), (newest, [2, 3]), (new, [1, 2]), (newest, [2, 3])):
            found = cache.nearest(connection, query, 10, None)
            assert sorted(number for _, number in found) == wanted
    finally:
        for connection in (old, new, newest):
            connection.close()


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=40),
    most=st.integers(1, 10),
    upto=st.integers(0, 45),
    allowed=st.none() | st.sets(st.integers(1, 45)),
)
@settings(max_examples=200, deadline=None)
def test_numpy_and_plain_python_agree(
    rows: list[tuple[int, int]], most: int, upto: int, allowed: set[int] | None
) -> None:
    """Both keep the same best, ties with the last one included, and score them alike."""
    data = [(number, vector(*row).data) for number, row in enumerate(rows, 1)]
    half = len(data) // 2
    query = vector(2, 1)
    best = []
    for empty in (PlainSpace(), ArraySpace.empty(2)):
        space = empty.extended(data[:half]).extended(data[half:])
        found = sorted(space.nearest(query, most, upto, allowed), key=lambda each: (-each[0], each[1]))
        last = found[most - 1][0] if len(found) >= most else -2
        best.append([each for each in found if each[0] >= last])
    assert best[0] == best[1]
    assert len(best[0]) >= min(most, sum(n <= upto and (allowed is None or n in allowed) for n, _ in data))


@given(st.text(max_size=80))
@settings(max_examples=500, deadline=None)
@example('" OR "a')
@example("\ud800\0\u0301 ' \" ( ) * ^ : { } + - NEAR AND OR NOT")
@example("a" * 100_000)
def test_no_text_is_an_expression_of_its_own(text: str) -> None:
    """Whatever is asked, FTS5 takes the expression, and it finds a document that is the text itself if it finds any."""
    match = match_expression(text)
    if match:
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute(SCHEMA.statements[1].replace("content = 'documents', content_rowid = 'number', ", ""))
            connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (match,)).fetchone()
        finally:
            connection.close()


def test_a_query_keeps_its_first_words() -> None:
    """Words are looked for once each, and no more than the bound."""
    assert match_expression("b a B c_d") == '"b" OR "a" OR "c" OR "d"'
    assert match_expression(" ".join(f"w{n}" for n in range(1000))).count(" OR ") == MAX_QUERY_WORDS - 1


def test_a_beginning_is_cut_between_words() -> None:
    """White space is folded, and … stands only where something was left out."""
    assert beginning(" one  two\nthree ", 2) == "one two…"
    assert beginning(" one  two\nthree ", 3) == "one two three"
    assert beginning("", 3) == ""


async def test_stems_are_found(tmp_path: Path) -> None:
    """English words match in their other forms, and a snippet shows the form that stands there."""
    async with search_at(tmp_path / "search.db") as search:
        await search.index([Document("a", "The connections were running.")])
        for text in ("connection", "connected", "runs"):
            (hit,) = (await search.search(SearchQuery(text))).hits
            assert hit.snippet == "The connections were running."


INDEX_FOREVER = """
import asyncio, sys
from hotswap_adapters.search.sqlite import SqliteSearch, SqliteSearchConfig
from hotswap_ports import Document, Vector
async def main():
    async with SqliteSearch(SqliteSearchConfig(path=sys.argv[1])) as search:
        turn = int(sys.argv[2])
        while True:
            text = f"heron turn{turn}"
            await search.index([Document(f"{n}", text, Vector.of((1, n), "m"), {"turn": turn}) for n in range(20)])
            print(turn, flush=True)
            turn += 1
asyncio.run(main())
"""


async def test_kill_9_leaves_all_of_an_index_call_or_nothing(tmp_path: Path) -> None:
    """Killed three times while it replaces 20 documents: they are all of one turn, acknowledged or the next one."""
    path = tmp_path / "search.db"
    chance = random.Random(20260102)
    turn = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", INDEX_FOREVER, str(path), str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 20)):
            turn = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        turn = int(rest[-1]) if rest else turn
        async with search_at(path) as search:
            result = await search.search(SearchQuery("heron", vector(1, 0), limit=100))
            assert len(result.hits) == await search.count() == 20
            (found,) = {each.metadata["turn"] for each in result.hits}
            assert found in (turn, turn + 1)
            assert {each.text for each in result.hits} == {f"heron turn{found}"}
            assert len((await search.search(SearchQuery(f"turn{found}", limit=100))).hits) == 20
            assert ids(await search.search(SearchQuery(f"turn{int(str(found)) - 1}"))) == []
            turn = int(str(found)) + 1
    connection = sqlite3.connect(path)
    try:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a disk of 2 MiB."""
    with mounted("2m") as folder:
        yield folder


async def test_a_full_disk_indexes_nothing(small_disk: Path) -> None:
    """What does not fit is NotWritable and not there in part; what was there is found."""
    async with search_at(small_disk / "search.db") as search:
        await search.index([Document("a", "heron", vector(1, 0))])
        many = [Document(f"{n}", f"train number {n} " * 50, vector(1, n)) for n in range(2000)]
        with pytest.raises(NotWritable, match="full"):
            await search.index(many)
        assert await search.count() == 1
        assert ids(await search.search(SearchQuery("train"))) == []
        assert ids(await search.search(SearchQuery("heron", vector(1, 0)))) == ["a"]
        await search.index([Document("b", "train")])
        assert ids(await search.search(SearchQuery("train"))) == ["b"]


async def test_a_bad_call_among_good_ones_undoes_itself_alone(tmp_path: Path) -> None:
    """Calls at the same time share a transaction; the one that is refused leaves no trace in any table."""
    path = tmp_path / "search.db"
    async with search_at(path) as search:
        calls = [[Document(f"{part}-{n}", f"heron {part}", vector(1, n)) for n in range(5)] for part in range(6)]
        calls[2].append(Document("2-0", "twice"))
        calls[4].append(Document("long", "number", None, {"n": 10**5000}))
        outcomes = await asyncio.gather(*(search.index(each) for each in calls), return_exceptions=True)
        assert [type(each) for each in outcomes] == [int, int, InvalidRequest, int, InvalidRequest, int]
        assert await search.count() == 20
        assert len((await search.search(SearchQuery("heron", vector(1, 0), limit=50))).hits) == 20
        assert ids(await search.search(SearchQuery("number twice"))) == []
    connection = sqlite3.connect(path)
    try:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    finally:
        connection.close()


async def test_a_storage_is_no_search_index(tmp_path: Path) -> None:
    """The two kinds of file are told apart, both ways."""
    async with SqliteStorage(SqliteStorageConfig(path=str(tmp_path / "data.db"))):
        pass
    with pytest.raises(InvalidContent, match="not a search of hotswap"):
        async with search_at(tmp_path / "data.db"):
            pass
    async with search_at(tmp_path / "search.db"):
        pass
    with pytest.raises(InvalidContent, match="not a storage of hotswap"):
        async with SqliteStorage(SqliteStorageConfig(path=str(tmp_path / "search.db"))):
            pass
