"""What every adapter owes a caller that gives up: the call ends as cancelled, soon, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from itertools import product

from hotswap_ports.testing.contracts.conduct import CALLS, Work, leaves_nothing_behind

ROUNDS = (0, 1, 2, 3, 5, 8, 13)
"""Rounds of the event loop after which a call is given up."""
SHARES = (0.2, 0.5, 0.8)
"""Shares of the time that the whole call took, for what waits for something outside of the loop."""
PATIENCE = 10.0
"""Seconds that a cancelled call may take to end: more than anything needs that has noticed."""


async def ends_when_cancelled(call: Work) -> None:
    """Fail where a call that is cancelled goes on, swallows the cancellation or makes another error of it."""
    begun = time.perf_counter()
    await call()
    whole = time.perf_counter() - begun
    for rounds in ROUNDS:
        await _given_up(await _begun(call, rounds))
    for share in SHARES:
        task = asyncio.ensure_future(call())
        await asyncio.wait({task}, timeout=whole * share)
        await _given_up(task)


async def leaves_nothing_behind_when_cancelled(*calls: Work) -> None:
    """Fail where each of many calls that are cancelled on their way leaves a task, a thread or an open file.

    A pool of threads may grow first: those whose call was given up are at work still when the next call begins.
    """

    async def cancelled() -> None:
        for call, rounds in product(calls, ROUNDS[2::2]):
            await _given_up(await _begun(call, rounds))

    for _ in range(CALLS):
        await cancelled()
    await leaves_nothing_behind(cancelled)


async def _begun(call: Work, rounds: int) -> asyncio.Future[object]:
    task = asyncio.ensure_future(call())
    for _ in range(rounds):
        await asyncio.sleep(0)
    return task


async def _given_up(task: asyncio.Future[object]) -> None:
    if task.done():
        await task  # it took no longer; what it raises is shown
        return
    task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=PATIENCE)
    assert ended, f"a cancelled call was still going on after {PATIENCE:g} s"
    if not task.cancelled():
        raise AssertionError("a cancelled call ended otherwise than as cancelled") from task.exception()
