"""``MemoryAI``: the port ``ai`` without a model, the same answers in every process."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal

from hotswap_ports.ai import (
    AIFeatures,
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FinishReason,
    KeyPhrase,
    Label,
    ModelInfo,
    Summary,
    SummaryRequest,
    SummarySentence,
    Usage,
)
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest
from hotswap_ports.vector import Vector

Answers = Sequence[str] | Callable[[CompletionRequest], str]

CHAT_MODEL = "memory-chat"
EMBEDDING_MODEL = "memory-hash-256"
DIMENSIONS = 256

_STOP_WORDS = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "in", "is", "it", "its", "not",
        "of", "on", "or", "that", "the", "this", "to", "was", "were", "where", "which", "who", "will", "with",
    }
)  # fmt: skip
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_FREE = Decimal(0)


class MemoryAI(AIProvider):
    """Summarises by taking the first sentences and embeds by hashing words.

    With ``answers`` it is generative: ``complete`` gives them in turn, beginning again after the last, or what the
    function makes of the request. ``stream`` yields the same answer word by word. A token is a word or a mark.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        if answers is not None and not callable(answers):
            answers = (answers,) if isinstance(answers, str) else tuple(answers)
            if not answers:
                raise InvalidRequest("MemoryAI needs at least one answer, or None to refuse completions.")
        self._answers = answers
        self._turn = 0
        generative = answers is not None
        self.features = AIFeatures(generative=generative, streaming=generative, embeddings=True)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Return the next canned answer, cut at ``stop`` and ``max_tokens``."""
        text, reason = _cut(self._answer(request), request)
        return Completion(text, CHAT_MODEL, reason, _usage(request, text))

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        """Yield the next canned answer word by word; the last piece has no text."""
        text, reason = _cut(self._answer(request), request)
        for piece in re.findall(r"\s*\S+\s*\Z|\s*\S+|\s+", text):
            yield CompletionChunk(piece)
        yield CompletionChunk("", reason, _usage(request, text))

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Add up one pseudo-random unit step a word; texts that share words are near each other."""
        _check_model(request.model, EMBEDDING_MODEL)
        vectors = tuple(_embed(each) for each in request.texts)
        used = sum(len(_TOKEN.findall(each)) for each in request.texts)
        return Embeddings(vectors, EMBEDDING_MODEL, DIMENSIONS, Usage(used, 0, _FREE))

    async def summarize(self, request: SummaryRequest) -> Summary:
        """Take the first sentences, a round from each text; with a focus, those nearest to it."""
        if request.max_sentences < 1:
            raise InvalidRequest(f"max_sentences must be at least 1, not {request.max_sentences}.")
        rows = [
            (position, source, sentence)
            for source, text in enumerate(request.texts)
            for position, sentence in enumerate(_sentences(text))
        ]
        if request.focus is not None:
            focus = _embed(request.focus)
            scored = [(focus.similarity(_embed(row[2])), row) for row in rows]
            scored = [each for each in scored if each[0] > 0]
        else:
            scored = [(1 / (1 + row[0]), row) for row in rows]
        best = sorted(scored, key=lambda each: (-each[0], each[1]))[: request.max_sentences]
        best.sort(key=lambda each: (each[1][1], each[1][0]))
        sentences = tuple(SummarySentence(row[2], row[1], score) for score, row in best)
        return Summary(sentences, generative=False, model="memory-first-sentences", usage=Usage(cost_usd=_FREE))

    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        """Return the words used most, in the spelling used first."""
        if limit < 1:
            raise InvalidRequest(f"limit must be at least 1, not {limit}.")
        spelling: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for word in re.findall(r"\w{3,}", text):
            folded = word.casefold()
            if folded not in _STOP_WORDS:
                spelling.setdefault(folded, word)
                counts[folded] += 1
        return tuple(KeyPhrase(spelling[word], float(count)) for word, count in counts.most_common(limit))

    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        """Score by words that text and label share; nothing shared scores all alike."""
        if not labels or len(set(labels)) != len(labels):
            raise InvalidRequest("Labels must be given, and each once.")
        vector = _embed(text)
        weights = [math.exp(4 * vector.similarity(_embed(each))) for each in labels]
        total = math.fsum(weights)
        scored = (Label(name, weight / total) for name, weight in zip(labels, weights, strict=True))
        return tuple(sorted(scored, key=lambda each: -each.score))

    async def models(self) -> tuple[ModelInfo, ...]:
        """Return the chat model where there are answers, and the embedding model."""
        embedding = ModelInfo(EMBEDDING_MODEL, kind="embedding", dimensions=DIMENSIONS)
        return (ModelInfo(CHAT_MODEL), embedding) if self.features.generative else (embedding,)

    async def count_tokens(self, text: str) -> int:
        """Return how many words and punctuation marks there are."""
        return len(_TOKEN.findall(text))

    def _answer(self, request: CompletionRequest) -> str:
        if self._answers is None:
            raise FeatureUnsupported("memory", "completions", "Give MemoryAI answers, or select a generative provider.")
        if request.json_schema is not None:
            raise FeatureUnsupported("memory", "json_schema", "Ask without a schema, and check the answer yourself.")
        _check_model(request.model, CHAT_MODEL)
        _check_request(request)
        if callable(self._answers):
            return self._answers(request)
        answer = self._answers[self._turn % len(self._answers)]
        self._turn += 1
        return answer


def _check_model(model: str | None, only: str) -> None:
    if model not in (None, only):
        raise InvalidRequest(f"There is no model {model!r} here.", f"Ask for {only!r}, or for None.")


def _check_request(request: CompletionRequest) -> None:
    if not request.messages:
        raise InvalidRequest("A completion needs at least one message.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise InvalidRequest(f"max_tokens must be at least 1, not {request.max_tokens}.")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise InvalidRequest(f"temperature must lie in 0 to 2, not {request.temperature}.")
    if not request.timeout > 0:
        raise InvalidRequest(f"timeout must be more than 0 s, not {request.timeout}.")


def _cut(text: str, request: CompletionRequest) -> tuple[str, FinishReason]:
    ends = [text.index(each) for each in request.stop if each and each in text]
    text = text[: min(ends)] if ends else text
    tokens = list(_TOKEN.finditer(text))
    if request.max_tokens is not None and len(tokens) > request.max_tokens:
        return text[: tokens[request.max_tokens - 1].end()], "length"
    return text, "stop"


def _usage(request: CompletionRequest, answer: str) -> Usage:
    asked = sum(len(_TOKEN.findall(each.content)) for each in request.messages)
    return Usage(asked, len(_TOKEN.findall(answer)), _FREE)


def _sentences(text: str) -> list[str]:
    return [each.strip() for each in _SENTENCE_END.split(text) if each.strip()]


def _embed(text: str) -> Vector:
    values = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.casefold()):
        if word not in _STOP_WORDS:
            digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
            values[digest[0]] += 1.0 if digest[1] & 1 else -1.0
            values[digest[2]] += 1.0 if digest[3] & 1 else -1.0
    return Vector.of(values, EMBEDDING_MODEL)
