"""A canary that fails a fifth of its calls, and what a call costs that a trial directs.

64 callers make as many calls as give the candidate 200 at its share of 5 %: 4,000 of 10 ms each. Every seed is another
pattern of failures; the rows are the worst seed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import frozen
from loguru import logger

from hotswap import Bounds, Kernel
from hotswap.generation import Generation, Provider
from hotswap.relays import relayed
from hotswap.slots import Slot
from hotswap.trials.canary import Canary
from hotswap.trials.course import Course
from hotswap.trials.shadow import Shadowing
from hotswap.trials.stats import Kind
from hotswap.trials.terms import CanaryTerms, ShadowTerms
from hotswap_ports import Storage, Unavailable
from tests.benchmarks.calls import CALLS, Instant
from tests.benchmarks.rows import Row, print_rows
from tests.benchmarks.timing import ratio
from tests.plugin_folder import Clock, Greeter, settings, write_plugin

CALLERS = 64
SHARE = 0.05
CANARY_CALLS = 200
ALL_CALLS = round(CANARY_CALLS / SHARE)
AFFECTED = 0.005
MEASURED, ALONE = 16.0, 6.0
"""A call under a trial by a live one that does not suspend, which takes about 0.2 microseconds: three more coroutines,
and with a canary the time twice, a count, and a place in the window of latencies."""

PLUGIN = """
    import asyncio
    import random

    from hotswap_ports import PluginContext, Unavailable
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        def __init__(self, context: PluginContext):
            self.chance = random.Random(context.config.get("seed", 0))
            self.rate = context.config.get("rate", 0.0)
        async def greet(self, name, *, loud=False):
            await asyncio.sleep(0.01)
            if self.chance.random() < self.rate:
                raise Unavailable("no luck")
            return name
"""


@frozen
class Outcome:
    """One seed: what the candidate was given until it was sent back, and what all callers saw fail."""

    canary_calls: int
    failed: int
    back: bool


async def _seed(kernel: Kernel, seed: int) -> Outcome:
    await kernel.configure("new", {"seed": seed, "rate": 0.2})
    trial = await kernel.select(Greeter, "new", canary=SHARE)
    handle, failed, left = kernel.get(Greeter), 0, ALL_CALLS

    async def caller() -> None:
        nonlocal failed, left
        while left > 0:
            left -= 1
            try:
                await handle.greet("x")
            except Unavailable:
                failed += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    verdict = await trial.stop()
    return Outcome(verdict.stats.candidate.calls, failed, verdict.outcome == "aborted")


async def canary(quick: bool) -> list[Row]:
    """Return the rows of a candidate that fails a fifth of its calls: the worst of several seeds."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("old", "new"):
            access = {"config_access": True}
            write_plugin(Path(folder), name, PLUGIN, provides={"greeter": "Hello"}, capabilities=access)
        chosen = settings(Path(folder), "old", "new", ports={"greeter": ("old",)})
        async with Kernel(chosen, ports=[Greeter, Clock], environ={}) as kernel:
            found = [await _seed(kernel, seed) for seed in range(5 if quick else 40)]
    assert all(each.back for each in found), "every candidate that fails 20 % goes back"
    failed = max(each.failed for each in found)
    name = f"{CALLERS} callers, a candidate that fails 20 %, worst of {len(found)} seeds"
    return [
        Row(f"{name}: canary calls until it is back", max(each.canary_calls for each in found), CANARY_CALLS),
        Row(f"{name}: share of all calls that failed", failed / ALL_CALLS, AFFECTED),
    ]


def _routed(kind: Kind) -> tuple[Storage, Storage]:
    """Return a handle behind a trial and a plain one, both of adapters that answer at once."""
    old, new = (
        Generation(Provider("storage", name, name, "1.0.0"), Instant(), number)
        for number, name in enumerate(("old", "new"))
    )
    plain, routed = Slot(Storage), Slot(Storage)
    plain.generation = old
    course = Course(kind, old.provider, new.provider, time.monotonic)
    if kind == "canary":
        terms = CanaryTerms(SHARE, Bounds(p95_ratio=None), 10**9, 0.0)
        routed.generation = relayed(Storage, old.provider, Canary(course, new, terms).beside(old))
    else:
        shadowing = Shadowing(course, new, ShadowTerms(frozenset()), str)
        routed.generation = relayed(Storage, old.provider, shadowing.beside(old))
    first, second = routed.handle(), plain.handle()
    assert isinstance(first, Storage)
    assert isinstance(second, Storage)
    return first, second


async def _cost(kind: Kind, rounds: int) -> float:
    routed, plain = _routed(kind)

    def reads(storage: Storage) -> Callable[[], Awaitable[None]]:
        async def read() -> None:
            for _ in range(CALLS):
                await storage.read("key")

        return read

    return await ratio(reads(routed), reads(plain), rounds)


def measure(quick: bool) -> list[Row]:
    """Return the rows of this benchmark."""
    rounds = 5 if quick else 15
    logger.disable("hotswap.trials")  # a line for each seed
    try:
        failing = asyncio.run(canary(quick))
    finally:
        logger.enable("hotswap.trials")
    return [
        *failing,
        Row("a call under a canary / a live call", asyncio.run(_cost("canary", rounds)), MEASURED),
        Row("a call of a method that a shadow leaves alone / a live call", asyncio.run(_cost("shadow", rounds)), ALONE),
    ]


if __name__ == "__main__":
    sys.exit(not print_rows(measure("--quick" in sys.argv)))
