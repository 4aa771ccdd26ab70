"""``AIContract``: what every adapter of the port ``ai`` must do, generative or not."""

from __future__ import annotations

import asyncio
import math
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.ai import (
    AIFeatures,
    AIProvider,
    CompletionRequest,
    EmbeddingRequest,
    Message,
    Summary,
    SummaryRequest,
)
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, PortError
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free


class AIContract:
    """Tests over a fixture ``ai``: an open provider. Inherit, supply the fixture, done.

    What a provider's ``features`` deny must be refused with FeatureUnsupported, and what they offer must work.
    A provider whose ``summarize``, ``key_phrases`` and ``classify`` ask a model is held to the same bounds.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio

    TEXT: ClassVar[str] = (
        "The heron stands in the shallow river and waits for fish. "
        "Herons nest in tall trees near the river. "
        "A fish that swims too near the heron is caught at once. "
        "In winter the river freezes and the heron moves south."
    )
    QUESTION: ClassVar[CompletionRequest] = CompletionRequest((Message("user", "Where does the heron stand?"),))

    async def test_features_are_declared(self, ai: AIProvider) -> None:
        """``features`` is an AIFeatures, and who streams is generative."""
        assert isinstance(ai.features, AIFeatures)
        assert ai.features.generative or not (ai.features.streaming or ai.features.json_schema)

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
        assert answer.usage.input_tokens >= 0
        assert answer.usage.output_tokens >= 0

    async def test_stream_answers_or_refuses(self, ai: AIProvider) -> None:
        """A stream ends with a piece that has reason and usage; a refusal comes at the first piece, not before."""
        stream = ai.stream(self.QUESTION)
        if not ai.features.generative:
            with pytest.raises(FeatureUnsupported) as refusal:
                await anext(stream)
            assert refusal.value.hint
            return
        chunks = [chunk async for chunk in stream]
        assert "".join(each.text for each in chunks)
        assert all(each.finish_reason is None and each.usage is None for each in chunks[:-1])
        assert chunks[-1].finish_reason is not None
        assert chunks[-1].usage is not None

    async def test_a_closed_stream_leaves_the_provider_usable(self, ai: AIProvider) -> None:
        """Closing a stream after its first piece ends that call and no other."""
        if not ai.features.generative:
            pytest.skip("the provider is not generative")
        stream = ai.stream(self.QUESTION)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # "closing the iterator ends the call": it has to have it
        assert (await ai.complete(self.QUESTION)).text

    async def test_a_completion_with_bad_parameters_is_an_invalid_request(self, ai: AIProvider) -> None:
        """No messages, a temperature out of 0 to 2, no tokens, an unknown model: InvalidRequest."""
        if not ai.features.generative:
            pytest.skip("the provider is not generative")
        messages = self.QUESTION.messages
        for bad in (
            CompletionRequest(()),
            CompletionRequest(messages, temperature=2.5),
            CompletionRequest(messages, max_tokens=0),
            CompletionRequest(messages, model="no-such-model"),
        ):
            with pytest.raises(InvalidRequest):
                await ai.complete(bad)

    async def test_embed_gives_one_unit_vector_a_text(self, ai: AIProvider) -> None:
        """Vectors come in order, of one model and length, scaled to 1; an empty text has one too."""
        if not ai.features.embeddings:
            with pytest.raises(FeatureUnsupported):
                await ai.embed(EmbeddingRequest(("heron",)))
            return
        for purpose in ("query", "passage"):
            texts = (self.TEXT, "", "A train leaves the station.")
            answer = await ai.embed(EmbeddingRequest(texts, purpose=purpose))
            assert len(answer.vectors) == len(texts)
            assert {each.model for each in answer.vectors} == {answer.model}
            assert {each.dimensions for each in answer.vectors} == {answer.dimensions}
            for vector in answer.vectors:
                norm = math.sqrt(math.fsum(value * value for value in vector))
                assert norm == pytest.approx(1, abs=1e-3) or norm == 0
        assert (await ai.embed(EmbeddingRequest(()))).vectors == ()

    async def test_embed_depends_on_the_text_alone(self, ai: AIProvider) -> None:
        """A text has the same vector alone, in another order, and beside others."""
        if not ai.features.embeddings:
            pytest.skip("the provider has no embeddings")
        other = "A train leaves the station."
        first, second = (await ai.embed(EmbeddingRequest((self.TEXT, other)))).vectors
        again, alone = (await ai.embed(EmbeddingRequest((other, self.TEXT)))).vectors
        (single,) = (await ai.embed(EmbeddingRequest((other,)))).vectors
        assert first.similarity(alone) == pytest.approx(1, abs=1e-3)
        assert second.similarity(again) == pytest.approx(1, abs=1e-3)
        assert second.similarity(single) == pytest.approx(1, abs=1e-3)

    async def test_an_unknown_embedding_model_is_an_invalid_request(self, ai: AIProvider) -> None:
        """A model that ``models`` does not list is refused, not replaced by another."""
        if not ai.features.embeddings:
            pytest.skip("the provider has no embeddings")
        with pytest.raises(InvalidRequest):
            await ai.embed(EmbeddingRequest(("heron",), model="no-such-model"))

    @pytest.mark.parametrize("texts", [(), ("",), (" \n\t", "")])
    async def test_nothing_summarised_gives_no_sentences(self, ai: AIProvider, texts: tuple[str, ...]) -> None:
        """Nothing in gives no sentences, never an invented one."""
        summary = await ai.summarize(SummaryRequest(texts))
        assert summary.sentences == ()
        assert summary.text == ""

    async def test_a_summary_keeps_its_bounds(self, ai: AIProvider) -> None:
        """There are at most ``max_sentences``; a source is an index of the texts; the model has a name."""
        for most in (1, 2, 50):
            summary = await ai.summarize(SummaryRequest((self.TEXT, "Trains run on rails."), max_sentences=most))
            assert 1 <= len(summary.sentences) <= most
            assert all(each.text.strip() for each in summary.sentences)
            assert all(each.source in (None, 0, 1) for each in summary.sentences)
            assert summary.model

    async def test_an_extracted_summary_stands_word_for_word_in_its_source(self, ai: AIProvider) -> None:
        """Where ``generative`` is False, every sentence is found in the text its source names, in reading order."""
        texts = (self.TEXT, "Trains run on rails. A train leaves the station at noon.")
        summary = await ai.summarize(SummaryRequest(texts, max_sentences=4))
        if summary.generative:
            assert ai.features.generative
            return
        places = []
        for sentence in summary.sentences:
            assert sentence.source is not None
            source = " ".join(texts[sentence.source].split())
            place = source.find(" ".join(sentence.text.split()))
            assert place >= 0
            places.append((sentence.source, place))
        assert places == sorted(places)

    async def test_a_summary_may_have_a_focus(self, ai: AIProvider) -> None:
        """A focus changes what is taken, never how much is allowed."""
        request = SummaryRequest((self.TEXT,), max_sentences=2, focus="Where do herons nest?")
        assert len((await ai.summarize(request)).sentences) <= 2

    async def test_a_summary_of_less_than_one_sentence_is_an_invalid_request(self, ai: AIProvider) -> None:
        """``max_sentences`` must be at least 1."""
        with pytest.raises(InvalidRequest):
            await ai.summarize(SummaryRequest((self.TEXT,), max_sentences=0))

    async def test_key_phrases_are_few_and_differ(self, ai: AIProvider) -> None:
        """There are at most ``limit``, most telling first, no two the same but for case; none for an empty text."""
        for limit in (1, 3, 10):
            phrases = await ai.key_phrases(self.TEXT, limit=limit)
            assert 1 <= len(phrases) <= limit
            assert len({each.text.casefold() for each in phrases}) == len(phrases)
            scores = [each.score for each in phrases]
            assert scores == sorted(scores, reverse=True)
        assert await ai.key_phrases("") == ()
        assert await ai.key_phrases(" \n") == ()
        with pytest.raises(InvalidRequest):
            await ai.key_phrases(self.TEXT, limit=0)

    async def test_classify_scores_every_label(self, ai: AIProvider) -> None:
        """Each label comes back once, best first, and the scores sum to 1."""
        labels = ("birds of the river", "railway traffic", "cooking")
        scored = await ai.classify(self.TEXT, labels)
        assert sorted(each.name for each in scored) == sorted(labels)
        scores = [each.score for each in scored]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= each <= 1 for each in scores)
        assert math.fsum(scores) == pytest.approx(1)
        (only,) = await ai.classify(self.TEXT, ("birds",))
        assert only.score == pytest.approx(1)

    @pytest.mark.parametrize("labels", [(), ("a", "b", "a")])
    async def test_classify_without_distinct_labels_is_invalid(self, ai: AIProvider, labels: tuple[str, ...]) -> None:
        """There must be labels, and no label twice."""
        with pytest.raises(InvalidRequest):
            await ai.classify(self.TEXT, labels)

    async def test_models_can_stand_in_a_request(self, ai: AIProvider) -> None:
        """Ids differ, and what is listed as an embedding model embeds, with as many dimensions as it says."""
        models = await ai.models()
        assert models
        assert len({each.id for each in models}) == len(models)
        for model in models:
            if model.kind == "embedding" and ai.features.embeddings:
                answer = await ai.embed(EmbeddingRequest(("heron",), model=model.id))
                assert model.dimensions in (None, answer.dimensions)

    async def test_count_tokens_lies_within_its_bounds(self, ai: AIProvider) -> None:
        """Tokens are at least 0, and for plain text no more than its characters and one."""
        for text in ("", "heron", self.TEXT, "  \n ", "Reiher, 鷺"):
            assert 0 <= await ai.count_tokens(text) <= len(text.encode()) + 1
        assert await ai.count_tokens(self.TEXT) > await ai.count_tokens("heron")

    async def test_calls_at_once_do_not_mix(self, ai: AIProvider) -> None:
        """Ten calls at the same time give what each gives alone."""
        texts = [f"The {name} stands in the river. It waits." for name in ("heron", "crane", "stork", "ibis", "egret")]
        alone = [await ai.summarize(SummaryRequest((text,), max_sentences=1)) for text in texts]
        together = await asyncio.gather(*(ai.summarize(SummaryRequest((text,), max_sentences=1)) for text in texts * 2))
        assert [each.sentences for each in together] == [each.sentences for each in alone * 2]

    async def test_text_that_is_no_unicode_ends_in_an_answer_or_a_port_error(self, ai: AIProvider) -> None:
        """An unpaired surrogate reaches nobody as an error of the adapter's library."""
        broken = "heron \ud800 river."
        calls = [
            ai.summarize(SummaryRequest((broken,))),
            ai.key_phrases(broken),
            ai.classify(broken, ("a", "b")),
            ai.count_tokens(broken),
            ai.embed(EmbeddingRequest((broken,))),
            ai.complete(CompletionRequest((Message("user", broken),))),
        ]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, PortError)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=strategies.text(max_size=200), most=strategies.integers(1, 5))
    async def test_any_text_keeps_the_bounds(self, ai: AIProvider, text: str, most: int) -> None:
        """Whatever the text is, there are no more sentences, phrases and tokens than there may be, or a PortError."""
        calls = [ai.summarize(SummaryRequest((text,), most)), ai.key_phrases(text, limit=most), ai.count_tokens(text)]
        summary, phrases, tokens = await asyncio.gather(*calls, return_exceptions=True)
        for outcome in (summary, phrases, tokens):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, PortError)
        if isinstance(summary, Summary):
            assert len(summary.sentences) <= most
            assert text.strip() or not summary.sentences
        if isinstance(phrases, tuple):
            assert len(phrases) <= most
            assert all(each.text.strip() for each in phrases)
        if isinstance(tokens, int):
            assert 0 <= tokens <= len(text.encode("utf-8", "replace")) + 1

    async def test_it_behaves_as_a_guest_should(self, ai: AIProvider) -> None:
        """Calls, and a stream that is not read to its end, leave the event loop free and nothing behind."""

        async def work() -> None:
            await ai.summarize(SummaryRequest((self.TEXT,)))
            await ai.key_phrases(self.TEXT)
            if ai.features.embeddings:
                await ai.embed(EmbeddingRequest((self.TEXT,)))
            if ai.features.generative:
                stream: Any = ai.stream(self.QUESTION)
                await anext(stream)
                await stream.aclose()

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
