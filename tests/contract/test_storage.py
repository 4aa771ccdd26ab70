"""Every storage keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_ports import Storage
from hotswap_ports.testing import MemoryStorage, StorageContract
from hotswap_ports.testing.contracts.storage import Reopen
from tests.contract.hard_end import as_it_was


class TestSqliteStorage(StorageContract):
    """In a file."""

    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqliteStorage]:
        async with SqliteStorage(
            SqliteStorageConfig(path=str(tmp_path / "data.db"), max_value_bytes=100_000)
        ) as opened:
            yield opened

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        @asynccontextmanager
        async def again(storage: Storage) -> AsyncIterator[Storage]:
            assert isinstance(storage, SqliteStorage)
            await storage.__aexit__(None, None, None)
            async with SqliteStorage(SqliteStorageConfig(path=str(tmp_path / "data.db"))) as opened:
                yield opened

        return again

    @pytest.fixture
    def revive(self, tmp_path: Path) -> Reopen:
        @asynccontextmanager
        async def again(storage: Storage) -> AsyncIterator[Storage]:
            copy = as_it_was(tmp_path / "data.db")
            async with SqliteStorage(SqliteStorageConfig(path=str(copy))) as opened:
                yield opened

        return again


class TestMemoryStorage(StorageContract):
    """In a dict."""

    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage(max_value_bytes=100_000)
