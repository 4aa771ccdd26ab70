"""What hooks around a call cost, next to the same handlers called by hand, and next to pluggy.

By hand is the limit: what a caller without a kernel would write, the event that handlers are given included. pluggy
(``uv run --group peers python -m tests.benchmarks.hooks``) is used as its documentation says: five wrappers around an
implementation of a ``firstresult`` hook. It makes no event, isolates no failure and bounds no time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: its folder is what Python puts on the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from hotswap.hooks import Hooks
from hotswap.slots import Generation, Provider
from hotswap.wiring import Wiring
from hotswap_ports import Storage, StoredValue
from hotswap_ports.hooks import Handler, HookContext, HookEvent
from hotswap_ports.methods import port_methods
from tests.benchmarks.calls import VALUE, Instant
from tests.benchmarks.rows import Row, print_rows
from tests.benchmarks.timing import ratio

HANDLERS = 5
CALLS = 2_000
BOUND = 2.0
"""Against five handlers by hand. Most of the rest is one thing: which handler the current code runs in is noted for
each of them where tasks inherit it, so that no hook is called for its own calls."""
ANOTHER_THOUSAND = 2.0
"""A call must not notice handlers that are registered at other points."""
PEER = 1.0
"""Against pluggy. The limit is the ratio of the next row: no hook that is given an event is faster than by hand."""

CONTEXT = HookContext(port="storage", method="read")
SEEN: dict[str, int] = {}

Call = Callable[[str], Awaitable[object]]


async def handler(event: HookEvent) -> None:
    """Count calls by key: about the least that a handler is for."""
    key = event.data["arguments"]["key"]
    SEEN[key] = SEEN.get(key, 0) + 1


def sync_handler(event: HookEvent) -> None:
    """Do the same, and need no await."""
    key = event.data["arguments"]["key"]
    SEEN[key] = SEEN.get(key, 0) + 1


async def read(key: str) -> StoredValue | None:
    """Stand for a port's method."""
    return VALUE


async def by_hand(key: str) -> StoredValue | None:
    """Do what a caller without a kernel would write."""
    event = HookEvent("pre_storage.read", datetime.now(UTC), {"arguments": {"key": key}}, CONTEXT)
    await handler(event)
    await handler(event)
    await handler(event)
    await handler(event)
    await handler(event)
    return await read(key)


async def sync_by_hand(key: str) -> StoredValue | None:
    """Do the same with plain functions."""
    event = HookEvent("pre_storage.read", datetime.now(UTC), {"arguments": {"key": key}}, CONTEXT)
    sync_handler(event)
    sync_handler(event)
    sync_handler(event)
    sync_handler(event)
    sync_handler(event)
    return await read(key)


def _hooks(handler: Handler, others: int = 0) -> Hooks:
    hooks = Hooks({"storage": [each.name for each in port_methods(Storage)]})
    for number in range(HANDLERS):
        hooks.on("pre_storage.read", handler, source=f"plugin-{number}")
    for number in range(others):
        hooks.on("pre_storage.put", handler, source=f"other-{number}")
    return hooks


def hooked(handler: Handler, others: int = 0) -> Call:
    """Return the call with five handlers before it, on a host with ``others`` elsewhere."""
    around = _hooks(handler, others).for_method("storage", "read")
    assert around is not None

    async def call(key: str) -> object:
        return await around.call(read, {"key": key})

    return call


def live(handler: Handler) -> Call:
    """Return the same through a live handle, wired as a kernel does it."""
    wiring = Wiring({}, _hooks(handler))
    generation = Generation(Provider("storage", "instant", "instant", "1.0.0"), Instant(), 1)
    wiring.switch([Storage], [generation], [])
    return wiring.handle(Storage, None).read


def _implementations(mark: Any, is_async: bool) -> tuple[type, type]:
    """Return pluggy's implementation of the call, and a wrapper around it."""

    class Plain:
        @mark
        def read(self, key: str) -> object:
            return VALUE

    class Wrapper:
        @mark(wrapper=True)
        def read(self, key: str) -> Generator[None, object, object]:
            SEEN[key] = SEEN.get(key, 0) + 1
            return (yield)

    class Async:
        @mark
        def read(self, key: str) -> object:
            return read(key)

    class AsyncWrapper:
        @mark(wrapper=True)
        def read(self, key: str) -> Generator[None, Awaitable[object], object]:
            inner = yield

            async def around() -> object:
                SEEN[key] = SEEN.get(key, 0) + 1
                return await inner

            return around()

    return (Async, AsyncWrapper) if is_async else (Plain, Wrapper)


def wrapped(is_async: bool) -> Call | None:
    """Return a pluggy hook with five wrappers; None where pluggy is not there."""
    try:
        import pluggy
    except ImportError:
        return None

    class Spec:
        @pluggy.HookspecMarker("bench")(firstresult=True)
        def read(self, key: str) -> object: ...

    implementation, wrapper = _implementations(pluggy.HookimplMarker("bench"), is_async)
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(Spec)
    manager.register(implementation())
    for _ in range(HANDLERS):
        manager.register(wrapper())
    hook = manager.hook.read
    print(f"beside pluggy {pluggy.__version__}", file=sys.stderr)

    async def call(key: str) -> object:
        return await hook(key=key) if is_async else hook(key=key)

    return call


async def _ratio(first: Call, second: Call, rounds: int) -> float:
    async def calls(call: Call) -> None:
        for _ in range(CALLS):
            await call("key")

    return await ratio(lambda: calls(first), lambda: calls(second), rounds)


async def _measure(quick: bool) -> list[Row]:
    rounds = 9 if quick else 31
    rows: list[Row] = []
    for kind, handle, hand in (("async", handler, by_hand), ("sync", sync_handler, sync_by_hand)):
        across = live(handle)
        rows += [
            Row(f"5 {kind} hooks / 5 handlers by hand", await _ratio(hooked(handle), hand, rounds), BOUND),
            Row(
                f"5 {kind} hooks through a live handle / 5 handlers by hand and a direct await",
                await _ratio(across, hand, rounds),
                BOUND,
            ),
        ]
        peer = wrapped(is_async=kind == "async")
        if peer is None:
            print("pluggy is not installed: not measured beside it (uv run --group peers ...)", file=sys.stderr)
            continue
        rows += [
            Row(f"... / pluggy with 5 {kind} wrappers", await _ratio(across, peer, rounds), PEER),
            Row(f"5 {kind} handlers by hand / pluggy, the limit of that", await _ratio(hand, peer, rounds), PEER),
        ]
    others = await _ratio(hooked(handler, 1_000), hooked(handler), rounds)
    rows.append(Row("5 hooks, 1,000 handlers elsewhere / nobody elsewhere", others, ANOTHER_THOUSAND))
    return rows


def measure(quick: bool) -> list[Row]:
    """Return the rows of this benchmark."""
    return asyncio.run(_measure(quick))


if __name__ == "__main__":
    sys.exit(not print_rows(measure("--quick" in sys.argv)))
