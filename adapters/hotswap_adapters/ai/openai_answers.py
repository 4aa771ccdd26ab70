"""Requests of the port in the words of OpenAI's protocol, and its answers checked: the SDK takes them as they come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from hotswap_adapters.ai import tokens
from hotswap_ports.ai import Completion, CompletionRequest, FinishReason, Message, Usage
from hotswap_ports.errors import InvalidContent, InvalidRequest
from hotswap_ports.vector import Vector

OPENAI_URL = "https://api.openai.com/v1"

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "filtered"}
_NOT_TEXT = ("dall-e", "whisper", "tts", "image", "audio", "realtime", "transcribe", "moderation", "sora", "rerank")


def check(request: CompletionRequest) -> None:
    """Refuse what no service could take.

    Raises:
        InvalidRequest: there are no messages, or a number is out of its range.
    """
    if not request.messages:
        raise InvalidRequest("A completion needs at least one message.")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise InvalidRequest(f"max_tokens must be at least 1, not {request.max_tokens}.")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise InvalidRequest(f"temperature must lie in 0 to 2, not {request.temperature}.")
    if not request.timeout > 0:  # nan is no time either
        raise InvalidRequest(f"timeout must be more than 0 s, not {request.timeout}.")


def parameters(request: CompletionRequest, default_model: str, base_url: str) -> dict[str, Any]:
    """Return the body of a chat completion; what the request leaves open is left to the service."""
    messages = [{"role": each.role, "content": encodable(each.content)} for each in request.messages]
    body: dict[str, Any] = {"model": request.model or default_model, "messages": messages}
    if request.max_tokens is not None:
        # OpenAI renamed it; the servers that follow its protocol know the old name, and some only that.
        body["max_completion_tokens" if is_openai(base_url) else "max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def is_openai(base_url: str) -> bool:
    """Return whether it is the service of OpenAI itself, in any region."""
    host = urlsplit(base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def encodable(text: str) -> str:
    """Return ``text`` without unpaired surrogates, which no JSON can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def completion(answer: Any, asked: CompletionRequest, model: str, base_url: str) -> Completion:
    """Read a chat completion; its usage is not priced yet.

    Raises:
        InvalidContent: it has no choices, or no text though it was not cut off.
    """
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise unreadable(base_url, "it has no choices")
    message = getattr(choices[0], "message", None)
    text, refusal = getattr(message, "content", None), getattr(message, "refusal", None)
    reason = finish(getattr(choices[0], "finish_reason", None)) or "other"
    if not isinstance(text, str):
        if isinstance(refusal, str):
            text, reason = refusal, "filtered"
        elif message is not None and text is None and reason != "stop":
            text = ""
        else:
            raise unreadable(base_url, "it has no text")
    named = getattr(answer, "model", None)
    used = usage(getattr(answer, "usage", None)) or estimated(asked.messages, text)
    return Completion(text, named if isinstance(named, str) and named else model, reason, used)


def finish(reason: object) -> FinishReason | None:
    """Return the port's word for why it ended; None while it has not."""
    if reason is None:
        return None
    return _FINISH.get(str(reason), "other")


def usage(counted: Any) -> Usage | None:
    """Return what the service counted, None where it did not."""
    given = getattr(counted, "prompt_tokens", None)
    made = getattr(counted, "completion_tokens", 0)
    if not isinstance(given, int) or given < 0:
        return None
    return Usage(given, made if isinstance(made, int) and made >= 0 else 0)


def estimated(messages: Iterable[Message], text: str) -> Usage:
    """Return an estimate for a service that does not count, so that budgets hold there too."""
    return Usage(sum(tokens.estimate(each.content) for each in messages), tokens.estimate(text))


def vectors(answer: Any, count: int, model: str, base_url: str) -> list[Vector]:
    """Read embeddings, in the order of the texts.

    Raises:
        InvalidContent: there are not ``count``, or one is no vector of finite numbers.
    """
    data = getattr(answer, "data", None)
    if not isinstance(data, list) or len(data) != count:
        raise unreadable(base_url, f"it has not the {count} embeddings that were asked for")
    try:
        found = [Vector.of(each.embedding, model) for each in sorted(data, key=lambda each: each.index)]
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise unreadable(base_url, "an embedding in it is no vector") from error
    if len({each.dimensions for each in found}) > 1:
        raise unreadable(base_url, "its embeddings differ in length")
    return found


def generates_text(model: str) -> bool:
    """Return whether a model in a service's list may do for a completion, judged by its name; lists say no more."""
    return not any(each in model.lower() for each in _NOT_TEXT)


def batches(texts: Sequence[str], count: int, characters: int) -> list[list[str]]:
    """Group texts into requests of at most ``count`` texts and some ``characters``."""
    grouped: list[list[str]] = []
    size = 0
    for text in texts:
        if not grouped or len(grouped[-1]) >= count or size + len(text) > characters:
            grouped.append([])
            size = 0
        grouped[-1].append(text)
        size += len(text)
    return grouped


def unreadable(base_url: str, why: str) -> InvalidContent:
    """Return the error for an answer that is not of the protocol."""
    return InvalidContent(
        f"The answer of {base_url} cannot be used: {why}.",
        "Check that the setting `base_url` leads to a service that speaks OpenAI's protocol; it mostly ends in /v1.",
    )
