"""The plugin ``sqlite-storage``: one SQLite file."""

from hotswap_adapters.storage.sqlite import SqliteStorage

__all__ = ["SqliteStorage"]
