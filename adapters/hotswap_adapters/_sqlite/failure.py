"""What SQLite says, as errors of a port."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hotswap_ports import AdapterFailed, InvalidContent, NotWritable, PortError, TooLarge, Unavailable

MAX_ROW_BYTES = 1_000_000_000
"""SQLite's own bound on a row (SQLITE_MAX_LENGTH)."""

_WRITE_FAILURES = frozenset(
    f"SQLITE_IOERR_{each}" for each in ("WRITE", "FSYNC", "DIR_FSYNC", "TRUNCATE", "SHMOPEN", "SHMSIZE", "DELETE")
)


def port_error(error: sqlite3.Error, path: Path, what: str) -> PortError:
    """Return the port's error for what SQLite said about ``path``; its result codes are at sqlite.org/rescode.html."""
    name = error_name(error)
    if name == "SQLITE_FULL":
        return NotWritable(f"The disk with {path} is full; nothing was stored.", "Make room, or set another `path`.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")) or name in _WRITE_FAILURES:
        return NotWritable(f"{path} cannot be written: {error}.", "Make it writable, or set another `path`.")
    if is_busy(error):
        return Unavailable(f"{path} is locked by another process.", "Try again, or raise `busy_timeout`.")
    if name.startswith("SQLITE_NOTADB"):
        return no_database(path)
    if name.startswith("SQLITE_CORRUPT"):
        return InvalidContent(f"{path} is damaged: {error}.", "Put it back from a copy, or move it away to start anew.")
    if name.startswith("SQLITE_TOOBIG"):
        return TooLarge("What was to be stored", MAX_ROW_BYTES)
    if name.startswith("SQLITE_IOERR"):
        return Unavailable(f"{path} cannot be read: {error}.", "Check the disk that holds it.")
    return AdapterFailed(f"sqlite-{what}", "SQLite", error)


def no_database(path: Path) -> InvalidContent:
    """Return the error for a file that SQLite did not write."""
    return InvalidContent(f"{path} is no SQLite database; it was left as it is.", "Set another `path`.")


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether somebody else holds a lock."""
    return error_name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"))


def error_name(error: sqlite3.Error) -> str:
    """Return the extended result code: ``SQLITE_IOERR_WRITE``; empty for an error of Python's module itself."""
    return str(getattr(error, "sqlite_errorname", ""))
