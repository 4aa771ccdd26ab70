"""A plugin's storage is confined to its own keys, and otherwise a storage like any other."""

from __future__ import annotations

import pytest

from hotswap.scoped_storage import ScopedStorage
from hotswap_ports.errors import Conflict, InvalidContent, InvalidRequest, PortError, TooLarge
from hotswap_ports.storage import MAX_KEY_BYTES, KeyPage, Storage
from hotswap_ports.testing import MemoryStorage, StorageContract

PREFIX = "plugins/news/"


@pytest.fixture
def behind() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def storage(behind: MemoryStorage) -> ScopedStorage:
    return ScopedStorage("news", lambda: behind)


class TestContract(StorageContract):
    """It keeps the contract, but for keys that the prefix makes too long."""

    @pytest.fixture
    def storage(self) -> ScopedStorage:
        behind = MemoryStorage()
        return ScopedStorage("news", lambda: behind)

    async def test_keys_are_any_text(self, storage: Storage) -> None:
        """Keys of any text are tried below: here the longest one is shorter than the contract's."""


async def test_every_operation_stays_below_the_prefix(storage: ScopedStorage, behind: MemoryStorage) -> None:
    """What a plugin stores lies below plugins/<id>/, and what lies elsewhere it can neither see nor change."""
    await behind.put("plugins/other/a", b"theirs")
    await behind.put("a", b"top")
    await behind.put("plugins/newsletter/a", b"theirs")
    assert await storage.get("a") is None
    assert not await storage.exists("a")
    assert await storage.read("a") is None
    assert not await storage.delete("a")
    assert await storage.list() == KeyPage(())
    version = await storage.put("a", b"mine")
    await storage.put_json("b", {"x": 1})
    assert await storage.get_json("b") == {"x": 1}
    stored = await storage.read("a")
    assert stored is not None
    assert (stored.key, stored.value, stored.version) == ("a", b"mine", version)
    assert await behind.get(PREFIX + "a") == b"mine"
    assert await storage.delete("a")
    assert await behind.get("a") == b"top"
    assert repr(storage) == "<storage below plugins/news/>"


PATHS = ("../other/a", "/", "/plugins/other/a", "..", "plugins/news/", "..\\other", "%2e%2e/other/a")
CONFUSABLE = ("\u2024\u2024/other", "a\u202e", "\u00e9", "e\u0301")


@pytest.mark.parametrize("key", [*PATHS, *CONFUSABLE])
async def test_a_key_is_only_a_key(storage: ScopedStorage, behind: MemoryStorage, key: str) -> None:
    """Whatever looks like a path, or like another key, is a key below the prefix, letter for letter."""
    await behind.put("plugins/other/a", b"theirs")
    await storage.put(key, b"mine")
    assert (await behind.list()).keys == tuple(sorted((PREFIX + key, "plugins/other/a")))
    assert (await storage.list()).keys == (key,)
    assert (await storage.list(key)).keys == (key,)
    assert await storage.get(key) == b"mine"


async def test_a_string_with_ideas_of_its_own_is_a_key(storage: ScopedStorage, behind: MemoryStorage) -> None:
    """A subclass of str cannot talk its way past the prefix; what is no string is refused."""

    class Sly(str):
        def __radd__(self, other: str) -> str:
            return "plugins/other/a"

        def __format__(self, spec: str) -> str:
            return "plugins/other/a"

    await storage.put(Sly("a"), b"mine")
    assert (await behind.list()).keys == (PREFIX + "a",)
    with pytest.raises(InvalidRequest, match="bytes"):
        await storage.put(b"a", b"")  # type: ignore[arg-type]


async def test_pages_continue_where_they_ended(storage: ScopedStorage, behind: MemoryStorage) -> None:
    """Paging goes through a plugin's own keys only, in their own names."""
    names = [f"k{number:02}" for number in range(7)]
    for each in names:
        await storage.put(each, b"")
        await behind.put(f"plugins/newt/{each}", b"")
    found: list[str] = []
    after: str | None = None
    while True:
        page = await storage.list("k", limit=3, after=after)
        found += page.keys
        after = page.next
        if after is None:
            break
        assert not after.startswith("plugins/")
    assert found == names
    assert (await storage.list(after="")).keys == tuple(names)


@pytest.mark.parametrize("character", ["k", "\u00e9", "\U0001f600"])
async def test_the_prefix_counts_towards_a_key(storage: ScopedStorage, character: str) -> None:
    """A key may be as long as the storage's keys less the prefix, in bytes; one more is refused with that number."""
    most = MAX_KEY_BYTES - len(PREFIX)
    size = len(character.encode())
    longest = character * (most // size) + "x" * (most % size)
    await storage.put(longest, b"")
    assert (await storage.list()).keys == (longest,)
    with pytest.raises(InvalidRequest, match=f"1 to {most} bytes.*this one has {most + 1}"):
        await storage.put(longest + "x", b"")


@pytest.mark.parametrize("key", ["", "a\0b", "\ud800"])
async def test_a_key_that_no_storage_can_hold(storage: ScopedStorage, key: str) -> None:
    """Keys that are empty, have a NUL or are no Unicode are refused."""
    with pytest.raises(InvalidRequest):
        await storage.put(key, b"")


async def test_errors_name_the_plugins_own_key(behind: MemoryStorage) -> None:
    """Errors keep class, fields and cause, and speak of the key as the plugin wrote it."""
    behind = MemoryStorage(max_value_bytes=5)
    storage = ScopedStorage("news", lambda: behind)
    await storage.put("a", b"{")
    raised: list[PortError] = []
    with pytest.raises(Conflict) as conflict:
        await storage.put("a", b"", expect=0)
    assert conflict.value.key == "a"
    assert (conflict.value.expected, conflict.value.actual) == (0, 1)
    with pytest.raises(InvalidContent) as content:
        await storage.get_json("a")
    assert content.value.__cause__ is not None
    with pytest.raises(InvalidRequest) as request:
        await storage.put_json("a", {1, 2})
    with pytest.raises(TooLarge) as large:
        await storage.put("a", b"too large")
    with pytest.raises(Conflict) as other:
        await storage.delete("a", expect=7)
    raised += [conflict.value, content.value, request.value, large.value, other.value]
    assert not [each for each in raised if "plugins/" in f"{each}{each!r}{each.hint}"]
    assert "'a'" in str(conflict.value)


async def test_other_errors_pass(storage: ScopedStorage) -> None:
    """What is no error of a port is left as it is."""

    def gone() -> MemoryStorage:
        raise LookupError("plugins/news/")

    with pytest.raises(LookupError, match="plugins/news/"):
        await ScopedStorage("news", gone).get("a")
