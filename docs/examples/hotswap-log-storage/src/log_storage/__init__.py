"""A storage in one file that is only ever appended to."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from hotswap_ports import (
    Conflict,
    InvalidRequest,
    KeyPage,
    NotWritable,
    Storage,
    StorageFeatures,
    StoredValue,
    check_key,
)

__all__ = ["LogConfig", "LogStorage"]


@frozen
class LogConfig:
    """The settings, as the manifest's schema has them."""

    path: str = "log-storage.jsonl"


class LogStorage(Storage):
    """Keeps everything in memory, and every change in a line of the file, which is read when it is opened.

    A put returns when its line is on the disk. One process at a time: the manifest says ``exclusive``.
    """

    features = StorageFeatures(durable=True)

    def __init__(self, config: LogConfig) -> None:
        self._path = Path(config.path)
        self._values: dict[str, StoredValue] = {}
        self._last_version = 0
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> LogStorage:
        for line in await asyncio.to_thread(self._lines):
            self._replay(json.loads(line))
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._lock:  # a line that is being written is written to its end
            self._values.clear()

    async def read(self, key: str) -> StoredValue | None:
        """Return the value with its version; None when there is none."""
        return self._values.get(check_key(key))

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Append a line with the value, then let it be seen."""
        check_key(key)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise InvalidRequest(f"The value of {key!r} must be bytes, not {type(value).__name__}.")
        data = bytes(value)
        return await self._to_the_end(self._put(key, data, expect))

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Append a line that says that the key is gone."""
        check_key(key)
        return await self._to_the_end(self._delete(key, expect))

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        """Return keys in the order of code points."""
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        for text in (prefix, after or ""):
            _check_unicode(text)
        found = sorted(key for key in self._values if key.startswith(prefix) and (after is None or key > after))
        keys = tuple(found[:limit])
        return KeyPage(keys, keys[-1] if len(found) > limit else None)

    async def _to_the_end(self, work: Any) -> Any:
        """Do it wholly or not at all: a caller that is cancelled leaves it to end by itself."""
        return await asyncio.shield(asyncio.ensure_future(work))

    async def _put(self, key: str, data: bytes, expect: int | None) -> int:
        async with self._lock:
            self._check(key, expect)
            version, now = self._last_version + 1, datetime.now(UTC)
            line = {"key": key, "value": base64.b64encode(data).decode(), "version": version, "at": now.isoformat()}
            await asyncio.to_thread(self._append, line)
            self._last_version = version
            self._values[key] = StoredValue(key, data, version, now)
            return version

    async def _delete(self, key: str, expect: int | None) -> bool:
        async with self._lock:
            self._check(key, expect)
            if key not in self._values:
                return False
            await asyncio.to_thread(self._append, {"key": key, "gone": self._last_version})
            del self._values[key]
            return True

    def _check(self, key: str, expect: int | None) -> None:
        stored = self._values.get(key)
        actual = 0 if stored is None else stored.version
        if expect is not None and actual != expect:
            raise Conflict(key, expect, actual)

    def _append(self, line: dict[str, Any]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotWritable(f"{self._path} cannot be written: {error.strerror}.") from error

    def _lines(self) -> list[bytes]:
        try:
            whole, _, cut_short = self._path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return []
        if cut_short:  # a line that did not get to its end never was
            os.truncate(self._path, self._path.stat().st_size - len(cut_short))
        return whole.splitlines()

    def _replay(self, line: dict[str, Any]) -> None:
        if "gone" in line:
            self._values.pop(line["key"], None)
            return
        self._last_version = line["version"]
        value, at = base64.b64decode(line["value"]), datetime.fromisoformat(line["at"])
        self._values[line["key"]] = StoredValue(line["key"], value, line["version"], at)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("A prefix must be valid Unicode, and so must what it comes after.") from error
