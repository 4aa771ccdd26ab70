"""How many tokens a plugin may use in a minute, and an AI provider that keeps to it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack

from hotswap.errors import ResourceExhausted
from hotswap_ports.ai import (
    AIFeatures,
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    KeyPhrase,
    Label,
    ModelInfo,
    Summary,
    SummaryRequest,
    Usage,
)

WINDOW = 60.0
"""Seconds: the limit is one of tokens a minute."""
CHARACTERS_PER_TOKEN = 4
"""Of English in common vocabularies; used only where a stream ends before its provider has said what it used."""


class TokenBudget:
    """Tokens of one plugin in any 60 seconds. What a call may use is reserved before it, and settled after it.

    A reservation counts until it is settled, however long that takes, so calls at once cannot spend the same tokens.

    Args:
        limit: tokens in any 60 seconds; None: only count.
        clock: seconds from any origin.
    """

    def __init__(self, plugin: str, limit: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._plugin = plugin
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._reserved = 0

    @property
    def used(self) -> int:
        """Return the tokens used in the last 60 seconds, with those that calls under way have reserved."""
        oldest = self._clock() - WINDOW
        while self._spent and self._spent[0][0] <= oldest:
            self._sum -= self._spent.popleft()[1]
        return self._sum + self._reserved

    def reserve(self, tokens: int) -> Reservation:
        """Set tokens aside for a call.

        Raises:
            ResourceExhausted: there are fewer left, or none; ``used`` is what it would have come to.
        """
        used = self.used
        if self.limit is not None and (used >= self.limit or used + tokens > self.limit):
            raise ResourceExhausted(self._plugin, "tokens per minute", used + tokens, self.limit)
        self._reserved += tokens
        return Reservation(self, tokens)

    def _settle(self, reserved: int, spent: int) -> None:
        self._reserved -= reserved
        if spent > 0:
            self._spent.append((self._clock(), spent))
            self._sum += spent


class Reservation:
    """Tokens set aside for one call. Settled with what the call used; left without, it gives them back."""

    __slots__ = ("_budget", "_open", "tokens")

    def __init__(self, budget: TokenBudget, tokens: int) -> None:
        self._budget = budget
        self._open = True
        self.tokens = tokens

    def settle(self, spent: int) -> None:
        """Count what was used in place of what was reserved; what comes after the first time is passed over."""
        if self._open:
            self._open = False
            self._budget._settle(self.tokens, spent)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle(0)


class BudgetedAI(AIProvider):
    """An AI provider whose tokens are counted against a budget.

    Before a call its input is estimated with ``count_tokens``; a completion reserves its ``max_tokens`` as well, so
    that calls at once stay within the budget. Without ``max_tokens`` the answer is counted only when it has come. A
    provider that generates and does not say what it used is charged the estimate; one that only picks from its input
    is charged what it says. All methods that read text may raise ``ResourceExhausted``.

    Args:
        ai: gives the live handle of the provider; called for each operation.
    """

    def __init__(self, ai: Callable[[], AIProvider], budget: TokenBudget) -> None:
        self._ai = ai
        self._budget = budget

    @property
    def features(self) -> AIFeatures:  # type: ignore[override] # read only: what the provider behind it can do now
        return self._ai().features

    async def complete(self, request: CompletionRequest) -> Completion:
        ai = self._ai()
        asked = await self._estimate(ai, *(each.content for each in request.messages))
        with self._budget.reserve(asked + (request.max_tokens or 0)) as reserved:
            answer = await ai.complete(request)
            spent = answer.usage.total_tokens
            reserved.settle(spent or asked + await ai.count_tokens(answer.text))
        return answer

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        ai = self._ai()
        asked = await self._estimate(ai, *(each.content for each in request.messages))
        usage: Usage | None = None
        pieces = characters = 0
        with self._budget.reserve(asked + (request.max_tokens or 0)) as reserved:
            try:
                chunks = ai.stream(request)
                async with AsyncExitStack() as stack:
                    if isinstance(chunks, AsyncGenerator):
                        stack.push_async_callback(chunks.aclose)
                    async for chunk in chunks:
                        usage = chunk.usage or usage
                        pieces += bool(chunk.text)
                        characters += len(chunk.text)
                        yield chunk
            finally:
                # Also when the reader leaves early: no await here, since the task may be on its way out. A piece is a
                # token or more.
                if usage is not None and usage.total_tokens:
                    reserved.settle(usage.total_tokens)
                elif pieces:
                    reserved.settle(asked + max(pieces, -(-characters // CHARACTERS_PER_TOKEN)))

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        ai = self._ai()
        with self._budget.reserve(await self._estimate(ai, *request.texts)) as reserved:
            answer = await ai.embed(request)
            reserved.settle(answer.usage.total_tokens or self._unsaid(ai, reserved))
        return answer

    async def summarize(self, request: SummaryRequest) -> Summary:
        ai = self._ai()
        with self._budget.reserve(await self._estimate(ai, *request.texts, request.focus or "")) as reserved:
            answer = await ai.summarize(request)
            reserved.settle(answer.usage.total_tokens or self._unsaid(ai, reserved))
        return answer

    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        ai = self._ai()
        with self._budget.reserve(await self._estimate(ai, text)) as reserved:
            answer = await ai.key_phrases(text, limit=limit)
            reserved.settle(self._unsaid(ai, reserved))
        return answer

    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        ai = self._ai()
        with self._budget.reserve(await self._estimate(ai, text, *labels)) as reserved:
            answer = await ai.classify(text, labels)
            reserved.settle(self._unsaid(ai, reserved))
        return answer

    async def models(self) -> tuple[ModelInfo, ...]:
        return await self._ai().models()

    async def count_tokens(self, text: str) -> int:
        return await self._ai().count_tokens(text)

    async def _estimate(self, ai: AIProvider, *texts: str) -> int:
        # One call for all texts: what joins them adds a token each at most, and settling puts that right.
        return await ai.count_tokens("\n".join(texts)) if self._budget.limit is not None else 0

    @staticmethod
    def _unsaid(ai: AIProvider, reserved: Reservation) -> int:
        return reserved.tokens if ai.features.generative else 0
