"""Breaks of what the adapters over SQLite share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hotswap_adapters._sqlite.database import Database
from tests.contract.breaks import around


def cancelled_together(patch: pytest.MonkeyPatch) -> None:
    """Where one call is cancelled, those that wait at the same time are cancelled too."""
    waiting: set[asyncio.Task[Any]] = set()

    @around(patch, Database, "_done")
    async def done(whole: Any, self: Database, future: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        waiting.add(task)
        try:
            return await whole(self, future)
        except asyncio.CancelledError:
            for each in waiting - {task}:
                each.cancel()
            raise
        finally:
            waiting.discard(task)
