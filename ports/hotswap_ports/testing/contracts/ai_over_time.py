"""``AIOverTime``: the part of ``AIContract`` about long and cancelled calls, many at once, and closing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest

from hotswap_ports.ai import AIProvider, EmbeddingRequest, Summary, SummaryRequest
from hotswap_ports.errors import Unavailable
from hotswap_ports.testing.contracts.ai_examples import BIRDS, calls_with, outcome_of
from hotswap_ports.testing.contracts.cancellation import ends_when_cancelled, leaves_nothing_behind_when_cancelled
from hotswap_ports.testing.contracts.completion import CompletionContract
from hotswap_ports.testing.contracts.conduct import Work, leaves_nothing_behind, leaves_the_loop_free

Reopen = Callable[[AIProvider], AbstractAsyncContextManager[AIProvider]]


class AIOverTime(CompletionContract):
    """Inherited by ``AIContract``."""

    TEXT: ClassVar[str] = (
        "The heron stands in the shallow river and waits for fish. "
        "Herons nest in tall trees near the river. "
        "A fish that swims too near the heron is caught at once. "
        "In winter the river freezes and the heron moves south."
    )

    @pytest.fixture
    def reopen(self) -> Reopen | None:
        """Return a function that closes a provider and opens another with the same settings; None: skip that."""
        return None

    async def test_calls_at_once_do_not_mix(self, ai: AIProvider) -> None:
        """Ten calls at the same time give what each gives alone."""
        texts = [f"The {name} stands in the river. It waits." for name in BIRDS]
        calls: list[Callable[[str], Awaitable[object]]] = [
            lambda text: ai.summarize(SummaryRequest((text,), max_sentences=1)),
            lambda text: ai.key_phrases(text, limit=3),
            lambda text: ai.classify(text, BIRDS),
            ai.count_tokens,
        ]
        alone = [await call(text) for text in texts for call in calls]
        together = await asyncio.gather(*(call(text) for text in texts * 2 for call in calls))
        for one, other in zip(alone * 2, together, strict=True):
            if isinstance(one, Summary) and isinstance(other, Summary):
                one, other = one.sentences, other.sentences
            assert one == other

    async def test_a_long_text_is_taken_or_refused(self, ai: AIProvider) -> None:
        """A book's chapter ends in an answer within its bounds or in a port error, and the event loop stays free."""
        long = " ".join(f"The {BIRDS[each % 5]} number {each} waits for fish in the river." for each in range(1000))

        async def work() -> None:
            summary = await outcome_of(lambda: ai.summarize(SummaryRequest((long,))))
            assert not isinstance(summary, Summary) or 1 <= len(summary.sentences) <= 5
            await outcome_of(lambda: ai.key_phrases(long))
            await outcome_of(lambda: ai.count_tokens(long))

        await leaves_the_loop_free(work)

    async def test_a_cancelled_call_ends_and_the_provider_serves_on(self, ai: AIProvider) -> None:
        """Whoever gives up a call on its way is told so, soon; others and later calls are served as ever."""
        request = SummaryRequest((self.TEXT,), max_sentences=1)
        expected = (await ai.summarize(request)).sentences
        for call in self._works(ai):
            beside = asyncio.ensure_future(ai.summarize(request))
            await ends_when_cancelled(call)
            assert (await beside).sentences == expected
            assert (await ai.summarize(request)).sentences == expected
            await call()

    async def test_a_cancelled_call_leaves_nothing_behind(self, ai: AIProvider) -> None:
        """Calls that were given up leave neither tasks nor threads nor open files behind."""
        await leaves_nothing_behind_when_cancelled(*self._works(ai))

    async def test_who_is_closed_is_unavailable_and_the_next_one_serves(
        self, ai: AIProvider, reopen: Reopen | None
    ) -> None:
        """A closed provider ends calls in Unavailable, if not in an answer; one that is opened after it serves."""
        if reopen is None:
            pytest.skip("the fixture reopen is not there")
        request = SummaryRequest((self.TEXT,), max_sentences=1)
        expected = (await ai.summarize(request)).sentences
        async with reopen(ai) as again:
            with pytest.raises(Unavailable):
                await ai.summarize(request)
            for call in calls_with(ai, self.TEXT):
                await outcome_of(call)
            assert (await again.summarize(request)).sentences == expected
        with pytest.raises(Unavailable):
            await again.summarize(request)

    async def test_it_behaves_as_a_guest_should(self, ai: AIProvider) -> None:
        """Calls, and a stream that is not read to its end, leave the event loop free and nothing behind."""

        async def work() -> None:
            for each in self._works(ai):
                await each()
            if ai.features.generative:
                stream: Any = ai.stream(self.QUESTION)
                await anext(stream)
                await stream.aclose()

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)

    def _works(self, ai: AIProvider) -> list[Work]:
        """Return one call of each kind that the provider serves."""

        async def read() -> None:
            async for _ in ai.stream(self.QUESTION):
                pass

        works: list[Work] = [
            lambda: ai.summarize(SummaryRequest((self.TEXT, "Trains run on rails."))),
            lambda: ai.key_phrases(self.TEXT),
            lambda: ai.classify(self.TEXT, BIRDS),
            lambda: ai.count_tokens(self.TEXT),
            ai.models,
        ]
        if ai.features.embeddings:
            works.append(lambda: ai.embed(EmbeddingRequest((self.TEXT,))))
        if ai.features.generative:
            works += [lambda: ai.complete(self.QUESTION), read]
        return works
