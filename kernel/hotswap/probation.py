"""Calls that are counted, of a provider whose calls have begun to fail. Before that none is, and nothing is paid."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from hotswap.errors import HotswapError
from hotswap.generation import Generation
from hotswap.stuck import came_from_elsewhere
from hotswap_ports import AdapterFailed, NotReady, NotWritable, RateLimited, TimedOut, Unavailable

WINDOW = 20
"""Calls that a verdict looks back on, and good ones in a row that end the suspicion."""
FAILURES = 3
"""Fewer failures than this may be bad luck; so may any number of them that is less than half."""
QUIET = 30.0
"""Seconds without a failure that end the suspicion too, where calls are few."""

DOWN = (AdapterFailed, Unavailable, TimedOut, NotReady, NotWritable)
"""What a provider raises that cannot serve. Any other error of a port is an answer: it is about what was asked."""


def verdict(generation: Generation, error: Exception) -> bool | None:
    """Return what an error that a call ended with says of its provider: an answer (True), a failure, or nothing (None).

    Nothing, where it came from another provider that this one called, or is the kernel's own. ``RateLimited`` says
    nothing either: the provider is there, it says when to come back, and callers that are too fast would be so with the
    next one; a plugin whose quota is used up says so in its health.
    """
    if isinstance(error, HotswapError | RateLimited):
        return None
    if not isinstance(error, DOWN):
        return True
    return None if came_from_elsewhere(error, generation.provider) else False


class Probation:
    """What the last calls of a provider came to.

    Failures are told of by the generation itself. Good calls are counted where they are made (``Counted``); those that
    were inside already when the suspicion arose are known by having left without a failure, so that a busy provider is
    not condemned for a few bad calls among many.

    Args:
        proven: good calls that it begins with.
        weigh: called after each call that was counted.
    """

    def __init__(self, generation: Generation, now: float, proven: int, weigh: Callable[[Probation], None]) -> None:
        self.generation = generation
        self.reason = ""
        """The last failure."""
        self.ends = now + QUIET
        self._weigh = weigh
        self._calls = deque([True] * proven, WINDOW)
        self._counted = 0
        self._uncounted = generation.leases
        self._failed = 0
        """Calls that failed since ``_uncounted`` was read, and are no good ones when they leave."""

    def failed(self, reason: str, now: float) -> None:
        """Note a failure; its call is still inside."""
        self._catch_up()
        self._calls.append(False)
        self._failed += 1
        self.reason, self.ends = reason, now + QUIET

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count the call that is made inside."""
        self._counted += 1
        good: bool | None = None  # who gives up, or leaves a stream early, says nothing of the provider
        try:
            yield
            good = True
        except Exception as error:
            good = verdict(self.generation, error)
            raise
        finally:
            self._counted -= 1
            self._catch_up()
            if good:
                self._calls.append(True)
            self._weigh(self)

    def _catch_up(self) -> None:
        """Find out how many of the calls that are not counted have left, and take those for good that did not fail."""
        inside = self.generation.leases - self._counted
        left = self._uncounted - inside - self._failed
        self._calls.extend([True] * min(left, WINDOW))
        self._uncounted, self._failed = inside, 0

    @property
    def down(self) -> bool:
        """Return whether the provider has to be taken for down."""
        failed = self._calls.count(False)
        return failed >= FAILURES and 2 * failed >= len(self._calls)

    def over(self, now: float) -> bool:
        """Return whether the suspicion has come to nothing."""
        return now >= self.ends or (len(self._calls) == WINDOW and False not in self._calls)

    def __str__(self) -> str:
        return (
            f"{self._calls.count(False)} of its last {len(self._calls)} calls failed, the last one with: {self.reason}"
        )


class Counted:
    """The policy of a slot while there is suspicion: all calls as they are, and counted."""

    def __init__(self, generation: Generation, probation: Probation) -> None:
        self._generation = generation
        self._probation = probation

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        with self._probation.call():
            return await self._generation.call(method, invoke)

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        with self._probation.call():
            async with aclosing(self._generation.stream(method, invoke)) as items:
                async for item in items:
                    yield item

    def target(self) -> Any:
        return self._generation.target
