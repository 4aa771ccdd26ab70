"""Ratios that hold still: thread CPU time, each case between two runs of its base, medians over rounds."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable

Case = Callable[[], Awaitable[object]]


async def _spent(case: Case) -> int:
    start = time.thread_time_ns()
    await case()
    return time.thread_time_ns() - start


async def ratio(case: Case, base: Case, rounds: int) -> float:
    """Return the median over ``rounds`` of the case's CPU time by the mean of its two neighbouring base runs."""
    await case()
    await base()
    found = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            before = await _spent(base)
            middle = await _spent(case)
            after = await _spent(base)
            found.append(2 * middle / (before + after))
    finally:
        gc.enable()
    return statistics.median(found)
