"""A call through a live handle, by a direct await of the same adapter.

The direct await does not suspend: it is the cheapest call there is, so the ratio is the worst that a caller can see.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from hotswap.generation import Generation, Provider
from hotswap.slots import Slot
from hotswap_ports import KeyPage, Storage, StoredValue
from tests.benchmarks.rows import Row, print_rows
from tests.benchmarks.timing import ratio

CALLS = 20_000
VALUE = StoredValue("key", b"value", 1, datetime(2026, 1, 1, tzinfo=UTC))


class Instant(Storage):
    """Answers at once."""

    async def read(self, key: str) -> StoredValue | None:
        return VALUE

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> int:
        return 1

    async def delete(self, key: str, *, expect: int | None = None) -> bool:
        return True

    async def list(self, prefix: str = "", *, limit: int = 1000, after: str | None = None) -> KeyPage:
        return KeyPage(())


async def _measure(quick: bool) -> list[Row]:
    direct = Instant()
    slot = Slot(Storage)
    slot.generation = Generation(Provider("storage", "instant", "instant", "1.0.0"), direct, 1)
    handle = slot.handle()
    assert isinstance(handle, Storage)

    async def reads(storage: Storage) -> None:
        for _ in range(CALLS):
            await storage.read("key")

    async def puts(storage: Storage) -> None:
        for _ in range(CALLS):
            await storage.put("key", b"value", expect=1)

    rounds = 7 if quick else 31
    return [
        Row(
            "live call without hooks / direct await",
            await ratio(lambda: reads(handle), lambda: reads(direct), rounds),
            3.0,
        ),
        Row("the same with a keyword argument", await ratio(lambda: puts(handle), lambda: puts(direct), rounds), 3.0),
    ]


def measure(quick: bool) -> list[Row]:
    """Return the rows of this benchmark."""
    return asyncio.run(_measure(quick))


if __name__ == "__main__":
    sys.exit(not print_rows(measure("--quick" in sys.argv)))
