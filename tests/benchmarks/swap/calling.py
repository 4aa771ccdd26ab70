"""What a call through a live handle costs, by a direct await and by a call through each peer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hotswap import Kernel
from hotswap_ports import HookContext, HookEvent
from tests.benchmarks.swap.peers import Peer, offering
from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.benchmarks.swap.work import Provider, Work
from tests.benchmarks.timing import ratio
from tests.plugin_folder import settings, write_plugin

CALLS = 5_000
HANDLERS = 5

TITLE = "What a call costs"
TEXT = """\
A call that does not suspend, through what a caller holds; ratios of CPU time in one run, each taken between two runs of
its base. A direct await is that of the adapter's own method. dependency-injector hands out an async resource. With five
hooks: five async handlers before the call, that do nothing with the event they are given. The bound for these by pluggy
cannot be held by anything that awaits five handlers: awaited one after the other by hand and given nothing at all, they
take a ninth of the time that pluggy takes, as the last table shows."""

DIRECT = Bound("live call / direct await", 3.0, quick=4.5)
PLUGGY = Bound("live call / call through pluggy", 1 / 5, quick=1 / 3)
HOOKED = Bound("live call with 5 async hooks / the same through pluggy", 1 / 25, quick=2.0)

CODE = """
    from tests.benchmarks.swap.calling import Instant

    class Adapter(Instant):
        pass
"""

Called = Callable[[float], Awaitable[str]]


class Instant(Work):
    """Answers at once."""

    async def work(self, seconds: float = 0) -> str:
        """Return a constant."""
        return "answer"


class InstantProvider(Provider):
    """The same for peers."""

    async def work(self, seconds: float = 0) -> str:
        """Return a constant."""
        return "answer"


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [DIRECT, PLUGGY, HOOKED]


def many(call: Called) -> Callable[[], Awaitable[None]]:
    """Return a case for ``ratio``."""

    async def run() -> None:
        for _ in range(CALLS):
            await call(0)

    return run


async def handler(event: HookEvent) -> None:
    """Do nothing, as little as a handler can."""


def kernel_in(root: Path) -> Kernel:
    """Return a kernel with one plugin that answers at once."""
    write_plugin(root, "instant", CODE, provides={"work": "Adapter"})
    return Kernel(settings(root, "instant"), ports=[Work], environ={})


async def _against_peers(live: Called, rounds: int) -> tuple[list[list[str]], dict[str, float]]:
    lines, found = [], {}
    peers: list[Any] = list(offering("Peer"))
    for name, make in peers:
        peer: Peer = make()
        await peer.start(InstantProvider())
        found[name] = await ratio(many(live), many(peer.call), rounds)
        lines.append([name, shown(1 / found[name])])
        await peer.stop()
    return lines, found


async def _hooks(hooked: Called, direct: Called, rounds: int) -> tuple[list[list[str]], float | None]:
    """Return lines of five hooks, by a live call with five, and what that is by pluggy."""
    by_hand = await ratio(many(_by_hand(direct)), many(hooked), rounds)
    bare = await ratio(many(_bare(direct)), many(hooked), rounds)
    lines = [["five handlers awaited by hand", shown(by_hand)], ["the same, given no event", shown(bare)]]
    found = None
    for name, make in list[Any](offering("Hooked")):
        found = await ratio(many(hooked), many(make(HANDLERS).call), rounds)
        lines.append([f"{name}, what five implementations return awaited in a loop", shown(1 / found)])
    for name, make in list[Any](offering("Wrapped")):
        each = await ratio(many(hooked), many(make(HANDLERS).call), rounds)
        lines.append([f"{name}, five wrappers, not async", shown(1 / each)])
    return lines, found


def _by_hand(direct: Called) -> Called:
    context = HookContext(port="work", method="work")

    async def call(seconds: float) -> str:
        event = HookEvent("pre_work.work", datetime.now(UTC), {"arguments": {"seconds": seconds}}, context)
        await handler(event)
        await handler(event)
        await handler(event)
        await handler(event)
        await handler(event)
        return await direct(seconds)

    return call


def _bare(direct: Called) -> Called:
    nothing: Any = None

    async def call(seconds: float) -> str:
        await handler(nothing)
        await handler(nothing)
        await handler(nothing)
        await handler(nothing)
        await handler(nothing)
        return await direct(seconds)

    return call


async def _measure(quick: bool) -> Section:
    rounds = 5 if quick else 21
    direct = Instant()
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as plain, tempfile.TemporaryDirectory() as other:
        async with kernel_in(Path(plain)) as kernel, kernel_in(Path(other)) as with_hooks:
            for _ in range(HANDLERS):
                with_hooks.on("pre_work.work", handler)
            live, hooked = kernel.get(Work).work, with_hooks.get(Work).work
            by_direct = await ratio(many(live), many(direct.work), rounds)
            with_five = await ratio(many(hooked), many(live), rounds)
            lines, found = await _against_peers(live, rounds)
            hook_lines, by_pluggy = await _hooks(hooked, direct.work, rounds)
    rows = [DIRECT.row(by_direct, quick)]
    if "pluggy" in found:
        rows.append(PLUGGY.row(found["pluggy"], quick))
    if by_pluggy is not None:
        rows.append(HOOKED.row(by_pluggy, quick))
    ours = [["direct await", shown(1 / by_direct)], ["live call with five hooks", shown(with_five)]]
    tables = [
        Table(("", "times as long as a live call"), [*ours, *lines]),
        Table(("with five hooks", "times as long as a live call with five hooks"), hook_lines),
    ]
    return Section(TITLE, TEXT, rows, tables)


def measure(quick: bool) -> Section:
    """Measure the kernel and every peer."""
    return asyncio.run(_measure(quick))
