"""``SearchOverTime``: the part of the contract about calls at the same time, cancelled calls, and the next process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from hotswap_ports.search import Document, Search, SearchQuery
from hotswap_ports.testing.contracts.conduct import STEPS, ended_before, leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.testing.contracts.search_examples import CAFE, HERON, TRAIN, ids, need, vector

Reopen = Callable[[Search], AbstractAsyncContextManager[Search]]


class SearchOverTime:
    """Inherited by ``SearchContract``."""

    pytestmark: ClassVar[object] = pytest.mark.anyio

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes an index and opens another over the same data; None: skip that."""
        return None

    @pytest.fixture
    def revive(self) -> Reopen | None:
        """Return a function that opens another index over what a killed process would leave of it; None: skip that.

        The index it is given stays open: a copy of its files as they are at that moment will do.
        """
        return None

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

    async def test_of_one_id_at_once_one_document_is_left(self, search: Search) -> None:
        """Calls at the same time that index the same id leave one of their documents, and no word of the others."""
        need(search, "lexical")
        words = ("heron", "egret", "bittern", "stork")
        assert await asyncio.gather(*(search.index([Document("a", each)]) for each in words)) == [1] * 4
        assert await search.count() == 1
        found = [await search.search(SearchQuery(each)) for each in words]
        assert sum(ids(each) == ["a"] for each in found) == 1

    async def test_documents_of_a_call_come_together(self, search: Search) -> None:
        """While a call indexes, others see all of its documents or none."""
        documents = [Document(f"{number}", f"heron {number}", vector(1, number)) for number in range(50)]
        for _ in range(3):
            indexing = asyncio.ensure_future(search.index(documents))
            seen = set()
            while not indexing.done():
                seen.add(await search.count())
                await asyncio.sleep(0)
            assert await indexing == await search.count() == 50
            assert seen <= {0, 50}
            assert await search.remove([each.id for each in documents]) == 50

    async def test_a_cancelled_call_happened_or_did_not(self, search: Search) -> None:
        """Cancelled at any point, all documents of a call are indexed or removed, or none, and the index works."""
        documents = [Document(f"{number}", f"heron {number}", vector(1, number)) for number in range(20)]
        names = [each.id for each in documents]

        async def ended(steps: int, call: Callable[[], Awaitable[int]]) -> bool:
            whether = await ended_before(steps, call)
            await search.index([Document("beside", CAFE)])  # what was begun has had its time
            assert await search.count() in (1, 21)
            for mode in search.features.modes:
                found = await search.search(SearchQuery("heron", vector(1, 0), mode, limit=100))
                assert set(ids(found)) in (set(), set(names))
            return whether

        for steps in STEPS:
            both = await ended(steps, lambda: search.index(documents))
            assert await search.index(documents) == 20
            both &= await ended(steps, lambda: search.remove(names))
            await search.remove(names)
            if both:
                break

    async def test_a_cancelled_call_takes_no_other_with_it(self, search: Search) -> None:
        """Of calls at the same time half are cancelled: the others do what they do, and return what they return."""
        await search.index([Document("a", TRAIN, vector(1, 0))])
        queries = [SearchQuery("train", vector(1, 0), mode) for mode in sorted(search.features.modes)]
        for steps in range(4):
            added = [Document(f"{number}", HERON) for number in range(12)]
            indexing = [asyncio.ensure_future(search.index([each])) for each in added]
            asking = [asyncio.ensure_future(search.search(queries[n % len(queries)])) for n in range(12)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for each in (*indexing[::2], *asking[:6]):
                each.cancel()
            indexed = await asyncio.gather(*indexing, return_exceptions=True)
            found = await asyncio.gather(*asking, return_exceptions=True)
            assert indexed[1::2] == [1] * 6
            assert [ids(each) for each in found[6:]] == [["a"]] * 6
            assert await search.remove([each.id for each in added[1::2]]) == 6
            await search.remove([each.id for each in added])

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

    async def test_what_was_acknowledged_survives_a_hard_end(self, search: Search, revive: Reopen | None) -> None:
        """Without a close, another index over the same data finds what was indexed, and not what was removed."""
        if not search.features.durable:
            pytest.skip("the index is not durable")
        if revive is None:
            pytest.skip("the fixture revive is not there")
        await search.index([Document(each, f"{HERON} {each}", vector(1, 0), {"id": each}) for each in "abc"])
        await search.remove(["b"])
        queries = [SearchQuery("heron", vector(1, 0), mode) for mode in sorted(search.features.modes)]
        before = [await search.search(each) for each in queries]
        async with revive(search) as again:
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
