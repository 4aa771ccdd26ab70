"""What the SQLite adapters share: a file open off the event loop, whose failures are a port's errors."""

from hotswap_adapters._sqlite.adapter import SqliteAdapter
from hotswap_adapters._sqlite.database import Database, Schema
from hotswap_adapters._sqlite.failure import MAX_ROW_BYTES, port_error

__all__ = ["MAX_ROW_BYTES", "Database", "Schema", "SqliteAdapter", "port_error"]
