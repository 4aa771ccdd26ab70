"""A plugin's tokens: counted, reserved before a call, settled after it, given back when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from attrs import evolve

from hotswap.errors import ResourceExhausted
from hotswap.token_budget import WINDOW, BudgetedAI, TokenBudget
from hotswap_ports.ai import (
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    Message,
    SummaryRequest,
    Usage,
)
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, Unavailable
from hotswap_ports.testing import AIContract, MemoryAI


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> TokenBudget:
    return TokenBudget("news", 20, clock)


def ask(words: int, max_tokens: int | None = None) -> CompletionRequest:
    """Return a request of so many tokens."""
    return CompletionRequest((Message("user", " ".join(["word"] * words)),), max_tokens=max_tokens)


def over(ai: AIProvider, budget: TokenBudget) -> BudgetedAI:
    """Return ``ai`` with the budget around it."""
    return BudgetedAI(lambda: ai, budget)


class Silent(MemoryAI):
    """A provider that does not say what it used."""

    async def complete(self, request: CompletionRequest) -> Completion:
        return evolve(await super().complete(request), usage=Usage())

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        return evolve(await super().embed(request), usage=Usage())

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        async for each in super().stream(request):
            yield evolve(each, usage=None)


class TestContract(AIContract):
    """Within its budget it is the provider behind it."""

    @pytest.fixture
    def ai(self, clock: Clock) -> BudgetedAI:
        return over(MemoryAI(("In the shallow river.", "South.")), TokenBudget("news", 1_000_000, clock))


class TestUnlimited(AIContract):
    """Without a limit it only counts."""

    @pytest.fixture
    def ai(self, clock: Clock) -> BudgetedAI:
        return over(MemoryAI(), TokenBudget("news", None, clock))


async def test_a_budget_is_one_of_any_minute(budget: TokenBudget, clock: Clock) -> None:
    """Tokens count for 60 seconds from the end of their call; what would go over the limit is refused before it."""
    ai = over(MemoryAI("one two"), budget)
    await ai.complete(ask(8))
    clock.now += WINDOW / 2
    await ai.complete(ask(6))
    assert budget.used == 18
    with pytest.raises(ResourceExhausted) as caught:
        await ai.complete(ask(3))
    assert (caught.value.plugin, caught.value.resource) == ("news", "tokens per minute")
    assert (caught.value.used, caught.value.limit) == (21, 20)
    clock.now += WINDOW / 2
    assert budget.used == 8
    await ai.complete(ask(3))
    assert budget.used == 13
    clock.now += WINDOW
    assert budget.used == 0


async def test_nothing_goes_through_a_spent_budget(budget: TokenBudget) -> None:
    """Where an answer came out longer than expected, even a call without tokens waits for the next minute."""
    await over(MemoryAI(" ".join(["word"] * 30)), budget).complete(ask(1))
    assert budget.used == 31
    with pytest.raises(ResourceExhausted):
        await over(MemoryAI(), budget).embed(EmbeddingRequest(()))


async def test_max_tokens_are_reserved(budget: TokenBudget) -> None:
    """A completion sets its max_tokens aside, and what it did not use is free again after it."""
    ai = over(MemoryAI("one"), budget)
    with pytest.raises(ResourceExhausted):
        await ai.complete(ask(1, max_tokens=20))
    await ai.complete(ask(1, max_tokens=19))
    assert budget.used == 2


async def test_calls_at_once_cannot_spend_the_same_tokens(budget: TokenBudget) -> None:
    """Of ten calls under way together, only as many begin as the budget has room for."""
    entered = asyncio.Event()
    release = asyncio.Event()

    class Slow(MemoryAI):
        async def complete(self, request: CompletionRequest) -> Completion:
            entered.set()
            await release.wait()
            return await super().complete(request)

    ai = over(Slow("one two three"), budget)
    calls = [asyncio.ensure_future(ai.complete(ask(2, max_tokens=3))) for _ in range(10)]
    await entered.wait()
    release.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(each, Completion) for each in results) == 4
    assert sum(isinstance(each, ResourceExhausted) for each in results) == 6
    assert budget.used == 20


async def test_a_reservation_outlives_the_window(budget: TokenBudget, clock: Clock) -> None:
    """What a long call reserved stays reserved until the call ends."""
    with budget.reserve(15) as reserved:
        clock.now += 10 * WINDOW
        assert budget.used == 15
        reserved.settle(4)
        reserved.settle(9)
    assert budget.used == 4


@pytest.mark.parametrize("error", [Unavailable("down"), asyncio.CancelledError()])
async def test_a_failed_call_gives_back(budget: TokenBudget, error: BaseException) -> None:
    """A call that fails, or is cancelled, has used nothing."""

    def answer(request: CompletionRequest) -> str:
        raise error

    ai = over(MemoryAI(answer), budget)
    with pytest.raises(type(error)):
        await ai.complete(ask(3, max_tokens=9))
    with pytest.raises(type(error)):
        await anext(ai.stream(ask(3)))
    assert budget.used == 0


async def test_refusals_of_the_provider_pass(budget: TokenBudget) -> None:
    """What the provider refuses is the provider's error, and costs nothing."""
    ai = over(MemoryAI(), budget)
    with pytest.raises(FeatureUnsupported):
        await ai.complete(ask(1))
    with pytest.raises(InvalidRequest):
        await ai.classify("text", ())
    assert budget.used == 0


