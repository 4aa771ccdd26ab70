"""Every search keeps the contract of its port."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hotswap_adapters.search.sqlite import SqliteSearch, SqliteSearchConfig
from hotswap_ports import Search
from hotswap_ports.testing import MemorySearch, SearchContract
from hotswap_ports.testing.contracts.search import Reopen
from tests.contract.hard_end import as_it_was


class TestSqliteSearch(SearchContract):
    """In a file, vectors compared by numpy."""

    @pytest.fixture
    async def search(self, tmp_path: Path) -> AsyncIterator[SqliteSearch]:
        async with SqliteSearch(SqliteSearchConfig(path=str(tmp_path / "search.db"))) as opened:
            yield opened

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        @asynccontextmanager
        async def again(search: Search) -> AsyncIterator[Search]:
            assert isinstance(search, SqliteSearch)
            await search.__aexit__(None, None, None)
            async with SqliteSearch(SqliteSearchConfig(path=str(tmp_path / "search.db"))) as opened:
                yield opened

        return again

    @pytest.fixture
    def revive(self, tmp_path: Path) -> Reopen:
        @asynccontextmanager
        async def again(search: Search) -> AsyncIterator[Search]:
            copy = as_it_was(tmp_path / "search.db")
            async with SqliteSearch(SqliteSearchConfig(path=str(copy))) as opened:
                yield opened

        return again


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
