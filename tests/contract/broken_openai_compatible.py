"""Breaks of ``OpenAICompatibleAI``, over a server on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.ai import openai_answers, openai_compatible, openai_errors, prompts, tokens
from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI
from hotswap_ports import CompletionRequest, SummaryRequest, TimedOut, Unavailable
from hotswap_ports.vector import Vector
from tests.contract import test_ai
from tests.contract.breaks import Breaks, around
from tests.integration.openai_server import CHAT_MODEL

breaks = Breaks(test_ai.TestOpenAICompatibleAI)


def without(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave parameters out of what is sent."""

    @around(patch, openai_answers, "parameters")
    def parameters(whole: Any, *given: Any) -> dict[str, Any]:
        return {name: each for name, each in whole(*given).items() if name not in names}


@breaks.noticed_by("test_max_tokens_bounds_the_answer")
def no_most_tokens(patch: pytest.MonkeyPatch) -> None:
    """The service is not told how much it may generate."""
    without(patch, "max_tokens")


@breaks.noticed_by("test_max_tokens_bounds_the_answer")
def cut_without_a_word(patch: pytest.MonkeyPatch) -> None:
    """An answer that was cut off is called whole."""
    patch.setattr(openai_answers, "finish", lambda reason: reason and "stop")


@breaks.noticed_by("test_a_stop_text_ends_the_answer")
def no_stop(patch: pytest.MonkeyPatch) -> None:
    """The service is not told where to stop."""
    without(patch, "stop")


@breaks.noticed_by("test_a_schema_is_satisfied_or_refused")
def no_schema(patch: pytest.MonkeyPatch) -> None:
    """The service is not told of the schema, and the answer is not looked at."""
    without(patch, "response_format")
    patch.setattr(openai_compatible, "_check_json", lambda text, base_url: None)


@breaks.noticed_by("test_a_completion_with_bad_parameters_is_an_invalid_request")
def unchecked(patch: pytest.MonkeyPatch) -> None:
    """What no service could take is sent."""
    patch.setattr(openai_answers, "check", lambda request: None)


@breaks.noticed_by("test_a_completion_with_bad_parameters_is_an_invalid_request")
def unchecked_streams(patch: pytest.MonkeyPatch) -> None:
    """A stream's model is replaced by one that is there."""

    @around(patch, OpenAICompatibleAI, "stream")
    def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        return whole(self, evolve(request, model=None))


@breaks.noticed_by("test_a_completion_with_bad_parameters_is_an_invalid_request")
def errors_of_the_sdk(patch: pytest.MonkeyPatch) -> None:
    """What the SDK raises comes out."""

    @contextmanager
    def untranslated(*given: Any) -> Iterator[None]:
        yield

    patch.setattr(openai_errors, "translated", untranslated)


@breaks.noticed_by("test_a_call_without_time_ends_in_timed_out")
def timeout_of_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Time that runs out is asyncio's own error."""

    @around(patch, OpenAICompatibleAI, "_call")
    async def call(whole: Any, self: Any, seconds: float, work: Any) -> Any:
        try:
            return await whole(self, seconds, work)
        except TimedOut as error:
            raise TimeoutError(str(error)) from error


@breaks.noticed_by("test_stream_answers_or_refuses")
def stream_without_usage(patch: pytest.MonkeyPatch) -> None:
    """The last piece does not say what was used."""

    @around(patch, OpenAICompatibleAI, "stream")
    async def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        async for each in whole(self, request):
            yield evolve(each, usage=None)


@breaks.noticed_by("test_stream_answers_or_refuses")
def every_piece_the_last(patch: pytest.MonkeyPatch) -> None:
    """Each piece says that it is the last one."""

    @around(patch, OpenAICompatibleAI, "stream")
    async def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        async for each in whole(self, request):
            yield evolve(each, finish_reason=each.finish_reason or "stop")


@breaks.noticed_by("test_streams_at_once_are_each_whole")
def one_stream_at_a_time(patch: pytest.MonkeyPatch) -> None:
    """A stream that begins ends the one before it."""
    now: list[object] = []

    @around(patch, OpenAICompatibleAI, "stream")
    async def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        now.append(mark := object())
        async for each in whole(self, request):
            if now[-1] is not mark:
                return
            yield each


@breaks.noticed_by("test_a_closed_stream_leaves_the_provider_usable")
def closing_all(patch: pytest.MonkeyPatch) -> None:
    """A stream that is closed takes the client with it."""

    @around(patch, OpenAICompatibleAI, "stream")
    async def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        try:
            async for each in whole(self, request):
                yield each
        except GeneratorExit:
            self._client = None
            raise


@breaks.noticed_by("test_a_closed_stream_leaves_the_provider_usable")
def bare_iterator(patch: pytest.MonkeyPatch) -> None:
    """A stream cannot be closed: it has only what an iterator must have."""

    class Bare:
        def __init__(self, items: Any) -> None:
            self._items = items

        def __aiter__(self) -> Any:
            return self._items

        async def __anext__(self) -> Any:
            return await anext(self._items)

        async def aclose(self) -> None:
            """Let the call go on."""

    @around(patch, OpenAICompatibleAI, "stream")
    def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        return Bare(whole(self, request))


@breaks.noticed_by("test_the_default_model_can_be_named")
def unlisted_default(patch: pytest.MonkeyPatch) -> None:
    """The list begins with what cannot complete."""

    @around(patch, OpenAICompatibleAI, "models")
    async def models(whole: Any, self: Any) -> Any:
        first, *others = await whole(self)
        return (evolve(first, id="another"), first, *others)


