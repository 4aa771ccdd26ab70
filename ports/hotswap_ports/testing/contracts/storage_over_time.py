"""``StorageOverTime``: the part of the contract about calls at the same time, cancelled calls, and the next process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from hotswap_ports.errors import Conflict
from hotswap_ports.storage import Storage
from hotswap_ports.testing.contracts.conduct import STEPS, ended_before, leaves_nothing_behind, leaves_the_loop_free

Reopen = Callable[[Storage], AbstractAsyncContextManager[Storage]]


class StorageOverTime:
    """Inherited by ``StorageContract``."""

    pytestmark: ClassVar[object] = pytest.mark.anyio

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes a storage and opens another over the same data; None: skip that."""
        return None

    @pytest.fixture
    def revive(self) -> Reopen | None:
        """Return a function that opens another storage over what a killed process would leave of it; None: skip that.

        The storage it is given stays open: a copy of its files as they are at that moment will do.
        """
        return None

    async def test_of_many_at_once_one_wins(self, storage: Storage) -> None:
        """Of 20 puts that expect the same version, one succeeds, and what it put is there."""
        outcomes = await asyncio.gather(
            *(storage.put("key", b"%d" % number, expect=0) for number in range(20)), return_exceptions=True
        )
        assert sum(isinstance(each, int) for each in outcomes) == 1
        assert sum(isinstance(each, Conflict) for each in outcomes) == 19
        stored = await storage.read("key")
        assert stored is not None
        assert outcomes[int(stored.value)] == stored.version

    async def test_a_count_of_many_at_once_loses_nothing(self, storage: Storage) -> None:
        """Whoever reads, counts on and expects what was read may try again, and every count is kept."""
        await storage.put_json("count", 0)

        async def add_one() -> None:
            for _ in range(1000):
                stored = await storage.read("count")
                assert stored is not None
                try:
                    await storage.put("count", b"%d" % (int(stored.value) + 1), expect=stored.version)
                except Conflict:
                    continue
                return
            raise AssertionError("1,000 tries, and each met a conflict with what had just been read")

        await asyncio.gather(*(add_one() for _ in range(10)))
        assert await storage.get_json("count") == 10

    async def test_what_is_read_is_one_put(self, storage: Storage) -> None:
        """While puts go on, value and version that are read are always those of the same put."""
        put = {await storage.put("key", b"0"): b"0"}

        async def count_up() -> None:
            for number in range(1, 40):
                value = b"%d" % number * 100
                put[await storage.put("key", value)] = value

        counting = asyncio.ensure_future(count_up())
        found = set()
        while not counting.done():
            stored = await storage.read("key")
            assert stored is not None
            found.add((stored.version, stored.value))
            await asyncio.sleep(0)
        await counting
        assert found <= put.items()

    async def test_a_cancelled_put_happened_or_did_not(self, storage: Storage) -> None:
        """Cancelled at any point, a put leaves the old value or the new one, and a storage that works."""
        for steps in STEPS:
            await storage.put("key", b"old")
            ended = await ended_before(steps, lambda: storage.put("key", b"new" * 1000))
            await storage.put("beside", b"")  # what was begun has had its time
            assert await storage.get("key") in (b"old", b"new" * 1000)
            if ended:
                break
        await storage.put("key", b"last")
        assert await storage.get("key") == b"last"

    async def test_a_cancelled_call_takes_no_other_with_it(self, storage: Storage) -> None:
        """Of calls at the same time half are cancelled: the others do what they do, and return what they return."""
        await storage.put("key", b"value")
        for steps in range(4):
            puts = [asyncio.ensure_future(storage.put(f"{steps}/{number}", b"%d" % number)) for number in range(12)]
            reads = [asyncio.ensure_future(storage.get("key")) for _ in range(12)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for each in (*puts[::2], *reads[::2]):
                each.cancel()
            versions = await asyncio.gather(*puts, return_exceptions=True)
            values = await asyncio.gather(*reads, return_exceptions=True)
            assert values[1::2] == [b"value"] * 6
            for number in range(1, 12, 2):
                stored = await storage.read(f"{steps}/{number}")
                assert stored is not None
                assert (stored.value, stored.version) == (b"%d" % number, versions[number])

    async def test_a_cancelled_delete_happened_or_did_not(self, storage: Storage) -> None:
        """Cancelled at any point, a delete leaves the whole value or nothing."""
        for steps in STEPS:
            version = await storage.put("key", b"value")
            ended = await ended_before(steps, lambda: storage.delete("key"))
            await storage.put("beside", b"")  # what was begun has had its time
            stored = await storage.read("key")
            assert stored is None or (stored.value, stored.version) == (b"value", version)
            assert (await storage.list("key")).keys == (() if stored is None else ("key",))
            if ended:
                break

    async def test_what_was_stored_is_there_after_a_restart(self, storage: Storage, reopen: Reopen | None) -> None:
        """A durable storage that is closed and opened again has every value, with its version, and counts on."""
        if not storage.features.durable:
            pytest.skip("the storage is not durable")
        if reopen is None:
            pytest.skip("the fixture reopen is not there")
        versions = [await storage.put(f"key {number}", bytes([number])) for number in range(20)]
        await storage.delete("key 3")
        before = [await storage.read(f"key {number}") for number in range(20)]
        async with reopen(storage) as again:
            found = [await again.read(f"key {number}") for number in range(20)]
            assert found == before
            assert [each.version for each in found if each is not None] == [*versions[:3], *versions[4:]]
            assert found[3] is None
            assert [each.value for each in found if each is not None] == [bytes([n]) for n in range(20) if n != 3]
            assert await again.put("key 3", b"") > max(versions)

    async def test_what_was_acknowledged_survives_a_hard_end(self, storage: Storage, revive: Reopen | None) -> None:
        """Without a close, another storage over the same data has what was put, and not what was deleted."""
        if not storage.features.durable:
            pytest.skip("the storage is not durable")
        if revive is None:
            pytest.skip("the fixture revive is not there")
        for number in range(20):
            await storage.put(f"key {number}", bytes([number]))
        await storage.delete("key 3")
        before = [await storage.read(f"key {number}") for number in range(20)]
        async with revive(storage) as again:
            assert [await again.read(f"key {number}") for number in range(20)] == before

    async def test_it_behaves_as_a_guest_should(self, storage: Storage) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await storage.put("key", bytes(100_000 if storage.features.max_value_bytes is None else 100))
            await storage.read("key")
            await storage.list("k")
            await storage.delete("key")

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
