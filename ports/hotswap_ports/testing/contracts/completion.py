"""``CompletionContract``: the part of ``AIContract`` that is about ``complete`` and ``stream``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from attrs import evolve

from hotswap_ports.ai import AIProvider, Completion, CompletionChunk, CompletionRequest, Message, Usage
from hotswap_ports.errors import FeatureUnsupported, InvalidContent, InvalidRequest, TimedOut

MESSAGES = (Message("user", "Where does the heron stand?"),)
BAD = (
    CompletionRequest(()),
    CompletionRequest(MESSAGES, temperature=2.5),
    CompletionRequest(MESSAGES, temperature=-0.5),
    CompletionRequest(MESSAGES, temperature=math.nan),
    CompletionRequest(MESSAGES, max_tokens=0),
    CompletionRequest(MESSAGES, max_tokens=-1),
    CompletionRequest(MESSAGES, timeout=0),
    CompletionRequest(MESSAGES, timeout=-1),
    CompletionRequest(MESSAGES, timeout=math.nan),
    CompletionRequest(MESSAGES, model="no-such-model"),
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
NO_TIME = 1e-6


def check_usage(usage: Usage) -> None:
    """Assert that tokens and cost are no less than nothing; an unknown cost is None."""
    assert usage.input_tokens >= 0
    assert usage.output_tokens >= 0
    assert usage.cost_usd is None or (isinstance(usage.cost_usd, Decimal) and usage.cost_usd >= 0)


class CompletionContract:
    """Tests over a fixture ``ai``. Where a provider is not generative, refusals are all that is asked of it."""

    QUESTION: ClassVar[CompletionRequest] = CompletionRequest(MESSAGES)

    async def test_complete_answers_or_refuses(self, ai: AIProvider) -> None:
        """A generative provider answers; another refuses and says what to do."""
        if not ai.features.generative:
            with pytest.raises(FeatureUnsupported) as refusal:
                await ai.complete(self.QUESTION)
            assert refusal.value.hint
            return
        answer = await ai.complete(self.QUESTION)
        assert answer.text
        assert answer.model
        assert answer.finish_reason in ("stop", "length", "filtered", "other")
        check_usage(answer.usage)

    async def test_stream_answers_or_refuses(self, ai: AIProvider) -> None:
        """A stream ends with a piece that has reason and usage; a refusal comes at the first piece, not before."""
        stream = ai.stream(self.QUESTION)
        if not ai.features.generative:
            with pytest.raises(FeatureUnsupported) as refusal:
                await anext(stream)
            assert refusal.value.hint
            return
        _whole([chunk async for chunk in stream])

    async def test_a_closed_stream_leaves_the_provider_usable(self, ai: AIProvider) -> None:
        """Closing a stream, begun or not, ends that call and no other."""
        self._needs_generative(ai)
        stream: Any = ai.stream(self.QUESTION)  # "closing the iterator ends the call": it has to have aclose
        unread: Any = ai.stream(self.QUESTION)
        other = ai.stream(self.QUESTION)
        whole = [await anext(other)]
        await anext(stream)
        await stream.aclose()
        await unread.aclose()
        after = [chunk async for chunk in stream] + [chunk async for chunk in unread]
        whole += [chunk async for chunk in other]
        assert after == []
        _whole(whole)
        assert (await ai.complete(self.QUESTION)).text

    async def test_streams_at_once_are_each_whole(self, ai: AIProvider) -> None:
        """Three streams that are read in turns each come to their own end."""
        self._needs_generative(ai)
        open_streams = [(ai.stream(self.QUESTION), list[CompletionChunk]()) for _ in range(3)]
        read = [chunks for _, chunks in open_streams]
        while open_streams:
            for each in list(open_streams):
                chunk = await anext(each[0], None)
                if chunk is None:
                    open_streams.remove(each)
                else:
                    each[1].append(chunk)
        for chunks in read:
            _whole(chunks)

    async def test_a_completion_with_bad_parameters_is_an_invalid_request(self, ai: AIProvider) -> None:
        """No messages, a temperature out of 0 to 2, no tokens, no time, an unknown model: InvalidRequest."""
        self._needs_generative(ai)
        for bad in BAD:
            with pytest.raises(InvalidRequest):
                pytest.fail(f"taken: {bad}, answer: {await ai.complete(bad)}")
            with pytest.raises(InvalidRequest):
                pytest.fail(f"taken: {bad}, piece: {await anext(ai.stream(bad))}")

    async def test_a_conversation_has_every_role_and_any_temperature(self, ai: AIProvider) -> None:
        """Turns of system, user and assistant are taken, and temperatures from 0 to 2."""
        self._needs_generative(ai)
        turns = (Message("system", "Be brief."), *MESSAGES, Message("assistant", "Where?"), Message("user", "There."))
        for temperature in (None, 0.0, 2.0):
            request = CompletionRequest(turns, temperature=temperature, seed=1)
            assert (await ai.complete(request)).text
            _whole([chunk async for chunk in ai.stream(request)])

    async def test_max_tokens_bounds_the_answer(self, ai: AIProvider) -> None:
        """No more tokens are made than ``max_tokens``, and an answer that was cut off for it does not say ``stop``."""
        self._needs_generative(ai)
        request = evolve(self.QUESTION, max_tokens=1)
        for answer in (await ai.complete(request), _joined([chunk async for chunk in ai.stream(request)])):
            assert answer.usage.output_tokens <= 1
            assert answer.finish_reason != "stop"

    async def test_a_stop_text_ends_the_answer(self, ai: AIProvider) -> None:
        """What comes at a stop text is not in the answer, nor is the stop text."""
        self._needs_generative(ai)
        word = (await ai.complete(self.QUESTION)).text.split()[-1]
        request = evolve(self.QUESTION, stop=("no such words", word))
        assert word not in (await ai.complete(request)).text
        assert word not in _joined([chunk async for chunk in ai.stream(request)]).text

    async def test_a_schema_is_satisfied_or_refused(self, ai: AIProvider) -> None:
        """With ``features.json_schema`` an answer satisfies its schema; without, it does so too or there is none."""
        self._needs_generative(ai)
        try:
            answer = await ai.complete(evolve(self.QUESTION, json_schema=SCHEMA))
        except (FeatureUnsupported, InvalidContent):
            assert not ai.features.json_schema
            return
        found = json.loads(answer.text)
        assert list(found) == ["place"]
        assert isinstance(found["place"], str)

    async def test_a_call_without_time_ends_in_timed_out(self, ai: AIProvider) -> None:
        """Who does not answer within ``timeout`` ends in TimedOut, and serves on."""
        self._needs_generative(ai)
        request = evolve(self.QUESTION, timeout=NO_TIME)

        async def read() -> None:
            async for _ in ai.stream(request):
                pass

        for call in (lambda: ai.complete(request), read):
            with suppress(TimedOut):
                await call()
        assert (await ai.complete(self.QUESTION)).text

    async def test_the_default_model_can_be_named(self, ai: AIProvider) -> None:
        """The first model for completions that is listed can stand in a request; who has none is not generative."""
        listed = [each.id for each in await ai.models() if each.kind == "completion"]
        if not ai.features.generative:
            assert listed == []
            return
        assert (await ai.complete(evolve(self.QUESTION, model=listed[0]))).text

    @staticmethod
    def _needs_generative(ai: AIProvider) -> None:
        if not ai.features.generative:
            pytest.skip("the provider is not generative")


def _whole(chunks: list[CompletionChunk]) -> None:
    """Assert that a stream has text, and came to its end."""
    assert _joined(chunks).text
    assert all(each.finish_reason is None and each.usage is None for each in chunks[:-1])


def _joined(chunks: list[CompletionChunk]) -> Completion:
    last = chunks[-1]
    assert last.finish_reason in ("stop", "length", "filtered", "other")
    assert last.usage is not None
    check_usage(last.usage)
    return Completion("".join(each.text for each in chunks), "", last.finish_reason, last.usage)
