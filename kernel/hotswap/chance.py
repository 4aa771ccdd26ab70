"""A provider that fell for its calls is tried again, by one call at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from hotswap.generation import Generation
from hotswap.probation import verdict
from hotswap.within import is_inside

PROOF = 3
"""Good calls, one after another, by which a provider shows that it can serve again."""


class Chance:
    """A chance for one provider; calls that do not try it go where they went.

    Args:
        candidate: returns the provider, or None while its calls would have to wait.
        tried: told of each call that tried it how it ended: with an answer, a failure (and which), or without evidence.
    """

    def __init__(
        self,
        name: str,
        candidate: Callable[[], Generation | None],
        tried: Callable[[Chance, bool | None, Exception | None], None],
    ) -> None:
        self.name = name
        self.good = 0
        self._candidate = candidate
        self._tried = tried
        self._busy = False

    def policy(self, generation: Generation) -> Chancing:
        """Return the policy of a slot that leads to ``generation``."""
        return Chancing(generation, self)

    def take(self) -> Generation | None:
        """Return the provider, if the current call is to try it.

        A call that comes from inside it is not: a provider may wrap its own port, and is never led to itself.
        """
        candidate = None if self._busy else self._candidate()
        return None if candidate is None or (candidate.leases and is_inside(candidate)) else candidate

    @contextmanager
    def call(self, candidate: Generation) -> Iterator[None]:
        """Take the call into account that is made inside; no other one tries the provider meanwhile."""
        self._busy = True
        good: bool | None = None  # who gives up, or leaves a stream early, says nothing of the provider
        failure: Exception | None = None
        try:
            yield
            good = True
        except Exception as error:
            good, failure = verdict(candidate, error), error
            raise
        finally:
            self._busy = False
            self.good += good is True
            self._tried(self, good, failure)


class Chancing:
    """The policy of a port one of whose providers is given a chance."""

    def __init__(self, generation: Generation, chance: Chance) -> None:
        self._generation = generation
        self._chance = chance

    async def call(self, method: str, invoke: Callable[[Any], Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        candidate = self._chance.take()
        if candidate is None:
            return await self._generation.call(method, invoke)
        with self._chance.call(candidate):
            return await candidate.call(method, invoke)

    async def stream(
        self, method: str, invoke: Callable[[Any], AsyncIterator[Any]], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        candidate = self._chance.take()
        if candidate is None:
            async with aclosing(self._generation.stream(method, invoke)) as items:
                async for item in items:
                    yield item
            return
        with self._chance.call(candidate):
            async with aclosing(candidate.stream(method, invoke)) as items:
                async for item in items:
                    yield item

    def target(self) -> Any:
        return self._generation.target
