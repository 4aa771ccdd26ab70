"""A port, a clock that the test moves, and two providers that do what the test says: for tests of trials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

from hotswap.generation import Generation, Provider
from hotswap.relays import Policy, relayed
from hotswap.slots import Slot
from hotswap.trials.bounds import AbortIf, Bounds
from hotswap.trials.canary import Canary
from hotswap.trials.course import Course
from hotswap.trials.shadow import Shadowing
from hotswap.trials.stats import Kind
from hotswap.trials.terms import CanaryTerms, ShadowTerms
from hotswap_ports import Port
from tests.waiting import until


class Counter(Port):
    """A port of the tests' own: counts."""

    PORT: ClassVar[str] = "counter"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset({"count", "items"})

    features: str = ""

    async def count(self, number: int) -> int:
        """Return a number."""
        raise NotImplementedError

    def items(self, number: int) -> AsyncIterator[int]:
        """Yield numbers."""
        raise NotImplementedError

    async def write(self, number: int) -> None:
        """Change something."""


class Now:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Scripted(Counter):
    """Does in each call what it is told: ``act(number)`` returns an answer, raises, or moves the clock."""

    def __init__(self, name: str, act: Callable[[int], Any]) -> None:
        self.features = name
        self.act = act
        self.asked: list[int] = []
        self.gate: asyncio.Event | None = None

    async def count(self, number: int) -> int:
        self.asked.append(number)
        if self.gate is not None:
            await self.gate.wait()
        answer: int = self.act(number)
        return answer

    async def items(self, number: int) -> AsyncIterator[int]:
        self.asked.append(number)
        for each in range(number):
            if self.gate is not None:
                await self.gate.wait()
            yield self.act(each)

    async def write(self, number: int) -> None:
        self.asked.append(number)


class Parts:
    """A trial with its two providers behind one slot, without a kernel."""

    def __init__(
        self,
        kind: Kind = "canary",
        *,
        current: Callable[[int], Any] = lambda number: number,
        candidate: Callable[[int], Any] = lambda number: number,
    ) -> None:
        self.now = Now()
        self.current, self.candidate = Scripted("old", current), Scripted("new", candidate)
        self.old = Generation(Provider("counter", "old", "old", "1.0.0"), self.current, 1)
        self.new = Generation(Provider("counter", "new", "new", "1.0.0"), self.candidate, 2)
        self.course = Course(kind, self.old.provider, self.new.provider, self.now)
        self.slot = Slot(Counter)
        self.handle: Any = self.slot.handle()

    def lead(self, policy: Policy) -> None:
        """Let the slot lead where ``policy`` says."""
        self.slot.generation = relayed(Counter, self.old.provider, policy)

    def canary(
        self, share: float = 0.05, abort_if: AbortIf | None = None, promote_after: int = 500, min_seconds: float = 0.0
    ) -> Canary:
        """Begin a canary."""
        terms = CanaryTerms(share, Bounds() if abort_if is None else abort_if, promote_after, min_seconds)
        canary = Canary(self.course, self.new, terms)
        self.lead(canary.beside(self.old))
        return canary

    def shadow(self, methods: frozenset[str] = Counter.READS, **terms: Any) -> Shadowing:
        """Begin a shadow."""

        def redact(text: str) -> str:
            return text.replace("hunter2", "***")

        shadowing = Shadowing(self.course, self.new, ShadowTerms(methods, **terms), redact)
        self.lead(shadowing.beside(self.old))
        return shadowing

    def takes(self, old: float, new: float) -> None:
        """Let each call take so many seconds of the clock."""

        def wait(seconds: float, number: int) -> int:
            self.now.seconds += seconds
            return number

        self.current.act = lambda number: wait(old, number)
        self.candidate.act = lambda number: wait(new, number)


async def settled(shadowing: Shadowing) -> None:
    """Wait until no repeated call is under way."""
    await until(lambda: not shadowing._tasks)
