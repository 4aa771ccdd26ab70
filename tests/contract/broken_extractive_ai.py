"""Breaks of ``ExtractiveAI``, over the embedder that is always there."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.ai import extraction, extractive, tokens
from hotswap_adapters.ai.encoder import Encoder
from hotswap_adapters.ai.extractive import ExtractiveAI
from hotswap_ports import (
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    KeyPhrase,
    Label,
    Summary,
    SummaryRequest,
    SummarySentence,
    Unavailable,
)
from tests.contract import test_ai
from tests.contract.breaks import Breaks, around

breaks = Breaks(test_ai.TestExtractiveAIWithHashing)


@breaks.noticed_by("test_complete_answers_or_refuses")
def answers_nothing(patch: pytest.MonkeyPatch) -> None:
    """What is not generative answers with an empty text."""

    @around(patch, ExtractiveAI, "complete")
    async def complete(whole: Any, self: Any, request: CompletionRequest) -> Completion:
        return Completion("", "none")


@breaks.noticed_by("test_stream_answers_or_refuses")
def refuses_too_early(patch: pytest.MonkeyPatch) -> None:
    """A stream is refused when it is asked for, and not at its first piece."""

    @around(patch, ExtractiveAI, "stream")
    def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        raise extractive._not_generative()


@breaks.noticed_by("test_stream_answers_or_refuses")
def streams_nothing(patch: pytest.MonkeyPatch) -> None:
    """A stream that cannot be is an empty one."""

    @around(patch, ExtractiveAI, "stream")
    async def stream(whole: Any, self: Any, request: CompletionRequest) -> Any:
        for each in ():
            yield each


@breaks.noticed_by("test_an_unknown_embedding_model_is_an_invalid_request")
def any_model(patch: pytest.MonkeyPatch) -> None:
    """A model that is not there is replaced by another, silently."""

    @around(patch, ExtractiveAI, "embed")
    async def embed(whole: Any, self: Any, request: EmbeddingRequest) -> Any:
        return await whole(self, evolve(request, model=None))


@breaks.noticed_by("test_many_texts_are_embedded_in_their_order")
def sorted_vectors(patch: pytest.MonkeyPatch) -> None:
    """Vectors come in the order of the alphabet."""

    @around(patch, Encoder, "encode")
    async def encode(whole: Any, self: Any, texts: Any, purpose: Any = "passage") -> Any:
        return await whole(self, sorted(texts), purpose)


@breaks.noticed_by("test_many_texts_are_embedded_in_their_order")
def lost_texts(patch: pytest.MonkeyPatch) -> None:
    """Of texts that are the same, one has a vector."""

    @around(patch, ExtractiveAI, "embed")
    async def embed(whole: Any, self: Any, request: EmbeddingRequest) -> Any:
        return await whole(self, evolve(request, texts=tuple(dict.fromkeys(request.texts))))


@breaks.noticed_by("test_embed_gives_one_unit_vector_a_text")
def long_vectors(patch: pytest.MonkeyPatch) -> None:
    """Vectors are not of unit length."""

    @around(patch, Encoder, "encode")
    async def encode(whole: Any, self: Any, texts: Any, purpose: Any = "passage") -> Any:
        return await whole(self, texts, purpose) * 2


@breaks.noticed_by("test_embed_depends_on_the_text_alone")
def centred_vectors(patch: pytest.MonkeyPatch) -> None:
    """A vector depends on the texts beside it."""

    @around(patch, Encoder, "encode")
    async def encode(whole: Any, self: Any, texts: Any, purpose: Any = "passage") -> Any:
        rows = await whole(self, texts, purpose)
        return rows - rows.mean(axis=0) / 2 if len(rows) else rows


@breaks.noticed_by("test_models_can_stand_in_a_request")
def model_by_another_name(patch: pytest.MonkeyPatch) -> None:
    """What is listed cannot be asked for."""

    @around(patch, ExtractiveAI, "models")
    async def models(whole: Any, self: Any) -> Any:
        return tuple(evolve(each, id=each.id.upper()) for each in await whole(self))


@breaks.noticed_by("test_models_can_stand_in_a_request")
def wrong_dimensions(patch: pytest.MonkeyPatch) -> None:
    """A model has fewer dimensions than its list says."""

    @around(patch, ExtractiveAI, "models")
    async def models(whole: Any, self: Any) -> Any:
        return tuple(evolve(each, dimensions=7) for each in await whole(self))


@breaks.noticed_by("test_a_summary_keeps_its_bounds")
def one_sentence_more(patch: pytest.MonkeyPatch) -> None:
    """A summary has a sentence more than it may."""

    @around(patch, extraction, "pick")
    def pick(whole: Any, rows: Any, vectors: Any, scale: Any, most: int, *more: Any) -> Any:
        return whole(rows, vectors, scale, most + 1, *more)


@breaks.noticed_by("test_an_extracted_summary_stands_word_for_word_in_its_source")
def best_first(patch: pytest.MonkeyPatch) -> None:
    """Sentences come in the order of their scores, or any other than reading order."""

    @around(patch, extraction, "pick")
    def pick(whole: Any, *given: Any) -> Any:
        return whole(*given)[::-1]


@breaks.noticed_by("test_an_extracted_summary_stands_word_for_word_in_its_source")
def edited_sentences(patch: pytest.MonkeyPatch) -> None:
    """Sentences are mended."""

    @around(patch, extraction, "pick")
    def pick(whole: Any, *given: Any) -> Any:
        return [evolve(each, text=each.text.removesuffix(".") + " ...") for each in whole(*given)]


@breaks.noticed_by("test_an_extracted_summary_stands_word_for_word_in_its_source")
def wrong_sources(patch: pytest.MonkeyPatch) -> None:
    """Sentences name another text than the one they stand in."""

    @around(patch, extraction, "pick")
    def pick(whole: Any, *given: Any) -> Any:
        return [evolve(each, source=1 - each.source) for each in whole(*given)]


@breaks.noticed_by("test_any_text_keeps_the_bounds")
def folded_sentences(patch: pytest.MonkeyPatch) -> None:
    """Sentences are in the case that is usual for them."""

    @around(patch, extraction, "pick")
    def pick(whole: Any, *given: Any) -> Any:
        return [evolve(each, text=each.text.capitalize()) for each in whole(*given)]


@breaks.noticed_by("test_a_summary_may_have_a_focus")
def no_focus(patch: pytest.MonkeyPatch) -> None:
    """A focus changes nothing."""

    @around(patch, ExtractiveAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Any:
        return await whole(self, evolve(request, focus=None))


@breaks.noticed_by("test_nothing_summarised_gives_no_sentences")
def invented_sentence(patch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to say, that is said."""

    @around(patch, ExtractiveAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Summary:
        found: Summary = await whole(self, request)
        return evolve(found, sentences=found.sentences or (SummarySentence("There is nothing to say."),))


@breaks.noticed_by("test_a_summary_of_less_than_one_sentence_is_an_invalid_request")
def at_least_one_sentence(patch: pytest.MonkeyPatch) -> None:
    """Too few sentences are taken for one."""

    @around(patch, ExtractiveAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Any:
        return await whole(self, evolve(request, max_sentences=max(1, request.max_sentences)))


@breaks.noticed_by("test_key_phrases_are_few_and_differ")
def one_phrase_more(patch: pytest.MonkeyPatch) -> None:
    """There is a phrase more than there may be."""

    @around(patch, extraction, "pick_phrases")
    def pick_phrases(whole: Any, *given: Any) -> Any:
        *others, limit = given
        return whole(*others, limit + 1)


@breaks.noticed_by("test_key_phrases_are_few_and_differ")
def least_telling_first(patch: pytest.MonkeyPatch) -> None:
    """Phrases come in the wrong order."""

    @around(patch, extraction, "pick_phrases")
    def pick_phrases(whole: Any, *given: Any) -> Any:
        return whole(*given)[::-1]


@breaks.noticed_by("test_key_phrases_are_few_and_differ")
def shouted_phrases(patch: pytest.MonkeyPatch) -> None:
    """A phrase comes twice, once in capitals."""

    @around(patch, extraction, "pick_phrases")
    def pick_phrases(whole: Any, *given: Any) -> list[KeyPhrase]:
        found: list[KeyPhrase] = whole(*given)
        return [*found[:1], *(evolve(each, text=each.text.upper()) for each in found[:1]), *found[1:]][: given[-1]]


@breaks.noticed_by("test_who_only_picks_takes_phrases_from_the_text")
def invented_phrases(patch: pytest.MonkeyPatch) -> None:
    """Phrases are stems, which stand nowhere."""

    @around(patch, extraction, "pick_phrases")
    def pick_phrases(whole: Any, *given: Any) -> Any:
        return [evolve(each, text=each.text + "ly") for each in whole(*given)]


@breaks.noticed_by("test_classify_scores_every_label")
def scores_that_do_not_sum(patch: pytest.MonkeyPatch) -> None:
    """The scores of labels are no shares."""

    @around(patch, ExtractiveAI, "classify")
    async def classify(whole: Any, self: Any, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        return tuple(evolve(each, score=each.score / 2) for each in await whole(self, text, labels))


@breaks.noticed_by("test_classify_scores_every_label")
def shifted_scores(patch: pytest.MonkeyPatch) -> None:
    """A label has the score of its neighbour."""

    @around(patch, ExtractiveAI, "classify")
    async def classify(whole: Any, self: Any, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        moved = dict(zip(labels, labels[1:] + labels[:1], strict=True))
        return tuple(evolve(each, name=moved[each.name]) for each in await whole(self, text, labels))


@breaks.noticed_by("test_classify_without_distinct_labels_is_invalid")
def labels_once(patch: pytest.MonkeyPatch) -> None:
    """A label that is there twice is taken once."""

    @around(patch, ExtractiveAI, "classify")
    async def classify(whole: Any, self: Any, text: str, labels: tuple[str, ...]) -> Any:
        return await whole(self, text, tuple(dict.fromkeys(labels)) or ("other",))


@breaks.noticed_by("test_count_tokens_lies_within_its_bounds")
def bytes_for_tokens(patch: pytest.MonkeyPatch) -> None:
    """Bytes of UTF-16 are counted as tokens."""
    patch.setattr(tokens, "count", lambda text: len(text.encode("utf-16", "replace")))


@breaks.noticed_by("test_odd_text_ends_in_an_answer_or_a_port_error")
def foreign_error(patch: pytest.MonkeyPatch) -> None:
    """Text that is no Unicode ends in what the library behind it raises."""
    patch.setattr(tokens, "count", lambda text: len(text.encode()) // 4)


@breaks.noticed_by("test_calls_at_once_do_not_mix")
def shared_request(patch: pytest.MonkeyPatch) -> None:
    """Two calls at once share what they work on."""
    now: list[SummaryRequest] = []

    @around(patch, ExtractiveAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Any:
        now.append(request)
        await asyncio.sleep(0)
        return await whole(self, now[-1])


@breaks.noticed_by("test_a_long_text_is_taken_or_refused")
def on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """All is computed on the event loop."""

    @around(patch, Encoder, "run")
    async def run(whole: Any, self: Any, work: Any) -> Any:
        return [work() for _ in range(5)][-1]  # a machine may be too fast to show it with one


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def thread_a_call(patch: pytest.MonkeyPatch) -> None:
    """Each call leaves a thread behind."""
    kept: list[ThreadPoolExecutor] = []

    @around(patch, ExtractiveAI, "summarize")
    async def summarize(whole: Any, self: Any, request: SummaryRequest) -> Any:
        kept.append(ThreadPoolExecutor(1))
        await asyncio.get_running_loop().run_in_executor(kept[-1], int)
        return await whole(self, request)


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_provider_serves_on")
def swallowed_cancellation(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled goes on to its end."""

    @around(patch, Encoder, "run")
    async def run(whole: Any, self: Any, work: Any) -> Any:
        try:
            return await whole(self, work)
        except asyncio.CancelledError:
            return work()


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_provider_serves_on")
def cancellation_as_another_error(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled ends in an error of the port."""

    @around(patch, Encoder, "run")
    async def run(whole: Any, self: Any, work: Any) -> Any:
        try:
            return await whole(self, work)
        except asyncio.CancelledError as error:
            raise Unavailable("The call was given up.") from error


@breaks.noticed_by("test_a_cancelled_call_ends_and_the_provider_serves_on")
def cancellation_for_all(patch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled takes the thread of all others with it."""

    @around(patch, Encoder, "run")
    async def run(whole: Any, self: Any, work: Any) -> Any:
        try:
            return await whole(self, work)
        except asyncio.CancelledError:
            self.close()
            raise


@breaks.noticed_by("test_a_cancelled_call_leaves_nothing_behind")
def watcher_of_the_cancelled(patch: pytest.MonkeyPatch) -> None:
    """A task waits for the call, and is not told that it was cancelled."""
    kept: list[asyncio.Task[bool]] = []

    @around(patch, Encoder, "run")
    async def run(whole: Any, self: Any, work: Any) -> Any:
        ended = asyncio.Event()
        kept.append(asyncio.create_task(ended.wait()))
        found = await whole(self, work)
        ended.set()
        return found


@breaks.noticed_by("test_who_is_closed_is_unavailable_and_the_next_one_serves")
def closed_and_broken(patch: pytest.MonkeyPatch) -> None:
    """A closed provider fails over what is not there any more."""

    def opened(self: Any) -> Any:
        return {"open": self._encoder}["open" if self._encoder else "closed"]

    patch.setattr(ExtractiveAI, "_open", property(opened))


@breaks.noticed_by("test_who_is_closed_is_unavailable_and_the_next_one_serves")
def one_thread_for_all(patch: pytest.MonkeyPatch) -> None:
    """Who was opened later is closed with who was there before."""
    shared: list[Encoder] = []

    @around(patch, Encoder, "open")
    async def open_(whole: Any, *given: Any) -> Encoder:
        if not shared:
            shared.append(await whole(*given))
        return shared[0]
