"""A storage confined to the keys of one plugin."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from attrs import evolve

from hotswap_ports.errors import Conflict, InvalidRequest, PortError
from hotswap_ports.storage import MAX_KEY_BYTES, KeyPage, Storage, StorageFeatures, StoredValue


class ScopedStorage(Storage):
    """Puts ``plugins/<id>/`` before every key on the way in and takes it off on the way out, errors included.

    A key is only ever joined to the prefix: ``../other`` is a key with that name below it. The prefix counts towards
    the storage's ``MAX_KEY_BYTES``.

    Args:
        plugin: the plugin's id.
        storage: gives the live handle of the storage; called for each operation.
    """

    def __init__(self, plugin: str, storage: Callable[[], Storage]) -> None:
        self._prefix = f"plugins/{plugin}/"
        self._storage = storage
        self._own_words = _OwnWords(self._prefix)

    def __repr__(self) -> str:
        return f"<storage below {self._prefix}>"

    @property
    def features(self) -> StorageFeatures:  # type: ignore[override] # read only: what the storage behind it can do now
        return self._storage().features

    async def read(self, key: str) -> StoredValue | None:
        full = self._full(key)
        with self._own_words:
            stored = await self._storage().read(full)
        return None if stored is None else evolve(stored, key=key)

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        full = self._full(key)
        with self._own_words:
            return await self._storage().put(full, value, expect=expect)

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        full = self._full(key)
        with self._own_words:
            return await self._storage().delete(full, expect=expect)

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        with self._own_words:
            page = await self._storage().list(
                self._joined(prefix), limit=limit, after=None if after is None else self._joined(after)
            )
        keys = tuple(each.removeprefix(self._prefix) for each in page.keys if each.startswith(self._prefix))
        return KeyPage(keys, None if page.next is None else page.next.removeprefix(self._prefix))

    async def get(self, key: str) -> bytes | None:
        full = self._full(key)
        with self._own_words:
            return await self._storage().get(full)

    async def exists(self, key: str) -> bool:
        full = self._full(key)
        with self._own_words:
            return await self._storage().exists(full)

    async def get_json(self, key: str) -> Any:
        full = self._full(key)
        with self._own_words:
            return await self._storage().get_json(full)

    async def put_json(self, key: str, value: Any, *, expect: int | None = None) -> int:
        full = self._full(key)
        with self._own_words:
            return await self._storage().put_json(full, value, expect=expect)

    def _full(self, key: str) -> str:
        full = self._joined(key)
        try:
            size = len(full.encode()) - len(self._prefix)
        except UnicodeEncodeError as error:
            raise InvalidRequest("A key must be valid Unicode.") from error
        most = MAX_KEY_BYTES - len(self._prefix)
        if not 0 < size <= most or "\0" in full:
            raise InvalidRequest(
                f"A key of this plugin has 1 to {most} bytes of UTF-8 and no NUL; this one has {size}."
            )
        return full

    def _joined(self, key: str) -> str:
        if not isinstance(key, str):
            raise InvalidRequest(f"A key is a string, and not {type(key).__name__}.")
        return "".join((self._prefix, key))  # join, since a subclass of str may bring its own idea of `+`


class _OwnWords:
    """Takes the prefix out of errors that pass, so that they name the key the plugin knows."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, PortError):
            # Changed in place: the class, its fields, the cause and the traceback stay what they are.
            error.message = error.message.replace(self._prefix, "")
            error.hint = error.hint.replace(self._prefix, "")
            error.args = tuple(each.replace(self._prefix, "") if isinstance(each, str) else each for each in error.args)
            if isinstance(error, Conflict):
                error.key = error.key.removeprefix(self._prefix)
