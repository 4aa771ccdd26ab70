"""Every storage keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotswap_adapters.storage.sqlite import SqliteStorage, SqliteStorageConfig
from hotswap_ports.testing import MemoryStorage, StorageContract


class TestSqliteStorage(StorageContract):
    """In a file."""

    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqliteStorage]:
        async with SqliteStorage(
            SqliteStorageConfig(path=str(tmp_path / "data.db"), max_value_bytes=100_000)
        ) as opened:
            yield opened


class TestMemoryStorage(StorageContract):
    """In a dict."""

    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage(max_value_bytes=100_000)
