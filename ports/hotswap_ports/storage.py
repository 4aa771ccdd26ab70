"""The port ``storage``: bytes under keys, with versions."""

from __future__ import annotations

import json
from abc import abstractmethod
from datetime import datetime
from typing import Any, ClassVar

from attrs import frozen

from hotswap_ports.errors import InvalidContent, InvalidRequest
from hotswap_ports.port import Port

MAX_KEY_BYTES = 1024
"""Most bytes of a key in UTF-8: what every backend in use can index (S3's limit too)."""


@frozen
class StorageFeatures:
    """What a storage can do."""

    durable: bool = False
    """Whether what was acknowledged survives the end of the process, also a hard one."""
    max_value_bytes: int | None = None


@frozen
class StoredValue:
    """A value with its version."""

    key: str
    value: bytes
    version: int
    """Above 0; grows with every put of the key and is never used twice for it, not even after a delete."""
    modified: datetime
    """When it was put: aware, UTC."""


@frozen
class KeyPage:
    """Some of the keys asked for."""

    keys: tuple[str, ...]
    """Sorted by code points."""
    next: str | None = None
    """Pass it as ``after`` for the next page; None: that was all."""


def check_key(key: str) -> str:
    """Return ``key`` if any storage can hold it.

    Raises:
        InvalidRequest: it is empty, longer than MAX_KEY_BYTES, or has a NUL or an unpaired surrogate.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidRequest("A key must be valid Unicode.") from error
    if not 0 < size <= MAX_KEY_BYTES or "\0" in key:
        raise InvalidRequest(f"A key has 1 to {MAX_KEY_BYTES} bytes of UTF-8 and no NUL; this one has {size}.")
    return key


class Storage(Port):
    """Keeps bytes. A put that returned is stored wholly; one that raised left what was there before.

    A call that is cancelled has happened wholly or not at all, and no other call is the worse for it.

    All methods may raise ``InvalidRequest`` (see check_key), ``Unavailable``, ``NotWritable`` and ``TooLarge``.
    """

    PORT: ClassVar[str] = "storage"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset({"exists", "get", "get_json", "list", "read"})

    features: StorageFeatures = StorageFeatures()

    @abstractmethod
    async def read(self, key: str) -> StoredValue | None:
        """Return the value with its version; None when there is none."""

    @abstractmethod
    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Store ``value`` and return its version.

        Args:
            expect: the version that must be there now; 0: the key must not exist; None: whatever.

        Raises:
            Conflict: another version was there; nothing was stored.
        """

    @abstractmethod
    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Remove the key; return whether it was there.

        Raises:
            Conflict: ``expect`` is given and another version was there (0 for none).
        """

    @abstractmethod
    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        """Return up to ``limit`` (>= 1) keys that start with ``prefix`` and come after ``after``, sorted."""

    async def get(self, key: str) -> bytes | None:
        """Return the value; None when there is none."""
        stored = await self.read(key)
        return None if stored is None else stored.value

    async def exists(self, key: str) -> bool:
        """Return whether the key is there."""
        return await self.read(key) is not None

    async def get_json(self, key: str) -> Any:
        """Return the decoded JSON value; None when there is none.

        Raises:
            InvalidContent: the value is no JSON.
        """
        value = await self.get(key)
        if value is None:
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise InvalidContent(f"The value of {key!r} is no JSON: {error}") from error

    async def put_json(self, key: str, value: Any, *, expect: int | None = None) -> int:
        """Store ``value`` as compact JSON in UTF-8 with sorted keys; return its version.

        Raises:
            InvalidRequest: ``value`` has no JSON form (NaN included).
        """
        try:
            encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
            data = encoded.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(f"The value for {key!r} has no JSON form: {error}") from error
        return await self.put(key, data, expect=expect)
