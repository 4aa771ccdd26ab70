"""The port ``ai``: completions where a model generates; summaries, key phrases, labels and embeddings from all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from hotswap_ports.port import Port
from hotswap_ports.vector import Vector


@frozen
class AIFeatures:
    """What a provider can do."""

    generative: bool = False
    """Whether it writes text of its own: ``complete`` and ``stream``. Else it only picks from what it is given."""
    streaming: bool = False
    """Whether ``stream`` yields text as it is made, and not at once at the end."""
    embeddings: bool = False
    json_schema: bool = False
    """Whether ``CompletionRequest.json_schema`` is enforced while generating."""


@frozen
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@frozen
class CompletionRequest:
    """A conversation to be continued."""

    messages: tuple[Message, ...]
    model: str | None = None
    """None: the provider's default."""
    max_tokens: int | None = None
    """Most tokens to generate; an answer that was cut off for it has ``finish_reason`` ``length``."""
    temperature: float | None = None
    """0 to 2; None: the provider's default."""
    stop: tuple[str, ...] = ()
    """Texts at which the answer ends; they are no part of it."""
    seed: int | None = None
    json_schema: Mapping[str, Any] | None = None
    """A JSON Schema that the answer has to satisfy.

    Where ``features.json_schema`` is False, FeatureUnsupported, or InvalidContent for an answer that does not.
    """
    timeout: float = 120.0
    """Seconds for the whole call, above 0; for a stream, to its first chunk and between two chunks."""


@frozen
class Usage:
    """Tokens that a call used."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    """US dollars; None when the price is unknown, which is not zero."""

    @property
    def total_tokens(self) -> int:
        """Return tokens in and out together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        known = self.cost_usd is not None and other.cost_usd is not None
        cost = (self.cost_usd or Decimal(0)) + (other.cost_usd or Decimal(0)) if known else None
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens, cost)


FinishReason = Literal["stop", "length", "filtered", "other"]


@frozen
class Completion:
    """A generated answer."""

    text: str
    model: str
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()


@frozen
class CompletionChunk:
    """A piece of a streamed answer; ``usage`` and ``finish_reason`` come with the last one."""

    text: str
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


@frozen
class EmbeddingRequest:
    """Texts to be placed in a vector space."""

    texts: tuple[str, ...]
    purpose: Literal["query", "passage"] = "passage"
    """Some models embed questions and passages differently."""
    model: str | None = None


@frozen
class Embeddings:
    """One vector a text, in the order of the texts."""

    vectors: tuple[Vector, ...]
    model: str
    dimensions: int
    usage: Usage = Usage()


@frozen
class SummaryRequest:
    """Texts to be summarised together."""

    texts: tuple[str, ...]
    max_sentences: int = 5
    """At least 1."""
    focus: str | None = None
    """A question: what does not bear on it is left out."""


@frozen
class SummarySentence:
    """One sentence of a summary and where it comes from."""

    text: str
    source: int | None = None
    """Index into ``SummaryRequest.texts``; None when a model wrote it from several."""
    score: float = 0.0
    """Centrality (or relevance to the focus), higher is more; comparable within one summary only."""


@frozen
class Summary:
    """A summary, in reading order."""

    sentences: tuple[SummarySentence, ...]
    generative: bool
    """False: every sentence stands word for word in its source."""
    model: str
    usage: Usage = Usage()

    @property
    def text(self) -> str:
        """Return the sentences as one paragraph."""
        return " ".join(each.text for each in self.sentences)


@frozen
class KeyPhrase:
    """A phrase that says what a text is about."""

    text: str
    score: float
    """Higher is more telling; comparable within one call only."""


@frozen
class Label:
    """One label of a classification; the scores of a call sum to 1."""

    name: str
    score: float


@frozen
class ModelInfo:
    """A model that a provider offers."""

    id: str
    kind: Literal["completion", "embedding", "extractive"] = "completion"
    context_tokens: int | None = None
    dimensions: int | None = None
    """Length of the vectors of an embedding model."""
    metadata: Mapping[str, str] = field(factory=dict)


class AIProvider(Port):
    """Understands and, where ``features.generative``, writes text.

    All methods may raise ``InvalidRequest`` (an unknown model, a bad parameter), ``RateLimited``, ``TimedOut``,
    ``Refused`` (credentials) and ``Unavailable`` (also where the provider is not open). A call that is cancelled ends
    as cancelled, and no other call with it.
    """

    PORT: ClassVar[str] = "ai"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset(
        {"classify", "complete", "count_tokens", "embed", "key_phrases", "models", "stream", "summarize"}
    )

    features: AIFeatures = AIFeatures()

    @abstractmethod
    async def complete(self, request: CompletionRequest) -> Completion:
        """Continue a conversation.

        Raises:
            FeatureUnsupported: the provider is not generative.
        """

    @abstractmethod
    def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        """Continue a conversation, piece by piece; closing the iterator, begun or not, ends the call.

        Raises (at the first piece):
            FeatureUnsupported: the provider is not generative.
        """

    @abstractmethod
    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed texts; an empty text has a vector too.

        Raises:
            FeatureUnsupported: the provider has no embeddings.
        """

    @abstractmethod
    async def summarize(self, request: SummaryRequest) -> Summary:
        """Summarise texts; nothing in gives no sentences, never an invented one.

        Raises:
            InvalidRequest: ``max_sentences`` < 1.
        """

    @abstractmethod
    async def key_phrases(self, text: str, *, limit: int = 10) -> tuple[KeyPhrase, ...]:
        """Return at most ``limit`` phrases, most telling first, no two the same but for case.

        Without ``features.generative`` each stands in the text, but for case; a text without words has none.

        Raises:
            InvalidRequest: ``limit`` < 1.
        """

    @abstractmethod
    async def classify(self, text: str, labels: tuple[str, ...]) -> tuple[Label, ...]:
        """Score ``text`` against each label, best first.

        Raises:
            InvalidRequest: there are no labels, or one twice.
        """

    @abstractmethod
    async def models(self) -> tuple[ModelInfo, ...]:
        """Return what can stand in a request's ``model``, of each kind the default first."""

    @abstractmethod
    async def count_tokens(self, text: str) -> int:
        """Return how many tokens ``text`` has for the default model; an estimate lies in [0, len(text) + 1]."""
