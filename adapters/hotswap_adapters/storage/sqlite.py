"""``SqliteStorage``: the port ``storage`` in one SQLite file."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from attrs import frozen

from hotswap_adapters._sqlite import MAX_ROW_BYTES, Schema, SqliteAdapter
from hotswap_ports import (
    MAX_KEY_BYTES,
    Conflict,
    InvalidRequest,
    KeyPage,
    Storage,
    StorageFeatures,
    StoredValue,
    TooLarge,
    check_key,
)

SCHEMA = Schema(
    what="storage",
    application_id=0x68737731,  # "hsw1"
    version=1,
    statements=(
        # AUTOINCREMENT hands out each number once in the life of the file, so a version is never used twice.
        "CREATE TABLE entries (version INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, "
        "modified INTEGER NOT NULL, value BLOB NOT NULL)",
    ),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_CODE_POINT = 0x10FFFF
_MOST_ROWS = 2**62


@frozen
class SqliteStorageConfig:
    """Settings of the plugin ``sqlite-storage``."""

    path: str = ".hotswap/data.db"
    """Relative to the working folder; the folder is created."""
    max_value_bytes: int = 100 * 1024 * 1024
    busy_timeout: float = 10.0
    """Seconds to wait for another process that writes to the same file."""


class SqliteStorage(SqliteAdapter, Storage):
    """Keeps bytes in a SQLite file; open inside ``async with``.

    What was acknowledged is on the disk. Two of these, in one process or two, may have the same file open. Raises
    ``InvalidContent`` where the file is no storage of hotswap, or is damaged.
    """

    def __init__(self, config: SqliteStorageConfig) -> None:
        if not 0 < config.max_value_bytes < MAX_ROW_BYTES - MAX_KEY_BYTES:
            raise InvalidRequest(f"max_value_bytes must lie in 1 to {MAX_ROW_BYTES - MAX_KEY_BYTES - 1:,}.")
        super().__init__("storage", config.path, SCHEMA, config.busy_timeout)
        self._largest = config.max_value_bytes
        self.features = StorageFeatures(durable=True, max_value_bytes=config.max_value_bytes)

    async def read(self, key: str) -> StoredValue | None:
        """Return the value with its version; None when there is none."""
        check_key(key)
        query = "SELECT value, version, modified FROM entries WHERE key = ?"
        row = await self._open_file.read(lambda connection: connection.execute(query, (key,)).fetchone())
        return None if row is None else StoredValue(key, row[0], row[1], _EPOCH + timedelta(microseconds=row[2]))

    async def exists(self, key: str) -> bool:
        """Return whether the key is there, without reading its value."""
        check_key(key)
        return await self._open_file.read(lambda connection: _version(connection, key)) != 0

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        """Store ``value``; versions grow over the whole storage, not only over the key."""
        check_key(key)
        if not isinstance(value, bytes | bytearray | memoryview):
            raise InvalidRequest(f"The value of {key!r} must be bytes, not {type(value).__name__}.")
        data = bytes(value)
        if len(data) > self._largest:
            raise TooLarge(f"The value of {key!r}", self._largest)
        modified = (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1)

        def store(connection: sqlite3.Connection) -> int:
            _check_version(connection, key, expect)
            statement = "INSERT OR REPLACE INTO entries (key, modified, value) VALUES (?, ?, ?)"
            return connection.execute(statement, (key, modified, data)).lastrowid or 0

        return await self._open_file.write(store)

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        """Remove the key; return whether it was there."""
        check_key(key)

        def remove(connection: sqlite3.Connection) -> bool:
            _check_version(connection, key, expect)
            return connection.execute("DELETE FROM entries WHERE key = ?", (key,)).rowcount > 0

        return await self._open_file.write(remove)

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        """Return keys in the order of code points, which in SQLite is that of their UTF-8 bytes."""
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        for each in (prefix, after or ""):
            _check_text(each)
        conditions, values = ["key >= ?"], [prefix]
        if (end := _after_prefix(prefix)) is not None:
            conditions.append("key < ?")
            values.append(end)
        if after is not None:
            conditions.append("key > ?")
            values.append(after)
        query = f"SELECT key FROM entries WHERE {' AND '.join(conditions)} ORDER BY key LIMIT ?"  # noqa: S608 - constants
        arguments = (*values, min(limit, _MOST_ROWS) + 1)
        rows = await self._open_file.read(lambda connection: connection.execute(query, arguments).fetchall())
        keys = tuple(row[0] for row in rows[:limit])
        return KeyPage(keys, keys[-1] if len(rows) > limit else None)


def _version(connection: sqlite3.Connection, key: str) -> int:
    row = connection.execute("SELECT version FROM entries WHERE key = ?", (key,)).fetchone()
    return 0 if row is None else int(row[0])


def _check_version(connection: sqlite3.Connection, key: str, expect: int | None) -> None:
    if expect is not None and (actual := _version(connection, key)) != expect:
        raise Conflict(key, expect, actual)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("A prefix must be valid Unicode, and so must what it comes after.") from error


def _after_prefix(prefix: str) -> str | None:
    """Return the least text above all that start with ``prefix``; None when there is none."""
    stem = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)  # surrogates are no characters
