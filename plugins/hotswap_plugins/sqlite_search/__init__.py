"""The plugin ``sqlite-search``: one SQLite file."""

from hotswap_adapters.search.sqlite import SqliteSearch

__all__ = ["SqliteSearch"]