async def test_a_stream_settles_with_its_usage(budget: TokenBudget) -> None:
    """A stream read to its end costs what its last piece says, and reserves before its first."""
    ai = over(MemoryAI("one two three"), budget)
    stream = ai.stream(ask(4, max_tokens=10))
    assert (await anext(stream)).text == "one"
    assert budget.used == 14
    assert [each.text async for each in stream] == [" two", " three", ""]
    assert budget.used == 7
    with pytest.raises(ResourceExhausted):
        await anext(ai.stream(ask(4, max_tokens=10)))


async def test_a_stream_closed_early_settles_with_what_it_yielded(budget: TokenBudget) -> None:
    """A reader that leaves pays for the question and for the pieces it got, a token for four characters or a piece."""
    ai = over(MemoryAI("one two abcdefghijk"), budget)
    for pieces, cost in ((2, 5), (3, 8)):
        before = budget.used
        stream = ai.stream(ask(3, max_tokens=4))
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert budget.used - before == cost
    unread = ai.stream(ask(3))
    await unread.aclose()  # type: ignore[attr-defined]
    assert budget.used == 13


async def test_a_provider_that_does_not_say_is_charged_the_estimate(budget: TokenBudget) -> None:
    """Where a model does not report its usage, its input is counted, and the text it wrote."""
    ai = over(Silent("one two"), budget)
    await ai.complete(ask(3))
    assert budget.used == 5
    assert len([each async for each in ai.stream(ask(1))]) == 3
    assert budget.used == 8
    await ai.embed(EmbeddingRequest(("one two", "three")))
    assert budget.used == 11
    await ai.key_phrases("one two")
    await ai.classify("one", ("two",))
    assert budget.used == 15
    await ai.summarize(SummaryRequest(("One two.",), focus="two"))
    assert budget.used == 19


async def test_a_provider_that_only_picks_is_charged_what_it_says(budget: TokenBudget) -> None:
    """Where nothing is generated, only reported tokens count."""
    ai = over(Silent(), budget)
    await ai.embed(EmbeddingRequest(("one two",)))
    await ai.summarize(SummaryRequest(("One two.",)))
    await ai.key_phrases("one two")
    await ai.classify("one", ("two",))
    assert budget.used == 0
    await over(MemoryAI(), budget).embed(EmbeddingRequest(("one two",)))
    assert budget.used == 2
    with pytest.raises(ResourceExhausted):
        await ai.key_phrases(" ".join(["word"] * 19))


async def test_without_a_limit_tokens_are_counted_alike(clock: Clock) -> None:
    """An unlimited plugin is charged what is reported, and nothing is refused."""
    budget = TokenBudget("news", None, clock)
    ai = over(MemoryAI("one two"), budget)
    answer = await ai.complete(ask(1_000))
    assert answer.usage == Usage(1_000, 2, Decimal(0))
    assert budget.used == 1_002


async def test_a_stream_may_be_any_iterator(budget: TokenBudget) -> None:
    """A provider's stream that cannot be closed is read all the same."""

    class Pieces:
        def __init__(self) -> None:
            self.left = ["a", "b"]

        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> CompletionChunk:
            if not self.left:
                raise StopAsyncIteration
            return CompletionChunk(self.left.pop(0))

    class Odd(MemoryAI):
        def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
            return Pieces()

    assert [each.text async for each in over(Odd("x"), budget).stream(ask(1))] == ["a", "b"]
    assert budget.used == 3
