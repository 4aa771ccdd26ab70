"""One SQLite file off the event loop: one thread writes, a few read."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from attrs import frozen

from hotswap_adapters._sqlite.commits import Commits, Work, transaction
from hotswap_adapters._sqlite.failure import is_busy, port_error
from hotswap_adapters._sqlite.location import absolute, check_file, make_folder
from hotswap_ports import InvalidContent, Unavailable

T = TypeVar("T")

READERS = 4
"""Threads that read at once: WAL lets them, and more would only queue for the processor."""

_OPEN_POLL_SECONDS = 0.02
_JOURNAL_BYTES = 16 * 1024 * 1024


@frozen
class Schema:
    """What a file of this kind holds, and how to tell it from others."""

    what: str
    """The noun in messages: ``storage``."""
    application_id: int
    version: int
    statements: tuple[str, ...]


class Database:
    """An open SQLite file in WAL mode.

    ``synchronous=FULL``: a write that returned is on the disk, so that it survives kill -9 and a power cut; that costs
    one wait for the disk, which writes at the same time share. Cancelling a call never breaks a connection: work that
    has begun in its thread ends there, wholly or not at all; work that has not begun is dropped. Several databases,
    processes too, may have one file open.
    """

    def __init__(self, path: str, schema: Schema, busy_timeout: float) -> None:
        self.path = absolute(path)
        self._schema = schema
        self._busy_timeout = busy_timeout
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{schema.what}-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"sqlite-{schema.what}-read")
        self._commits = Commits()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    @classmethod
    async def open(cls, path: str, schema: Schema, *, busy_timeout: float) -> Database:
        """Open or create the file, with its folder.

        Args:
            busy_timeout: seconds to wait for another process that writes.

        Raises:
            InvalidRequest: ``path`` cannot be a file's.
            InvalidContent: the file is no database, a damaged one, another application's or a newer version's.
            NotWritable: file or folder cannot be written.
            Unavailable: another process holds the file for longer than ``busy_timeout``.
        """
        database = cls(path, schema, busy_timeout)
        try:
            await database._done(database._writer.submit(database._prepare))
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(database.close()))
            raise
        return database

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a reading thread, in one snapshot of the file."""
        self._check_open()
        return await self._done(self._readers.submit(self._snapshot, work))

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in the writing thread: all that it writes is stored, or nothing."""
        self._check_open()
        future = self._commits.add(work)
        self._writer.submit(lambda: self._commits.run(self._local.connection))
        return await self._done(future)

    async def close(self) -> None:
        """Let what was asked for end, then close every connection. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        done = asyncio.wrap_future(self._writer.submit(self._close_all))
        self._writer.shutdown(wait=False)
        await asyncio.shield(done)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"The {self._schema.what} {self.path} is closed.")

    async def _done(self, future: Future[T]) -> T:
        try:
            return await asyncio.wrap_future(future)
        except sqlite3.Error as error:
            raise port_error(error, self.path, self._schema.what) from error

    def _close_all(self) -> None:
        self._readers.shutdown(wait=True)
        for connection in reversed(self._opened):
            connection.close()

    def _snapshot(self, work: Work[T]) -> T:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect("PRAGMA query_only = ON")
        return _in_snapshot(self._local.connection, work)

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self.path), timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        self._opened.append(connection)
        for statement in ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", *pragmas):
            connection.execute(statement)
        return connection

    def _prepare(self) -> None:
        make_folder(self.path.parent)
        check_file(self.path)
        connection = self._connect("PRAGMA synchronous = FULL", f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        self._local.connection = connection
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                self._check_or_create(connection)
            except sqlite3.OperationalError as error:
                # Switching to WAL does not wait as other statements do when another process opens the file too.
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_OPEN_POLL_SECONDS)
            else:
                return

    def _check_or_create(self, connection: sqlite3.Connection) -> None:
        empty = _in_snapshot(connection, self._is_empty)
        connection.execute("PRAGMA journal_mode = WAL")
        transaction(connection, self._create if empty else lambda _: None)

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        """Return whether nothing is in the file; raise InvalidContent for what is not ours."""
        application = _one(connection, "PRAGMA application_id")
        version = _one(connection, "PRAGMA user_version")
        if not application and not version and not _one(connection, "SELECT count(*) FROM sqlite_master"):
            return True
        what = self._schema.what
        if application != self._schema.application_id:
            raise InvalidContent(
                f"{self.path} is a database of another kind, not a {what} of hotswap; it was left as it is.",
                "Choose another file with the setting `path`.",
            )
        if version != self._schema.version:
            raise InvalidContent(
                f"{self.path} was written by another version of hotswap "
                f"(format {version}, this one knows {self._schema.version}); it was left as it is.",
                "Install that version, or choose another file with the setting `path`.",
            )
        return False

    def _create(self, connection: sqlite3.Connection) -> None:
        if not self._is_empty(connection):
            return  # somebody else was faster
        for statement in self._schema.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self._schema.application_id}")
        connection.execute(f"PRAGMA user_version = {self._schema.version}")


def _in_snapshot(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _one(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]
