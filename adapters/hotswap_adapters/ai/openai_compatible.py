"""``OpenAICompatibleAI``: the port ``ai`` over OpenAI's protocol, as OpenAI, vLLM, llama.cpp and Ollama speak it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import anyio
from attrs import evolve, field, frozen

from hotswap_adapters.ai import openai_answers as answers
from hotswap_adapters.ai import tokens
from hotswap_adapters.ai.prices import Prices
from hotswap_adapters.ai.prompted import PromptedAI
from hotswap_ports.ai import (
    AIFeatures,
    Completion,
    CompletionChunk,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FinishReason,
    ModelInfo,
    Usage,
)
from hotswap_ports.errors import FeatureUnsupported, InvalidRequest, PortError, Refused, TimedOut, Unavailable
from hotswap_ports.plugin import Health
from hotswap_ports.vector import Vector

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")

NAME = "openai-compatible"
HEALTH_SECONDS = 3.0
"""For an answer to the question how the service is: less than the 5 s that the kernel waits for a plugin's."""
CLOSE_SECONDS = 2.0
"""For closing the response of a stream that was left early."""
BATCH_CHARACTERS = 200_000
"""Characters in one request for embeddings; OpenAI takes 300,000 tokens."""


@frozen
class OpenAICompatibleConfig:
    """Settings of the plugin ``openai-compatible``."""

    api_key: str = field(default="", repr=False)
    """May be empty for a server that wants none."""
    base_url: str = answers.OPENAI_URL
    """On this machine http://127.0.0.1:11434/v1 for Ollama, port 8000 for vLLM, port 8080 for llama.cpp."""
    model: str = "gpt-4o-mini"
    """Answers where a request names none."""
    embedding_model: str = ""
    """Empty: no embeddings. At OpenAI: text-embedding-3-small."""
    query_prefix: str = ""
    """Put before a question that is embedded, for models trained that way: ``query: ``."""
    passage_prefix: str = ""
    context_tokens: int = 8192
    """Tokens that the model takes in one call, the answer included; a longer text is summarised in portions."""
    max_input_tokens: int = 60_000
    """Most tokens of a request's texts that are summarised."""
    deterministic: bool = True
    """Whether summaries, key phrases and labels are asked for with temperature 0; some reasoning models refuse it."""
    timeout: float = 120.0
    """Seconds for a call whose request names no bound of its own, retries included."""
    max_retries: int = 2
    """How often the SDK tries again after a lost connection, 408, 409, 429 or 5xx, with backoff or ``Retry-After``."""
    embedding_batch: int = 128
    """Texts in one request for embeddings."""
    input_price: float | None = None
    """US dollars for a million tokens in; with ``output_price`` it replaces the price list."""
    output_price: float | None = None


