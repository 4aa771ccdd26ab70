"""``AIContract``: what every adapter of the port ``ai`` must do, generative or not."""

from __future__ import annotations

import asyncio
import math
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.ai import (
    AIFeatures,
    AIProvider,
    EmbeddingRequest,
    Summary,
    SummaryRequest,
)
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, PortError
from hotswap_ports.testing.contracts.ai_examples import BIRDS, ODD, calls_with, outcome_of
from hotswap_ports.testing.contracts.ai_over_time import AIOverTime
from hotswap_ports.testing.contracts.completion import check_usage


class AIContract(AIOverTime):
    """Tests over a fixture ``ai``: an open provider. Inherit, supply the fixture, done.

    What a provider's ``features`` deny must be refused with FeatureUnsupported, and what they offer must work.
    A provider whose ``summarize``, ``key_phrases`` and ``classify`` ask a model is held to the same bounds.
    One that is opened and closed overrides the fixture ``reopen`` too.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio

    async def test_features_are_declared(self, ai: AIProvider) -> None:
        """``features`` is an AIFeatures, and who streams is generative."""
        assert isinstance(ai.features, AIFeatures)
        assert ai.features.generative or not (ai.features.streaming or ai.features.json_schema)

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
            assert answer.dimensions > 0
            check_usage(answer.usage)
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

    async def test_many_texts_are_embedded_in_their_order(self, ai: AIProvider) -> None:
        """However many texts there are, and the same one twice, each has its own vector at its own place."""
        if not ai.features.embeddings:
            pytest.skip("the provider has no embeddings")
        texts = tuple(f"A {BIRDS[number % 5]} was seen {number % 70} times." for number in range(140))
        vectors = (await ai.embed(EmbeddingRequest(texts))).vectors
        assert len(vectors) == len(texts)
        assert len({each.data for each in vectors}) > 35
        for at in (0, 33, 69, 139):
            (alone,) = (await ai.embed(EmbeddingRequest((texts[at],)))).vectors
            assert alone.similarity(vectors[at]) == pytest.approx(1, abs=1e-3)
            assert vectors[at].similarity(vectors[(at + 70) % 140]) == pytest.approx(1, abs=1e-3)

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
            assert summary.text == " ".join(each.text for each in summary.sentences)
            assert summary.model
            check_usage(summary.usage)

    async def test_an_extracted_summary_stands_word_for_word_in_its_source(self, ai: AIProvider) -> None:
        """Where ``generative`` is False, every sentence is found in the text its source names, in reading order."""
        texts = (self.TEXT, "Trains run on rails. A train leaves the station at noon.")
        summary = await ai.summarize(SummaryRequest(texts, max_sentences=4))
        if summary.generative:
            assert ai.features.generative
            return
        places = _places(summary, texts)
        assert places == sorted(places)

    async def test_a_summary_may_have_a_focus(self, ai: AIProvider) -> None:
        """A focus changes what is taken, never how much is allowed; what does not bear on it is left out."""
        request = SummaryRequest((self.TEXT,), max_sentences=2, focus="Where do herons nest?")
        assert len((await ai.summarize(request)).sentences) <= 2
        texts = ("Interest rates rose by half a percent.", "Herons nest in tall trees near the river.")
        summary = await ai.summarize(SummaryRequest(texts, max_sentences=5, focus="Where do herons nest?"))
        assert "trees" in summary.text
        assert "percent" not in summary.text

    @pytest.mark.parametrize("most", [0, -1])
    async def test_a_summary_of_less_than_one_sentence_is_an_invalid_request(self, ai: AIProvider, most: int) -> None:
        """``max_sentences`` must be at least 1, also where there is nothing to summarise."""
        for texts in ((self.TEXT,), ()):
            with pytest.raises(InvalidRequest):
                await ai.summarize(SummaryRequest(texts, max_sentences=most))

    async def test_key_phrases_are_few_and_differ(self, ai: AIProvider) -> None:
        """There are at most ``limit``, most telling first, no two the same but for case; none for an empty text."""
        for limit in (1, 3, 10):
            phrases = await ai.key_phrases(self.TEXT, limit=limit)
            assert 1 <= len(phrases) <= limit
            assert len({each.text.casefold() for each in phrases}) == len(phrases)
            scores = [each.score for each in phrases]
            assert scores == sorted(scores, reverse=True)
        assert len(await ai.key_phrases(" ".join(map("word{}".format, range(50))))) <= 10
        shouted = await ai.key_phrases("HERON Heron heron river River RIVER.")
        assert len({each.text.casefold() for each in shouted}) == len(shouted)
        assert await ai.key_phrases("") == ()
        assert await ai.key_phrases(" \n") == ()
        for limit in (0, -1):
            with pytest.raises(InvalidRequest):
                await ai.key_phrases(self.TEXT, limit=limit)

    async def test_who_only_picks_takes_phrases_from_the_text(self, ai: AIProvider) -> None:
        """Where a provider is not generative, every key phrase stands in the text, but for case."""
        if ai.features.generative:
            pytest.skip("the provider is generative")
        text = " ".join(self.TEXT.casefold().split())
        assert all(each.text.casefold() in text for each in await ai.key_phrases(self.TEXT))

    async def test_classify_scores_every_label(self, ai: AIProvider) -> None:
        """Each label comes back once, best first, and the scores sum to 1."""
        labels = ("railway traffic", "cooking", "the heron and the river", "Cooking")
        scored = await ai.classify(self.TEXT, labels)
        assert sorted(each.name for each in scored) == sorted(labels)
        assert scored[0].name == "the heron and the river"
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
        """Ids differ; what is listed as an embedding model embeds, as it says; the first one is the default."""
        models = await ai.models()
        assert models
        assert len({each.id for each in models}) == len(models)
        embedding = [each for each in models if each.kind == "embedding"]
        assert bool(embedding) == ai.features.embeddings
        for model in embedding:
            answer = await ai.embed(EmbeddingRequest(("heron",), model=model.id))
            assert model.dimensions in (None, answer.dimensions)
        if embedding:
            default = await ai.embed(EmbeddingRequest(("heron",)))
            named = await ai.embed(EmbeddingRequest(("heron",), model=embedding[0].id))
            assert default.model == named.model

    async def test_count_tokens_lies_within_its_bounds(self, ai: AIProvider) -> None:
        """Tokens are at least 0, and for plain text no more than its characters and one."""
        for text in ("", "heron", self.TEXT, "  \n ", "Reiher, 鷺", *ODD.values()):
            assert 0 <= await ai.count_tokens(text) <= len(text.encode("utf-8", "replace")) + 1
        assert await ai.count_tokens(self.TEXT) > await ai.count_tokens("heron")

    @pytest.mark.parametrize("kind", ODD)
    async def test_odd_text_ends_in_an_answer_or_a_port_error(self, ai: AIProvider, kind: str) -> None:
        """Whatever the text is, no error of the adapter's library comes out, and no bound is left."""
        for call in calls_with(ai, ODD[kind]):
            outcome = await outcome_of(call)
            if isinstance(outcome, Summary):
                assert len(outcome.sentences) <= 5
                if not outcome.generative:
                    _places(outcome, (ODD[kind],))
        assert (await ai.summarize(SummaryRequest((self.TEXT,)))).sentences

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
            if not summary.generative:
                _places(summary, (text,))
        if isinstance(phrases, tuple):
            assert len(phrases) <= most
            assert all(each.text.strip() for each in phrases)
            assert len({each.text.casefold() for each in phrases}) == len(phrases)
            assert [each.score for each in phrases] == sorted((each.score for each in phrases), reverse=True)
        if isinstance(tokens, int):
            assert 0 <= tokens <= len(text.encode("utf-8", "replace")) + 1

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=strategies.text(max_size=50), labels=strategies.lists(strategies.text(max_size=10), max_size=6))
    async def test_any_labels_share_one_score(self, ai: AIProvider, text: str, labels: list[str]) -> None:
        """Whatever the labels are, each has its share and the shares sum to 1; or the labels are no labels."""
        if len(set(labels)) != len(labels) or not labels:
            with pytest.raises(InvalidRequest):
                await ai.classify(text, tuple(labels))
            return
        scored = await ai.classify(text, tuple(labels))
        assert sorted(each.name for each in scored) == sorted(labels)
        assert math.fsum(each.score for each in scored) == pytest.approx(1)


def _places(summary: Summary, texts: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where each sentence stands, and assert that it does, word for word."""
    places = []
    for sentence in summary.sentences:
        assert sentence.source is not None
        assert 0 <= sentence.source < len(texts)
        place = " ".join(texts[sentence.source].split()).find(" ".join(sentence.text.split()))
        assert place >= 0
        places.append((sentence.source, place))
    return places