@breaks.noticed_by("test_models_can_stand_in_a_request")
def default_last(patch: pytest.MonkeyPatch) -> None:
    """The default is not the first of its kind."""

    @around(patch, OpenAICompatibleAI, "models")
    async def models(whole: Any, self: Any) -> Any:
        found = await whole(self)
        return (*(evolve(each, id=CHAT_MODEL) for each in found if each.kind == "embedding"), *found[1:])


@breaks.noticed_by("test_embed_depends_on_the_text_alone")
def shuffled_vectors(patch: pytest.MonkeyPatch) -> None:
    """Vectors are taken in the order in which the service sends them."""
    patch.setattr(
        openai_answers,
        "vectors",
        lambda answer, count, model, url: [Vector.of(e.embedding, model) for e in answer.data],
    )


@breaks.noticed_by("test_many_texts_are_embedded_in_their_order")
def first_batch(patch: pytest.MonkeyPatch) -> None:
    """Of many texts the first batch is embedded."""

    @around(patch, openai_answers, "batches")
    def batches(whole: Any, *given: Any) -> Any:
        return whole(*given)[:1]


@breaks.noticed_by("test_a_summary_keeps_its_bounds")
def as_many_as_come(patch: pytest.MonkeyPatch) -> None:
    """A model that says more than it was asked for is believed."""

    @around(patch, prompts, "read_sentences")
    def read_sentences(whole: Any, answer: str, most: int) -> Any:
        return whole(answer, 1 << 30)

    @around(patch, prompts, "summary")
    def summary(whole: Any, text: str, most: int, focus: str | None) -> Any:
        return whole(text, most + 1, focus)


@breaks.noticed_by("test_a_summary_may_have_a_focus")
def no_focus(patch: pytest.MonkeyPatch) -> None:
    """The model is not told of the focus."""

    @around(patch, prompts, "summary")
    def summary(whole: Any, text: str, most: int, focus: str | None) -> Any:
        return whole(text, most, None)


@breaks.noticed_by("test_key_phrases_are_few_and_differ")
def phrases_as_they_come(patch: pytest.MonkeyPatch) -> None:
    """Phrases that differ in case are different ones."""
    patch.setattr(prompts, "read_phrases", lambda answer, limit: (prompts._read_strings(answer) or [])[:limit])


@breaks.noticed_by("test_classify_scores_every_label")
def ratings_for_scores(patch: pytest.MonkeyPatch) -> None:
    """The model's ratings are not made to sum to 1."""
    patch.setattr(prompts, "read_scores", lambda answer, names: prompts._read_json(answer))


@breaks.noticed_by("test_classify_scores_every_label")
def labels_as_given(patch: pytest.MonkeyPatch) -> None:
    """Labels come in their own order, and not best first."""

    @around(patch, OpenAICompatibleAI, "classify")
    async def classify(whole: Any, self: Any, text: str, labels: tuple[str, ...]) -> Any:
        return tuple(sorted(await whole(self, text, labels), key=lambda each: labels.index(each.name)))


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_provider_serves_on")
def cancellation_as_timeout(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled ends as if its time had run out."""

    @around(patch, OpenAICompatibleAI, "complete")
    async def complete(whole: Any, self: Any, request: CompletionRequest) -> Any:
        try:
            return await whole(self, request)
        except asyncio.CancelledError as error:
            raise TimedOut("The call", request.timeout) from error


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_provider_serves_on")
def cancellation_tried_again(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled is made again."""

    @around(patch, OpenAICompatibleAI, "_call")
    async def call(whole: Any, self: Any, seconds: float, work: Any) -> Any:
        try:
            return await whole(self, seconds, work)
        except asyncio.CancelledError:
            return await whole(self, seconds, work)


@breaks.noticed_by("test_a_cancelled_call_leaves_nothing_behind")
def calls_that_go_on(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled goes on where nobody sees it, and never ends."""
    kept: list[Any] = []

    @around(patch, OpenAICompatibleAI, "complete")
    async def complete(whole: Any, self: Any, request: CompletionRequest) -> Any:
        try:
            return await whole(self, request)
        except asyncio.CancelledError:
            kept.append(asyncio.ensure_future(asyncio.Event().wait()))
            raise


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def counting_on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """Tokens are counted on the event loop, and that takes its time."""

    @around(patch, OpenAICompatibleAI, "count_tokens")
    async def count_tokens(whole: Any, self: Any, text: str) -> int:
        time.sleep(0.3)
        return tokens.estimate(text)


@breaks.noticed_by("test_calls_at_once_do_not_mix")
def last_answer(patch: pytest.MonkeyPatch) -> None:
    """Calls at once are given the answer that came last."""
    texts: list[str] = []

    @around(patch, OpenAICompatibleAI, "complete")
    async def complete(whole: Any, self: Any, request: CompletionRequest) -> Any:
        answer = await whole(self, request)
        texts.append(answer.text)
        await asyncio.sleep(0.01)
        return evolve(answer, text=texts[-1])


@breaks.noticed_by("test_who_is_closed_is_unavailable_and_the_next_one_serves")
def opens_by_itself(patch: pytest.MonkeyPatch) -> None:
    """A provider that was closed opens itself again."""

    @around(patch, OpenAICompatibleAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Any:
        try:
            return await whole(self, request)
        except Unavailable:
            await self.__aenter__()
            return await whole(self, request)
