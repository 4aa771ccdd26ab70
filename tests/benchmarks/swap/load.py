"""Callers that call without a pause, and what became of their calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

from attrs import frozen

from tests.benchmarks.swap.work import CALL, Closed, Provider

CALLERS = 64

Call = Callable[[], Awaitable[str]]
Swap = Callable[[int], Awaitable[object]]


class Refused(RuntimeError):
    """Nobody was there to take a call."""


@frozen
class Done:
    """One call as its caller saw it; times in seconds of ``time.perf_counter``."""

    caller: int
    started: float
    ended: float
    label: str = ""
    """Who answered; empty where nobody did."""
    error: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Return whether a provider had taken the call, and could not end it."""
        return self.error is not None and isinstance(self.error.__cause__ or self.error, Closed)

    @property
    def refused(self) -> bool:
        """Return whether no provider took the call."""
        return self.error is not None and not self.failed


@frozen
class Swapped:
    """One swap: when it was asked for, and when the caller of it went on."""

    begun: float
    ended: float


@frozen
class Outcome:
    """What a load came to."""

    calls: tuple[Done, ...]
    swaps: tuple[Swapped, ...]
    taken: int
    """Calls that providers counted; more than were made means that somebody tried again behind the caller's back."""

    @property
    def made(self) -> int:
        """Return how many calls were made."""
        return len(self.calls)

    @property
    def failed(self) -> int:
        """Return how many calls failed in a provider that closed."""
        return sum(each.failed for each in self.calls)

    @property
    def refused(self) -> int:
        """Return how many calls found nobody."""
        return sum(each.refused for each in self.calls)

    @property
    def retried(self) -> int:
        """Return how many calls reached a provider more than once."""
        return max(0, self.taken - (len(self.calls) - self.refused))

    @property
    def p99(self) -> float:
        """Return the 99th percentile of the calls' times, in seconds."""
        times = sorted(each.ended - each.started for each in self.calls)
        return times[math.ceil(0.99 * len(times)) - 1] if times else math.nan

    @property
    def unseen(self) -> int:
        """Return how many swaps left the calls that began after them where they had been before."""
        labels = [self._labels_after(number) for number in range(-1, len(self.swaps))]
        return sum(not after.isdisjoint(before) for before, after in pairwise(labels))

    @property
    def stale(self) -> int:
        """Return how many calls began after a swap had returned, and went where calls had gone before it."""
        found = 0
        for number, swap in enumerate(self.swaps):
            before = self._labels_after(number - 1)
            until = self.swaps[number + 1].begun if number + 1 < len(self.swaps) else math.inf
            found += sum(swap.ended < each.started < until and each.label in before for each in self.calls)
        return found

    def _labels_after(self, number: int) -> set[str]:
        """Return who answered the calls that began between the end of a swap (-1: the start) and the next one."""
        since = self.swaps[number].ended if number >= 0 else -math.inf
        until = self.swaps[number + 1].begun if number + 1 < len(self.swaps) else math.inf
        return {each.label for each in self.calls if each.label and since < each.started < until}


async def loaded(
    call: Call, seconds: float, *, callers: int = CALLERS, swap: Swap | None = None, swaps: int = 0, reached: int = 1
) -> Outcome:
    """Let ``callers`` call for ``seconds`` while ``swaps`` swaps take place, evenly spread, one after another.

    ``reached`` is how many providers one call reaches.
    """
    counted = _counted()
    calls: list[Done] = []
    over = asyncio.Event()
    tasks = [asyncio.create_task(_caller(number, call, calls, over)) for number in range(callers)]
    try:
        done = await _swaps(swap, swaps, seconds) if swap is not None else await asyncio.sleep(seconds, [])
    finally:
        over.set()
        await asyncio.gather(*tasks)
    return Outcome(tuple(calls), tuple(done), (_counted() - counted) // reached)


def _counted() -> int:
    return sum(each.calls for each in Provider.all)


async def _caller(number: int, call: Call, calls: list[Done], over: asyncio.Event) -> None:
    while not over.is_set():
        started = time.perf_counter()
        try:
            label = await call()
        except Exception as error:
            calls.append(Done(number, started, time.perf_counter(), error=error))
            await _until(started + CALL)  # who is refused goes on with something else: it does not try again at once
            continue
        calls.append(Done(number, started, time.perf_counter(), label))


async def _swaps(swap: Swap, swaps: int, seconds: float) -> list[Swapped]:
    """Swap in the middle of each of ``swaps`` equal parts of the time, with some calls between one and the next."""
    start = time.perf_counter()
    done: list[Swapped] = []
    for number in range(swaps):
        earliest = done[-1].ended + 2 * CALL if done else start
        await _until(max(earliest, start + (number + 0.5) * seconds / swaps))
        begun = time.perf_counter()
        await swap(number)
        done.append(Swapped(begun, time.perf_counter()))
    await _until(max(start + seconds, time.perf_counter() + 0.5 * seconds / swaps))
    return done


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
