"""One SQLite file off the event loop: one thread writes, a few read, and what fails leaves as a port's error."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from hotswap_ports import (
    AdapterFailed,
    InvalidContent,
    InvalidRequest,
    NotWritable,
    PortError,
    TooLarge,
    Unavailable,
)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

READERS = 4
"""Threads that read at once: WAL lets them, and more would only queue for the processor."""

OWN_FOLDER = ".hotswap"
"""A folder of this name that is created here keeps itself out of git."""

MAX_SQL_LENGTH = 1_000_000_000
"""SQLite's own bound on a row, in bytes (SQLITE_MAX_LENGTH)."""

_MAGIC = b"SQLite format 3\0"
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

    ``synchronous=FULL``: a write that returned is on the disk, so that it survives kill -9 and a power cut.
    Cancelling a call never breaks a connection: work that has begun in its thread ends there, wholly or not at all;
    work that has not begun is dropped. Several databases, processes too, may have one file open.
    """

    def __init__(self, path: str, schema: Schema, busy_timeout: float) -> None:
        self.path = _absolute(path)
        self._schema = schema
        self._busy_timeout = busy_timeout
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{schema.what}-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"sqlite-{schema.what}-read")
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
            await database._run(database._writer, database._prepare)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(database.close()))
            raise
        return database

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a reading thread, in one snapshot of the file."""
        return await self._run(self._readers, lambda: self._snapshot(work))

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in the writing thread, in one transaction: all of it is stored, or nothing."""
        return await self._run(self._writer, lambda: _transaction(self._local.connection, work))

    async def close(self) -> None:
        """Let what has begun end, then close every connection. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        done = asyncio.get_running_loop().run_in_executor(self._writer, self._close_all)
        self._writer.shutdown(wait=False)
        await asyncio.shield(done)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable(f"The {self._schema.what} {self.path} is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except sqlite3.Error as error:
            raise port_error(error, self.path, self._schema.what) from error

    def _close_all(self) -> None:
        self._readers.shutdown(wait=True)
        for connection in reversed(self._opened):
            connection.close()

    def _snapshot(self, work: Work[T]) -> T:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect("PRAGMA query_only = ON")
        connection: sqlite3.Connection = self._local.connection
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            str(self.path), timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        self._opened.append(connection)
        for statement in ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", *pragmas):
            connection.execute(statement)
        return connection

    def _prepare(self) -> None:
        _make_folder(self.path.parent)
        _check_file(self.path)
        connection = self._connect("PRAGMA synchronous = FULL", f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        self._local.connection = connection
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                self._check_or_create(connection)
            except sqlite3.OperationalError as error:
                # Switching to WAL does not wait as other statements do when another process opens the file too.
                if not _name(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(_OPEN_POLL_SECONDS)
            else:
                return

    def _check_or_create(self, connection: sqlite3.Connection) -> None:
        empty = self._is_empty(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        _transaction(connection, self._create if empty else lambda _: None)

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        """Return whether nothing is in the file; raise InvalidContent for what is not ours."""
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not application and not version and not tables:
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
            return
        for statement in self._schema.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self._schema.application_id}")
        connection.execute(f"PRAGMA user_version = {self._schema.version}")


def port_error(error: sqlite3.Error, path: Path, what: str) -> PortError:
    """Return the port's error for what SQLite said; its result codes are at sqlite.org/rescode.html."""
    name = _name(error)
    if name == "SQLITE_FULL":
        return NotWritable(f"The disk with {path} is full; nothing was stored.", "Make room, or set another `path`.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")) or name in _WRITE_FAILURES:
        return NotWritable(f"{path} cannot be written: {error}.", "Make it writable, or set another `path`.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return Unavailable(f"{path} is locked by another process.", "Try again, or raise `busy_timeout`.")
    if name.startswith("SQLITE_NOTADB"):
        return _foreign(path)
    if name.startswith("SQLITE_CORRUPT"):
        return InvalidContent(f"{path} is damaged: {error}.", "Put it back from a copy, or move it away to start anew.")
    if name.startswith("SQLITE_TOOBIG"):
        return TooLarge("What was to be stored", MAX_SQL_LENGTH)
    if name.startswith("SQLITE_IOERR"):
        return Unavailable(f"{path} cannot be read: {error}.", "Check the disk that holds it.")
    return AdapterFailed(f"sqlite-{what}", "SQLite", error)


def _foreign(path: Path) -> InvalidContent:
    return InvalidContent(f"{path} is no SQLite database; it was left as it is.", "Set another `path`.")


_WRITE_FAILURES = frozenset(
    f"SQLITE_IOERR_{each}" for each in ("WRITE", "FSYNC", "DIR_FSYNC", "TRUNCATE", "SHMOPEN", "SHMSIZE", "DELETE")
)


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _transaction(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
    return result


def _absolute(path: str) -> Path:
    # Absolute, because SQLite may take `file:...` and `:memory:` for something else than a file's name.
    if not path or "\0" in path or path == ":memory:":
        raise InvalidRequest(f"{path!r} is no file's path.", "To keep nothing, use the provider `memory`.")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise InvalidRequest(f"{path!r} is no file's path: {error}") from error


def _check_file(path: Path) -> None:
    """Look before SQLite does: it would write over a short text file, and open a read-only one without a word."""
    if path.is_dir():
        raise InvalidRequest(f"{path} is a folder.", "The setting `path` names a file.")
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise NotWritable(f"{path} may not be read and written.", "Make it writable, or set another `path`.")
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start not in (b"", _MAGIC):
        raise _foreign(path)


def _make_folder(folder: Path) -> None:
    try:
        if folder.name == OWN_FOLDER and not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(
            f"The folder {folder} cannot be created: {error.strerror or error}.", "Set another `path`."
        ) from error
