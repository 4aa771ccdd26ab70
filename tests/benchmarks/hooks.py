"""What hooks around a call cost, next to the same handlers awaited by hand."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

if __package__ in (None, ""):  # run as a file: its folder is what Python puts on the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hotswap.hook_calls import MethodHooks
from hotswap.hooks import Hooks
from hotswap_ports.hooks import HookContext, HookEvent
from tests.benchmarks.rows import Row, print_rows

HANDLERS = 5
BOUND = 3.0
"""Against five handlers by hand, the event they are given included; 2.0 is the aim. Most of the rest is the guard
against a hook that calls itself, the isolation in time, and arguments that no handler can change unseen."""
ANOTHER_THOUSAND = 2.0
"""A call must not notice handlers that are registered at other points."""

CONTEXT = HookContext(port="storage", method="read")

SEEN: dict[str, int] = {}

Call = Callable[[str], Awaitable[str]]


async def handler(event: HookEvent) -> None:
    """Count calls by key: about the least that a handler is for."""
    key = event.data["arguments"]["key"]
    SEEN[key] = SEEN.get(key, 0) + 1


async def read(key: str) -> str:
    """Stand for a port's method."""
    return key


async def by_hand(key: str) -> str:
    """Do what a caller without a kernel would write."""
    event = HookEvent("pre_storage.read", datetime.now(UTC), {"arguments": {"key": key}}, CONTEXT)
    await handler(event)
    await handler(event)
    await handler(event)
    await handler(event)
    await handler(event)
    return await read(key)


def hooked(others: int = 0) -> Call:
    """Return the call with five handlers before it, on a host with ``others`` elsewhere."""
    hooks = Hooks({"storage": ("read", "put")})
    for number in range(HANDLERS):
        hooks.on("pre_storage.read", handler, source=f"plugin-{number}")
    for number in range(others):
        hooks.on("pre_storage.put", handler, source=f"other-{number}")
    around: MethodHooks | None = hooks.for_method("storage", "read")
    assert around is not None

    async def call(key: str) -> str:
        result: str = await around.call(read, {"key": key})
        return result

    return call


async def _seconds(call: Call, calls: int) -> float:
    begin = time.process_time()
    for _ in range(calls):
        await call("key")
    return time.process_time() - begin


async def _ratios(first: Call, second: Call, quick: bool) -> float:
    """Return the best of ``first`` over the best of ``second``, taken in turns."""
    calls, rounds = (2_000, 9) if quick else (20_000, 11)
    times = [(await _seconds(first, calls), await _seconds(second, calls)) for _ in range(rounds)]
    return min(a for a, _ in times) / min(b for _, b in times)


def measure(quick: bool) -> list[Row]:
    """Measure, with fewer calls if ``quick``."""
    return [
        Row("5 async hooks / 5 handlers by hand", asyncio.run(_ratios(hooked(), by_hand, quick)), BOUND),
        Row(
            "5 hooks, 1,000 handlers elsewhere / nobody elsewhere",
            asyncio.run(_ratios(hooked(1_000), hooked(), quick)),
            ANOTHER_THOUSAND,
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(0 if print_rows(measure(quick="--quick" in sys.argv)) else 1)
