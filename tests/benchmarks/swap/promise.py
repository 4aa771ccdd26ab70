"""64 callers without a pause, 30 swaps in 3 seconds: what the callers notice, for each way to change a provider."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.benchmarks.rows import Row
from tests.benchmarks.swap.load import Call, Outcome, Swap, loaded
from tests.benchmarks.swap.peers import Peer, offering
from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.benchmarks.swap.ways import WAYS, Way
from tests.benchmarks.swap.work import Provider

PART, SWAPS, PARTS = 0.2, 2, 15
"""Seconds of a part of the load, swaps in it, and how many parts with swaps there are."""

TITLE = "Calls under way while providers are swapped"
TEXT = """\
64 callers call without a pause, each call takes 10 ms, 30 swaps take place in 3 s. A provider fails every call that is
still open when it closes. Failed: a provider closed under the call. Refused: nobody took it. Retried: it reached a
provider twice; callers try nothing again. Stale: it began after a swap had returned, and went where calls had gone
before. Added p99: the load alternates, 0.2 s with two swaps and 0.2 s with none; the 99th percentile of the calls'
times in a part with swaps, less the mean of those of its two neighbours; the median over all parts. Noise: the median
of the difference between these neighbours, which other programs on the machine make. Opening a provider takes 2 ms
where the library has a way to wait for it. Where a provider cannot be open twice, calls wait while the old one drains
and closes and the new one opens, so there is no bound on the time added. Where nothing in a library knows of calls, the
old provider is closed when the new one is in its place."""

LOST = Bound("{}: calls failed, refused or retried", 0)
STALE = Bound("{}: calls that went to the old one after the swap had returned", 0)
LATENCY = Bound("{}: p99 latency added beyond the noise, ms", 5.0, quick=100.0)


@frozen
class Measured:
    """A load in parts, with swaps and without by turns: one part more without."""

    name: str
    quiet: tuple[Outcome, ...]
    swapped: tuple[Outcome, ...]

    @property
    def added(self) -> float:
        """Return the milliseconds that swaps add to the 99th percentile."""
        around = [(before.p99 + after.p99) / 2 for before, after in pairwise(self.quiet)]
        return statistics.median(each.p99 - base for each, base in zip(self.swapped, around, strict=True)) * 1e3

    @property
    def noise(self) -> float:
        """Return the milliseconds by which neighbouring parts without swaps differ."""
        return statistics.median(abs(before.p99 - after.p99) for before, after in pairwise(self.quiet)) * 1e3

    def count(self, what: str) -> int:
        """Return a count over all parts with swaps: ``failed``, ``stale``, ..."""
        return sum(getattr(each, what) for each in self.swapped)

    @property
    def lost(self) -> int:
        """Return how many calls did not come to their end at the first try."""
        return self.count("failed") + self.count("refused") + self.count("retried")

    def rows(self, quick: bool, *, waits: bool) -> list[Row]:
        """Return the rows of one way; where calls are to wait for the swap, there is no bound on how long."""
        rows = [
            LOST.of(self.name).row(self.lost),
            STALE.of(self.name).row(self.count("stale") + self.count("unseen")),
        ]
        return rows if waits else [*rows, LATENCY.of(self.name).row(max(0.0, self.added - self.noise), quick)]

    def line(self) -> list[str]:
        """Return the line of the table."""
        counts = map(self.count, ("made", "failed", "refused", "retried", "stale"))
        return [self.name, *map(shown, (*counts, self.added, self.noise))]


def bounds() -> list[Bound]:
    """Return what is promised, for every way there is."""
    return [
        bound.of(name)
        for name, way in WAYS.items()
        for bound in ((LOST, STALE) if way.waits else (LOST, STALE, LATENCY))
    ]


async def measured(name: str, call: Call, swap: Swap, *, parts: int, reached: int = 1) -> Measured:
    """Load without swaps, and ``parts`` times with two and without; a call reaches ``reached`` providers."""
    quiet, swapped = [await loaded(call, PART, reached=reached)], []
    for part in range(parts):
        numbered = partial(_numbered, swap, part * SWAPS)
        swapped.append(await loaded(call, PART, swap=numbered, swaps=SWAPS, reached=reached))
        quiet.append(await loaded(call, PART, reached=reached))
    return Measured(name, tuple(quiet), tuple(swapped))


def _numbered(swap: Swap, first: int, number: int) -> Awaitable[object]:
    return swap(first + number)


async def of_way(way: Way, parts: int = PARTS) -> Measured:
    """Measure one way, in a kernel of its own."""
    Provider.all.clear()
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as folder:
        async with way.kernel(Path(folder)) as kernel:

            async def swap(number: int) -> None:
                await way.swap(kernel, number)

            return await measured(way.name, way.call(kernel), swap, parts=parts, reached=way.reached)


async def of_peer(name: str, make: Callable[[], Peer], parts: int = PARTS) -> Measured:
    """Measure a peer in the same harness."""
    Provider.all.clear()
    peer, first = make(), Provider()
    await first.open()
    await peer.start(first)

    def swap(number: int) -> Awaitable[Any]:
        return peer.swap(Provider())

    try:
        return await measured(name, peer.call, swap, parts=parts)
    finally:
        await peer.stop()


async def _measure(quick: bool) -> Section:
    parts = 3 if quick else PARTS
    ways = [await of_way(each, parts) for each in WAYS.values()]
    peers: list[Any] = list(offering("Peer"))
    others = [await of_peer(name, make, parts) for name, make in peers]
    head = ("", "calls", "failed", "refused", "retried", "stale", "added p99, ms", "noise, ms")
    tables = [Table(head, [each.line() for each in (*ways, *others)])]
    rows = [row for each in ways for row in each.rows(quick, waits=WAYS[each.name].waits)]
    return Section(TITLE, TEXT, rows, tables)


def measure(quick: bool) -> Section:
    """Measure every way, and every peer."""
    return asyncio.run(_measure(quick))
