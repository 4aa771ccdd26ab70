"""What the SDK of OpenAI raises, as errors of the port. Importing this imports the SDK."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from hotswap_ports.errors import (
    InvalidContent,
    InvalidRequest,
    PortError,
    RateLimited,
    Refused,
    TimedOut,
    TooLarge,
    Unavailable,
)

_LONGEST_MESSAGE = 300
_KEY = re.compile(r"\b(?:sk|key|api)[-_][\w*.…-]{6,}|Bearer\s+\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
_INVALID = (
    openai.BadRequestError,
    openai.NotFoundError,
    openai.UnprocessableEntityError,
    openai.ConflictError,
)


@contextmanager
def translated(provider: str, base_url: str, key: str, seconds: float) -> Iterator[None]:
    """Raise what the SDK raises as a PortError.

    Its own error is the cause, unless it repeats the key.
    """
    try:
        yield
    except openai.OpenAIError as error:
        raised = _port_error(error, provider, base_url, key, seconds)
        raise raised from (None if _holds_key(error, key) else error)
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ) as error:  # how the SDK fails over an answer it cannot read
        raise InvalidContent(
            f"{provider} cannot read the answer of {base_url}: {clean(str(error), key)}.", _speaks_protocol(base_url)
        ) from (None if key and key in str(error) else error)


def _port_error(error: openai.OpenAIError, provider: str, base_url: str, key: str, seconds: float) -> PortError:
    if isinstance(error, openai.APITimeoutError):
        return TimedOut(f"The call of {provider} to {base_url}", seconds)
    if isinstance(error, openai.APIResponseValidationError):
        return InvalidContent(f"{provider} cannot read the answer of {base_url}.", _speaks_protocol(base_url))
    if isinstance(error, openai.APIConnectionError):
        return Unavailable(
            f"{provider} cannot reach {base_url}, or lost the connection.",
            "Check the network and the setting `base_url`.",
        )
    if isinstance(error, openai.APIStatusError):
        return _status_error(error, provider, base_url, key)
    said = clean(error.message if isinstance(error, openai.APIError) else str(error), key)
    return Unavailable(f"{base_url} broke off the answer: {said}.")


def _status_error(error: openai.APIStatusError, provider: str, base_url: str, key: str) -> PortError:
    said = f"{base_url} answered {error.status_code}: {clean(_said(error), key)}"
    if error.status_code in (401, 403):
        return Refused(
            f"{base_url} refused the credentials of {provider} (status {error.status_code}).",
            f"Set `api_key` under [config.{provider}], or the environment variable OPENAI_API_KEY.",
        )
    if error.status_code == 413:
        return TooLarge(f"The request, said {base_url},", len(error.request.content))
    if isinstance(error, openai.NotFoundError):
        return InvalidRequest(said, "Check the model's name (`models()` lists them) and the setting `base_url`.")
    if isinstance(error, _INVALID):
        hint = f"Set `deterministic = false` under [config.{provider}]." if "temperature" in said else ""
        return InvalidRequest(said, hint)
    if error.status_code == 429:
        return RateLimited(said, _retry_after(error))
    if error.status_code >= 500 or error.status_code == 408:
        return Unavailable(said)
    return InvalidRequest(said)


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return "no reason given" if not isinstance(body, str) else body


def clean(text: str, key: str) -> str:
    """Return what a server said, in one short line, without the key or what looks like one."""
    if key:
        text = text.replace(key, "***")
    text = _CONTROL.sub(" ", _KEY.sub("***", text)).strip().rstrip(".")
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _holds_key(error: openai.OpenAIError, key: str) -> bool:
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return True  # a server may repeat a part of it
    return bool(key) and (key in str(error) or key in repr(getattr(error, "body", "")))


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Return seconds from ``Retry-After-Ms``, or ``Retry-After`` as a number or a date; None for neither."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        return seconds if 0 <= seconds < 1e9 else None
    try:
        at = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):  # none, no date, or one without a time zone
        return None


def _speaks_protocol(base_url: str) -> str:
    return f"Check that {base_url} is the base URL of a service that speaks OpenAI's protocol; it mostly ends in /v1."
