"""Every search keeps the contract of its port."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotswap_adapters.search.sqlite import SqliteSearch, SqliteSearchConfig
from hotswap_ports.testing import MemorySearch, SearchContract


class TestSqliteSearch(SearchContract):
    """In a file, vectors compared by numpy."""

    @pytest.fixture
    async def search(self, tmp_path: Path) -> AsyncIterator[SqliteSearch]:
        async with SqliteSearch(SqliteSearchConfig(path=str(tmp_path / "search.db"))) as opened:
            yield opened


class TestSqliteSearchWithoutNumpy(TestSqliteSearch):
    """In a file, vectors compared in plain Python."""

    @pytest.fixture(autouse=True)
    def no_numpy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "numpy", None)


class TestMemorySearch(SearchContract):
    """In a dict."""

    @pytest.fixture
    def search(self) -> MemorySearch:
        return MemorySearch()
