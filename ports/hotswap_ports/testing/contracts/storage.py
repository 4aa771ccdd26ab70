"""``StorageContract``: what every adapter of the port ``storage`` must do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import Conflict, InvalidContent, InvalidRequest, TooLarge
from hotswap_ports.storage import MAX_KEY_BYTES, Storage, StorageFeatures
from hotswap_ports.testing.contracts.storage_over_time import Reopen, StorageOverTime

__all__ = ["Reopen", "StorageContract"]

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


class StorageContract(StorageOverTime):
    """Tests over a fixture ``storage``: an open, empty storage. Inherit, supply the fixture, done.

    Where ``features.durable``, override the fixtures ``reopen`` and ``revive`` too.
    """

    async def test_features_are_declared(self, storage: Storage) -> None:
        """``features`` is a StorageFeatures."""
        assert isinstance(storage.features, StorageFeatures)

    async def test_what_was_put_comes_back(self, storage: Storage) -> None:
        """Bytes come back as they were, and as bytes: none at all, zeros, all 256 values, a few MiB."""
        most = storage.features.max_value_bytes
        large = 3_000_000 if most is None else min(most, 3_000_000)
        for value in (b"", b"\0", bytes(range(256)) * 300, (bytes(range(251)) * 12_000)[:large]):
            version = await storage.put("key", value)
            stored = await storage.read("key")
            assert stored is not None
            assert (stored.key, stored.value, stored.version) == ("key", value, version)
            assert type(stored.value) is bytes
            assert await storage.get("key") == value
            assert await storage.exists("key")

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
        """``modified`` is aware, UTC, near to now, and moves on when the key is put again."""
        await storage.put("key", b"value")
        first = await storage.read("key")
        assert first is not None
        assert first.modified.utcoffset() == timedelta(0)
        assert abs(first.modified - datetime.now(UTC)) < timedelta(minutes=5)
        moved, until = first.modified, monotonic() + 2  # a clock may count whole seconds
        while moved == first.modified and monotonic() < until:
            await storage.put("key", b"value")
            again = await storage.read("key")
            assert again is not None
            moved = again.modified
        assert moved > first.modified

    async def test_reading_changes_nothing(self, storage: Storage) -> None:
        """Value, version and time are those of the last put, however often and however they are asked for."""
        await storage.put_json("key", 1)
        before = await storage.read("key")
        for call in (storage.get, storage.get_json, storage.exists, storage.list, storage.read):
            await call("key")
            await call("missing")
        assert await storage.read("key") == before
        assert (await storage.list()).keys == ("key",)

    async def test_a_change_leaves_other_keys_alone(self, storage: Storage) -> None:
        """What is put or deleted under one key changes nothing under those that begin or end like it."""
        others = ("a/b", "a/", "ab", "A", "b/a", "a ", " a")
        for key in ("a", *others):
            await storage.put(key, key.encode())
        before = [await storage.read(each) for each in others]
        await storage.put("a", b"new")
        assert await storage.delete("a") is True
        await storage.put("a", b"", expect=0)
        await storage.delete("a")
        assert [await storage.read(each) for each in others] == before
        assert (await storage.list()).keys == tuple(sorted(others))

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
        for key, expect, actual in (("key", version + 1, version), ("key", 0, version), ("other", version, 0)):
            with pytest.raises(Conflict) as conflict:
                await storage.delete(key, expect=expect)
            assert (conflict.value.key, conflict.value.expected, conflict.value.actual) == (key, expect, actual)
        assert await storage.get("key") == b"1"
        assert await storage.delete("other", expect=0) is False
        assert await storage.delete("key", expect=version) is True

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
        for limit in (1, 5, 6, 12, 100, 2**63):
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
            found = {each: await storage.read(prefix + each) for each in KEYS}
            assert {k: (v.value, v.version) for k, v in found.items() if v is not None} == model
