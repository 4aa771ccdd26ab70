"""One swap while 1,000 calls are in flight and new ones arrive."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.benchmarks.swap.load import Refused
from tests.benchmarks.swap.peers import Peer, offering
from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.benchmarks.swap.ways import WAYS
from tests.benchmarks.swap.work import Provider, Work

IN_FLIGHT = 1_000
SECONDS = 0.1
"""What each of them takes."""

TITLE = "A swap with 1,000 calls in flight"
TEXT = """\
1,000 calls of 100 ms are in flight when a provider is replaced by another version of it, and a new call arrives every
millisecond. Torn: a call whose provider closed under it; refused: one that nobody took. Stale: a call that went to the
old one though an earlier one had gone to the new one, or the swap had returned. Close: from the end of the last call
inside the old one to its close. Loop held: the longest step of the event loop during the swap, in CPU time of its
thread. Medians over rounds; torn and refused are means."""

TORN = Bound("1,000 calls in flight: torn or refused", 0)
STALE = Bound("1,000 calls in flight: calls to the old one after the switch", 0)
CLOSE = Bound("1,000 calls in flight: from the last call's end to the old one's close, ms", 1.0, quick=10.0)

Called = Callable[[float], Awaitable[str]]


@frozen
class Round:
    """One swap."""

    torn: int
    refused: int
    stale: int
    close: float
    """Seconds; below 0 where the old one was closed under calls."""
    held: float
    """Seconds of CPU time."""


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [TORN, STALE, CLOSE]


class Watch:
    """Measures the steps of the event loop: how much CPU time its thread spends between two turns of this task."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now


async def one_round(call: Called, swap: Callable[[], Awaitable[object]]) -> Round:
    """Swap once under load."""
    starts: list[tuple[float, asyncio.Task[str]]] = []

    def begin() -> None:
        starts.append((time.perf_counter(), asyncio.create_task(asyncio.wait_for(call(SECONDS), 10))))

    for _ in range(IN_FLIGHT):
        begin()
    await asyncio.sleep(0.02)
    old = max(Provider.all, key=lambda each: each.inside)
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    swapping = asyncio.create_task(_timed(swap))
    # No longer than until the calls end, which takes its time too.
    asyncio.get_running_loop().call_later(SECONDS * 0.7, watching.cancel)
    while not swapping.done() or not watching.done():
        begin()
        await asyncio.sleep(0.001)
    returned = await swapping
    for _ in range(10):
        begin()
    answers = await asyncio.gather(*(task for _, task in starts), return_exceptions=True)
    while not old.closed_at:
        await asyncio.sleep(0.001)
    return Round(
        torn=sum(isinstance(each, BaseException) and not isinstance(each, Refused) for each in answers),
        refused=sum(isinstance(each, Refused) for each in answers),
        stale=_stale([moment for moment, _ in starts], answers, old.label, returned),
        close=old.closed_at - old.last_end,
        held=watch.longest,
    )


def _stale(moments: list[float], answers: list[Any], old: str, returned: float) -> int:
    found, switched = 0, False
    for moment, answer in zip(moments, answers, strict=True):
        if isinstance(answer, str):
            found += answer == old and (switched or moment > returned)
            switched = switched or answer != old
    return found


async def _timed(swap: Callable[[], Awaitable[object]]) -> float:
    await swap()
    return time.perf_counter()


async def of_kernel(rounds: int) -> list[Round]:
    """Measure upgrades and downgrades."""
    Provider.all.clear()
    way = WAYS["upgrade and downgrade"]
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as folder:
        async with way.kernel(Path(folder)) as kernel:
            handle = kernel.get(Work)
            await way.swap(kernel, 0)
            await way.swap(kernel, 1)
            swaps = [partial(way.swap, kernel, number) for number in range(rounds)]
            return [await one_round(handle.work, each) for each in swaps]


async def of_peer(make: Callable[[], Peer], rounds: int) -> list[Round]:
    """Measure a peer in the same harness."""
    Provider.all.clear()
    peer, first = make(), Provider()
    await first.open()
    await peer.start(first)
    found = [await one_round(peer.call, lambda: peer.swap(Provider())) for _ in range(rounds)]
    await peer.stop()
    return found


def line(name: str, rounds: list[Round]) -> list[str]:
    """Return the line of the table."""
    close = statistics.median(each.close for each in rounds) * 1e3
    held = statistics.median(each.held for each in rounds) * 1e3
    return [
        name,
        shown(round(statistics.mean(each.torn for each in rounds))),
        shown(round(statistics.mean(each.refused for each in rounds))),
        shown(sum(each.stale for each in rounds)),
        shown(close) if close >= 0 else "closed under calls",
        shown(held),
    ]


async def _measure(quick: bool) -> Section:
    rounds = 3 if quick else 9
    ours = await of_kernel(rounds)
    peers: list[Any] = list(offering("Peer"))
    lines = [line("hotswap", ours), *[line(name, await of_peer(make, rounds)) for name, make in peers]]
    rows = [
        TORN.row(sum(each.torn + each.refused for each in ours)),
        STALE.row(sum(each.stale for each in ours)),
        CLOSE.row(statistics.median(each.close for each in ours) * 1e3, quick),
    ]
    head = ("", "torn", "refused", "stale", "close after the last call, ms", "loop held, ms")
    return Section(TITLE, TEXT, rows, [Table(head, lines)])


def measure(quick: bool) -> Section:
    """Measure the kernel and every peer."""
    return asyncio.run(_measure(quick))
