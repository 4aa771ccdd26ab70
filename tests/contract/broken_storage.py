"""Breaks of ``SqliteStorage``."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap_adapters.storage import sqlite
from hotswap_adapters.storage.sqlite import SqliteStorage
from tests.contract import test_storage
from tests.contract.breaks import Breaks, around

breaks = Breaks(test_storage.TestSqliteStorage)


@breaks.noticed_by("test_list_comes_in_pages")
def one_key_too_many(patch: pytest.MonkeyPatch) -> None:
    """A page has one key more than its limit."""

    @around(patch, SqliteStorage, "list")
    async def list_(whole: Any, self: Any, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> Any:
        return await whole(self, prefix, limit=limit + 1, after=after)


@breaks.noticed_by("test_a_put_may_expect_a_version")
def expectations_unchecked(patch: pytest.MonkeyPatch) -> None:
    """The version that is expected is not looked at."""
    patch.setattr(sqlite, "_check_version", lambda connection, key, expect: None)
