"""What every SQLite adapter is: closed until it is entered, and open on one file until it is left."""

from __future__ import annotations

from typing import Self

from hotswap_adapters._sqlite.database import Database, Schema
from hotswap_ports import Unavailable


class SqliteAdapter:
    """Holds the open file; ``name`` is what errors call the adapter, ``storage`` as in "The storage is not open"."""

    def __init__(self, name: str, path: str, schema: Schema, busy_timeout: float) -> None:
        self._name = name
        self._path = path
        self._schema = schema
        self._busy_timeout = busy_timeout
        self._database: Database | None = None

    async def __aenter__(self) -> Self:
        if self._database is not None:
            raise RuntimeError(f"this {type(self).__name__} is open already")
        self._database = await Database.open(self._path, self._schema, busy_timeout=self._busy_timeout)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.close()

    @property
    def _open_file(self) -> Database:
        if self._database is None:
            raise Unavailable(f"The {self._name} is not open.", "Use it inside `async with`.")
        return self._database
