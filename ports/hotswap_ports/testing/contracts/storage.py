"""``StorageContract``: what every adapter of the port ``storage`` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import Conflict, InvalidContent, InvalidRequest, TooLarge
from hotswap_ports.storage import MAX_KEY_BYTES, Storage, StorageFeatures
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free

Reopen = Callable[[Storage], AbstractAsyncContextManager[Storage]]

KEYS = ("a", "a/b", "b", "é")
STEPS = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(("put", "put", "delete", "read", "list")),
        strategies.sampled_from(KEYS),
        strategies.binary(max_size=20),
        strategies.sampled_from(("any", "right", "wrong", "none")),
    ),
    max_size=25,
)
"""What to do, with which key and value, and which version is expected."""
_runs = count()


class StorageContract:
    """Tests over a fixture ``storage``: an open, empty storage. Inherit, supply the fixture, done.

    Where ``features.durable``, override the fixture ``reopen`` too.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes a storage and opens another over the same data; None: skip that."""
        return None

    async def test_features_are_declared(self, storage: Storage) -> None:
        """``features`` is a StorageFeatures."""
        assert isinstance(storage.features, StorageFeatures)

    async def test_what_was_put_comes_back(self, storage: Storage) -> None:
        """Bytes come back as they were: empty ones, zeros, all 256 values."""
        for value in (b"", b"\0", bytes(range(256)) * 300):
            version = await storage.put("key", value)
            stored = await storage.read("key")
            assert stored is not None
            assert (stored.key, stored.value, stored.version) == ("key", value, version)
            assert await storage.get("key") == value

    async def test_what_is_missing_is_none(self, storage: Storage) -> None:
        """A key that is not there reads as None, does not exist, and is not deleted."""
        assert await storage.read("key") is None
        assert await storage.get("key") is None
        assert await storage.get_json("key") is None
        assert not await storage.exists("key")
        assert await storage.delete("key") is False

    async def test_a_deleted_key_is_gone(self, storage: Storage) -> None:
        """After a delete nothing is left, and deleting again says so."""
        await storage.put("key", b"value")
        assert await storage.exists("key")
        assert await storage.delete("key") is True
        assert not await storage.exists("key")
        assert (await storage.list()).keys == ()
        assert await storage.delete("key") is False

    async def test_a_version_is_never_used_twice(self, storage: Storage) -> None:
        """Versions grow with every put of a key, also over a delete."""
        versions = []
        for _ in range(3):
            versions.append(await storage.put("key", b"same"))
            versions.append(await storage.put("key", b"same"))
            await storage.delete("key")
        assert versions[0] > 0
        assert versions == sorted(set(versions))

    async def test_modified_is_the_time_of_the_put(self, storage: Storage) -> None:
        """``modified`` is aware, UTC, and near to now."""
        await storage.put("key", b"value")
        stored = await storage.read("key")
        assert stored is not None
        assert stored.modified.utcoffset() == timedelta(0)
        assert abs(stored.modified - datetime.now(UTC)) < timedelta(minutes=5)

    async def test_a_put_may_expect_a_version(self, storage: Storage) -> None:
        """0 expects no key; a version expects itself; anything else is a Conflict that stores nothing."""
        first = await storage.put("key", b"1", expect=0)
        with pytest.raises(Conflict) as conflict:
            await storage.put("key", b"2", expect=0)
        assert (conflict.value.key, conflict.value.expected, conflict.value.actual) == ("key", 0, first)
        second = await storage.put("key", b"2", expect=first)
        with pytest.raises(Conflict):
            await storage.put("key", b"3", expect=first)
        with pytest.raises(Conflict):
            await storage.put("other", b"3", expect=second)
        assert await storage.get("key") == b"2"
        assert not await storage.exists("other")

    async def test_a_delete_may_expect_a_version(self, storage: Storage) -> None:
        """A delete with the wrong version is a Conflict and removes nothing; 0 expects no key."""
        version = await storage.put("key", b"1")
        with pytest.raises(Conflict):
            await storage.delete("key", expect=version + 1)
        with pytest.raises(Conflict):
            await storage.delete("key", expect=0)
        with pytest.raises(Conflict):
            await storage.delete("other", expect=version)
        assert await storage.delete("other", expect=0) is False
        assert await storage.delete("key", expect=version) is True

    async def test_of_many_at_once_one_wins(self, storage: Storage) -> None:
        """Of 20 puts that expect the same version, one succeeds; counting that way loses nothing."""
        outcomes = await asyncio.gather(
            *(storage.put("key", b"%d" % number, expect=0) for number in range(20)), return_exceptions=True
        )
        assert sum(isinstance(each, int) for each in outcomes) == 1
        assert sum(isinstance(each, Conflict) for each in outcomes) == 19
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

    async def test_keys_are_any_text(self, storage: Storage) -> None:
        """Spaces, dots, slashes, percent signs, accents, emoji and MAX_KEY_BYTES are fine, and stay apart."""
        keys = ["a b", "../a", "/", "a/b", "a\\b", "a%", "a_", "A", "é", "e\u0301", "🦩", "\n", "'", '"', "*", "?", "["]
        keys.append("x" * MAX_KEY_BYTES)
        for number, key in enumerate(keys):
            await storage.put(key, b"%d" % number)
        assert [await storage.get(key) for key in keys] == [b"%d" % number for number in range(len(keys))]
        assert (await storage.list()).keys == tuple(sorted(keys))

    @pytest.mark.parametrize("key", ["", "a\0b", "\ud800", "x" * (MAX_KEY_BYTES + 1), "é" * (MAX_KEY_BYTES // 2 + 1)])
    async def test_a_bad_key_is_an_invalid_request(self, storage: Storage, key: str) -> None:
        """Every method refuses a key that no storage has to hold."""
        for call in (storage.read, storage.get, storage.exists, storage.delete, storage.get_json):
            with pytest.raises(InvalidRequest):
                await call(key)
        with pytest.raises(InvalidRequest):
            await storage.put(key, b"")
        with pytest.raises(InvalidRequest):
            await storage.put_json(key, 1)

    async def test_a_value_that_is_no_bytes_is_an_invalid_request(self, storage: Storage) -> None:
        """Text is not encoded on the quiet."""
        bad: Any = "text"
        with pytest.raises(InvalidRequest):
            await storage.put("key", bad)

    async def test_a_value_is_a_copy(self, storage: Storage) -> None:
        """What the caller does to its buffer after a put changes nothing."""
        buffer = bytearray(b"before")
        await storage.put("key", buffer)  # type: ignore[arg-type]  # what callers do, whatever the annotation says
        buffer[:] = b"after!"
        assert await storage.get("key") == b"before"

    async def test_a_value_over_the_limit_is_too_large(self, storage: Storage) -> None:
        """What is larger than ``features.max_value_bytes`` is refused, and what was there stays."""
        most = storage.features.max_value_bytes
        if most is None or most > 16 * 1024 * 1024:
            pytest.skip("the storage has no limit, or one too high to try")
        await storage.put("key", b"x" * most)
        with pytest.raises(TooLarge) as refusal:
            await storage.put("key", b"y" * (most + 1))
        assert refusal.value.limit == most
        assert await storage.get("key") == b"x" * most

    async def test_list_sorts_by_code_points(self, storage: Storage) -> None:
        """Upper before lower case, accents after ASCII, astral characters after the private use area."""
        keys = ["b", "a", "B", "é", "z", "\uffff", "\U0001f9a9", "aa", "a/b", "a b", "10", "9", "\ue000"]
        for key in keys:
            await storage.put(key, b"")
        assert (await storage.list()).keys == tuple(sorted(keys))

    async def test_list_takes_a_prefix(self, storage: Storage) -> None:
        """A prefix is plain text: no wildcards, no folding of case, no folders."""
        keys = [
            "a",
            "a%",
            "a%b",
            "a_b",
            "ab",
            "a*b",
            "aB",
            "A",
            "b",
            "a\U0010ffff",
            "a\U0010ffff!",
            "a\ud7ff",
            "a\ue000",
        ]
        for key in keys:
            await storage.put(key, b"")
        for prefix in ("", "a", "a%", "a_", "a*", "A", "c", "a\U0010ffff", "a\ud7ff", "\U0010ffff", "a\0", "a" * 2000):
            found = await storage.list(prefix)
            assert found.keys == tuple(sorted(each for each in keys if each.startswith(prefix)))
            assert found.next is None

    async def test_list_comes_in_pages(self, storage: Storage) -> None:
        """Pages of any size give every key once; the last says that it is the last, also when it is full."""
        keys = [f"k/{number:02}" for number in range(12)]
        for key in [*keys, "j", "l"]:
            await storage.put(key, b"")
        for limit in (1, 5, 6, 12, 100):
            found: list[str] = []
            after: str | None = None
            pages = 0
            while pages <= len(keys):
                pages += 1
                page = await storage.list("k/", limit=limit, after=after)
                assert len(page.keys) <= limit
                found.extend(page.keys)
                if page.next is None:
                    break
                assert page.next == page.keys[-1]
                after = page.next
            assert found == keys
            assert pages == -(-len(keys) // limit)
        assert (await storage.list("k/", after="k/055")).keys == tuple(keys[6:])
        assert (await storage.list("k/", after="z")).keys == ()
        assert (await storage.list("k/", after="")).keys == tuple(keys)

    async def test_a_bad_page_is_an_invalid_request(self, storage: Storage) -> None:
        """``limit`` must be at least 1, and texts must be Unicode."""
        with pytest.raises(InvalidRequest):
            await storage.list(limit=0)
        with pytest.raises(InvalidRequest):
            await storage.list("\ud800")
        with pytest.raises(InvalidRequest):
            await storage.list(after="\ud800")

    async def test_json_comes_back(self, storage: Storage) -> None:
        """JSON is stored compact, in UTF-8, with sorted keys, and comes back equal."""
        value = {"b": [1, 2.5, None, True], "a": "é🦩"}
        version = await storage.put_json("key", value)
        assert await storage.get("key") == '{"a":"é🦩","b":[1,2.5,null,true]}'.encode()
        assert await storage.get_json("key") == value
        with pytest.raises(Conflict):
            await storage.put_json("key", 1, expect=version + 1)
        assert await storage.put_json("key", 1, expect=version) > version

    async def test_what_has_no_json_form_is_an_invalid_request(self, storage: Storage) -> None:
        """NaN, objects and unpaired surrogates are refused before anything is stored."""
        for value in (float("nan"), object(), {1, 2}, "\ud800"):
            with pytest.raises(InvalidRequest):
                await storage.put_json("key", value)
        assert not await storage.exists("key")

    async def test_bytes_that_are_no_json_are_invalid_content(self, storage: Storage) -> None:
        """``get_json`` of something else says so, and names the key."""
        await storage.put("key", b"\xff{")
        with pytest.raises(InvalidContent, match="key"):
            await storage.get_json("key")

    async def test_a_cancelled_put_happened_or_did_not(self, storage: Storage) -> None:
        """Cancelled at any point, a put leaves the old value or the new one, and a storage that works."""
        await storage.put("key", b"old")
        for steps in range(6):
            task = asyncio.ensure_future(storage.put("key", b"new" * 1000))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await storage.get("key") in (b"old", b"new" * 1000)
        await storage.put("key", b"last")
        assert await storage.get("key") == b"last"

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=STEPS)
    async def test_any_calls_in_any_order_do_what_a_dict_would(
        self, storage: Storage, steps: list[tuple[str, str, bytes, str]]
    ) -> None:
        """After each step, and whatever it was, keys, values and versions are those of a model."""
        prefix, model, newest = f"run {next(_runs)}/", dict[str, tuple[bytes, int]](), 0
        for what, name, value, wish in steps:
            key, version = prefix + name, model.get(name, (b"", 0))[1]
            expect = {"any": None, "right": version, "wrong": newest + 1, "none": 0}[wish]
            refused = expect not in (None, version)
            if what in ("put", "delete") and refused:
                with pytest.raises(Conflict):
                    await (
                        storage.put(key, value, expect=expect) if what == "put" else storage.delete(key, expect=expect)
                    )
            elif what == "put":
                model[name] = value, await storage.put(key, value, expect=expect)
                assert model[name][1] > version
                newest = max(newest, model[name][1])
            elif what == "delete":
                assert await storage.delete(key, expect=expect) is (model.pop(name, None) is not None)
            elif what == "list":
                wanted = sorted(prefix + each for each in model if each.startswith(name))
                assert (await storage.list(key)).keys == tuple(wanted)
            stored = await storage.read(key)
            assert (None if stored is None else (stored.value, stored.version)) == model.get(name)

    async def test_what_was_stored_is_there_after_a_restart(self, storage: Storage, reopen: Reopen | None) -> None:
        """A durable storage that is closed and opened again has every value, with its version, and counts on."""
        if not storage.features.durable:
            pytest.skip("the storage is not durable")
        if reopen is None:
            pytest.skip("the fixture reopen is not there")
        versions = [await storage.put(f"key {number}", bytes([number])) for number in range(20)]
        await storage.delete("key 3")
        async with reopen(storage) as again:
            found = [await again.read(f"key {number}") for number in range(20)]
            assert [each.version for each in found if each is not None] == [*versions[:3], *versions[4:]]
            assert found[3] is None
            assert [each.value for each in found if each is not None] == [bytes([n]) for n in range(20) if n != 3]
            assert await again.put("key 3", b"") > max(versions)

    async def test_it_behaves_as_a_guest_should(self, storage: Storage) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await storage.put("key", bytes(100_000 if storage.features.max_value_bytes is None else 100))
            await storage.read("key")
            await storage.list("k")
            await storage.delete("key")

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
