"""``MemoryStorage``: the port ``storage`` in a dict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hotswap_ports.errors import Conflict, InvalidRequest, TooLarge
from hotswap_ports.storage import KeyPage, Storage, StorageFeatures, StoredValue, check_key


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryStorage(Storage):
    """Keeps bytes until it is dropped; ``clock`` gives aware UTC times.

    No call gives way to other tasks: a loop that awaits nothing else keeps the event loop to itself.
    """

    def __init__(self, *, max_value_bytes: int | None = None, clock: Callable[[], datetime] = _now) -> None:
        self._values: dict[str, StoredValue] = {}
        self._last_version = 0
        self._clock = clock
        self.features = StorageFeatures(durable=False, max_value_bytes=max_value_bytes)

    async def read(self, key: str) -> StoredValue | None:
        """Return the value with its version; None when there is none."""
        return self._values.get(check_key(key))

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Store a copy of ``value``; versions grow over the whole storage."""
        check_key(key)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise InvalidRequest(f"The value of {key!r} must be bytes, not {type(value).__name__}.")
        data = bytes(value)
        most = self.features.max_value_bytes
        if most is not None and len(data) > most:
            raise TooLarge(f"The value of {key!r}", most)
        self._check_version(key, expect)
        self._last_version += 1
        self._values[key] = StoredValue(key, data, self._last_version, self._clock())
        return self._last_version

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Remove the key; return whether it was there."""
        check_key(key)
        self._check_version(key, expect)
        return self._values.pop(key, None) is not None

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        """Return keys in the order of code points."""
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        _check_text(prefix)
        _check_text(after or "")
        found = sorted(key for key in self._values if key.startswith(prefix) and (after is None or key > after))
        keys = tuple(found[:limit])
        return KeyPage(keys, keys[-1] if len(found) > limit else None)

    async def snapshot(self) -> Any:
        """Return everything, for the next generation of the plugin that this storage is part of."""
        values = {key: (each.value, each.version, each.modified.isoformat()) for key, each in self._values.items()}
        return {"last_version": self._last_version, "values": values}

    async def restore(self, state: Any, from_version: str) -> None:
        """Go on from what another generation kept."""
        for key, (value, version, modified) in state["values"].items():
            self._values[key] = StoredValue(key, value, version, datetime.fromisoformat(modified))
        self._last_version = state["last_version"]

    def _check_version(self, key: str, expect: int | None) -> None:
        stored = self._values.get(key)
        actual = 0 if stored is None else stored.version
        if expect is not None and actual != expect:
            raise Conflict(key, expect, actual)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("A prefix must be valid Unicode, and so must what it comes after.") from error