class OpenAICompatibleAI(PromptedAI):
    """Completions, streams and embeddings through the official SDK; open inside ``async with``.

    Usage is what the service counted, else estimated; its cost is None where the price is unknown. Raises ``Refused``
    when it is opened for OpenAI itself without a key. The key shows in no error, log or repr of this adapter.
    """

    def __init__(self, config: OpenAICompatibleConfig) -> None:
        _check(config)
        temperature = 0.0 if config.deterministic else None
        super().__init__(config.context_tokens, config.max_input_tokens, config.timeout, temperature)
        self._config = config
        self._url = config.base_url.rstrip("/")
        self._key = config.api_key.strip()
        self._client: AsyncOpenAI | None = None
        self._prices = Prices(self._url, config.input_price, config.output_price)
        self.features = AIFeatures(
            generative=True, streaming=True, embeddings=bool(config.embedding_model), json_schema=True
        )

    @property
    def default_model(self) -> str:
        """The model that answers where a request names none."""
        return self._config.model

    async def __aenter__(self) -> OpenAICompatibleAI:
        if self._client is not None:
            raise RuntimeError("this OpenAICompatibleAI is open already")
        if not self._key and answers.is_openai(self._url):
            raise Refused(
                f"{NAME} has no API key for {self._url}.",
                f"Set the environment variable OPENAI_API_KEY, or your server's `base_url` under [config.{NAME}].",
            )
        try:
            self._client = await asyncio.to_thread(self._make_client)  # the SDK takes about a second to import
        except ImportError as error:
            raise FeatureUnsupported(NAME, f"any call here: {error}", "pip install 'hotswap[openai]'") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def complete(self, request: CompletionRequest) -> Completion:
        """Continue a conversation; ``InvalidContent`` where a schema was given and the answer is no JSON."""
        answers.check(request)
        client, model = self._open, request.model or self._config.model
        body = answers.parameters(request, self._config.model, self._url)
        answer = await self._call(
            request.timeout, lambda: client.chat.completions.create(**body, timeout=request.timeout)
        )
        made = answers.completion(answer, request, model, self._url)
        if request.json_schema is not None and made.finish_reason == "stop":
            _check_json(made.text, self._url)
        return evolve(made, usage=await self._prices.priced(made.usage, made.model))

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionChunk]:
        """Continue a conversation piece by piece; closing the iterator closes the HTTP response.

        Raises:
            Unavailable: also when the answer breaks off.
        """
        answers.check(request)
        client, model = self._open, request.model or self._config.model
        body = answers.parameters(request, self._config.model, self._url)
        options: dict[str, Any] = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "timeout": request.timeout,
        }
        source = await self._call(request.timeout, lambda: client.chat.completions.create(**body, **options))
        reason: FinishReason | None = None
        used: Usage | None = None
        written: list[str] = []
        try:
            while (chunk := await self._call(request.timeout, lambda: anext(source, None))) is not None:
                piece, ended, counted = self._read_chunk(chunk)
                reason, used = ended or reason, counted or used
                if piece:
                    written.append(piece)
                    yield CompletionChunk(piece)
        finally:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await source.close()
        if reason is None:
            raise Unavailable(f"{self._url} broke off the answer before its end.", "Try again.")
        used = used or answers.estimated(request.messages, "".join(written))
        yield CompletionChunk("", reason, await self._prices.priced(used, model))

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed in batches; an empty text is embedded as one space, for the protocol takes no empty one."""
        config, client = self._config, self._open
        if not config.embedding_model:
            raise FeatureUnsupported(
                NAME, "embeddings", f"Set `embedding_model` under [config.{NAME}], or select another provider for them."
            )
        model = request.model or config.embedding_model
        prefix = config.query_prefix if request.purpose == "query" else config.passage_prefix
        texts = [answers.encodable(prefix + each) or " " for each in request.texts]
        vectors: list[Vector] = []
        used = 0
        for batch in answers.batches(texts, config.embedding_batch, BATCH_CHARACTERS):
            answer = await self._call(
                config.timeout,
                lambda batch=batch: client.embeddings.create(  # type: ignore[misc]
                    model=model, input=batch, encoding_format="float", timeout=config.timeout
                ),
            )
            vectors += answers.vectors(answer, len(batch), model, self._url)
            counted = answers.usage(getattr(answer, "usage", None))
            used += counted.input_tokens if counted else sum(tokens.estimate(each) for each in batch)
        if len({each.dimensions for each in vectors}) > 1:
            raise answers.unreadable(self._url, "its embeddings differ in length")
        dimensions = vectors[0].dimensions if vectors else 0
        return Embeddings(tuple(vectors), model, dimensions, await self._prices.priced(Usage(used, 0), model))

    async def models(self) -> tuple[ModelInfo, ...]:
        """Return the models in the settings, then what the service lists, where it has a list."""
        config, client = self._config, self._open
        found = {config.model: ModelInfo(config.model)}
        if config.embedding_model:
            found[config.embedding_model] = ModelInfo(config.embedding_model, kind="embedding")
        try:
            page = await self._call(config.timeout, lambda: client.models.list(timeout=config.timeout))
        except InvalidRequest:  # 404, 405: a server without a list
            return tuple(found.values())
        for each in getattr(page, "data", None) or []:
            name, context = getattr(each, "id", None), getattr(each, "max_model_len", None)
            if isinstance(name, str) and answers.generates_text(name):
                embeds = "embed" in name.lower() or name == config.embedding_model
                if not embeds or config.embedding_model:
                    context = context if isinstance(context, int) else None
                    found[name] = ModelInfo(name, "embedding" if embeds else "completion", context)
        return tuple(found.values())

    async def health(self) -> Health:
        """Ask the service for its models, once and for ``HEALTH_SECONDS`` at most.

        Unhealthy: it cannot be reached, does not answer in time, or cannot work. Degraded: it is there, and refuses the
        key, is asked too often, or answers with what is no list of models.
        """
        client = self._open.with_options(max_retries=0)
        try:
            page = await self._call(HEALTH_SECONDS, lambda: client.models.list(timeout=HEALTH_SECONDS))
        except (Unavailable, TimedOut) as error:
            return Health("unhealthy", f"{error} {error.hint}".rstrip())
        except InvalidRequest:  # 404, 405: a server without a list
            return Health()
        except PortError as error:
            return Health("degraded", f"{error} {error.hint}".rstrip())
        if not isinstance(getattr(page, "data", None), list):
            return Health("degraded", f"{self._url} answers with what is no list of models.")
        return Health()

    async def count_tokens(self, text: str) -> int:
        """Count with ``bpe-openai`` where it is installed, else estimate: characters / 3.6, a CJK character one."""
        return await asyncio.to_thread(tokens.count, text)

    def _read_chunk(self, chunk: Any) -> tuple[str, FinishReason | None, Usage | None]:
        choices, used = getattr(chunk, "choices", None), answers.usage(getattr(chunk, "usage", None))
        if not choices:
            if choices is None and used is None:
                raise answers.unreadable(self._url, "a piece of it has no choices")
            return "", None, used
        delta = getattr(choices[0], "delta", None)
        piece = getattr(delta, "content", None) or getattr(delta, "refusal", None)
        if not isinstance(piece, str | None):
            raise answers.unreadable(self._url, "a piece of it has no text")
        return piece or "", answers.finish(getattr(choices[0], "finish_reason", None)), used

    async def _call(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T:
        """Await the SDK within ``seconds``, its errors as the port's."""
        from hotswap_adapters.ai.openai_errors import translated

        with anyio.move_on_after(seconds):
            with translated(NAME, self._url, self._key, seconds):
                return await call()
        raise TimedOut(f"The call of {NAME} to {self._url}", seconds)

    def _make_client(self) -> AsyncOpenAI:
        import openai

        from hotswap_adapters.ai import openai_errors  # noqa: F401 - imported here, so that no call waits for it

        # Everything explicit: left out, the SDK would read it from the environment past the settings.
        return openai.AsyncOpenAI(api_key=self._key or "none", base_url=self._url, max_retries=self._config.max_retries)

    @property
    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            raise Unavailable(f"{NAME} is not open.", "Use it inside `async with`.")
        return self._client


def _check(config: OpenAICompatibleConfig) -> None:
    parts = urlsplit(config.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(f"base_url must be an http or https URL, not {config.base_url!r}.")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("base_url must not hold credentials.", "Put the key into `api_key`.")
    if not config.api_key.strip().isascii() or not config.api_key.strip().isprintable():
        raise InvalidRequest("api_key holds characters that no HTTP header can carry.", "Copy it again.")
    least = {"context_tokens": 1024, "max_input_tokens": 1, "max_retries": 0, "embedding_batch": 1}
    for name, bound in least.items():
        if getattr(config, name) < bound:
            raise InvalidRequest(f"{name} must be at least {bound}, not {getattr(config, name)}.")
    if config.timeout <= 0:
        raise InvalidRequest(f"timeout must be more than 0 s, not {config.timeout}.")


def _check_json(text: str, base_url: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise answers.unreadable(base_url, "a JSON schema was asked for, and it is no JSON") from error
