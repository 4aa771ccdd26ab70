"""What a mock is told to raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from hotswap_ports.errors import (
    AdapterFailed,
    Conflict,
    FeatureUnsupported,
    InvalidRequest,
    RateLimited,
    TimedOut,
    TooLarge,
    WrongTest,
)

if TYPE_CHECKING:
    from hotswap_ports.testing.rules import Call

Failure: TypeAlias = "type[BaseException] | BaseException | Callable[[Call], BaseException]"


def check_failure(failure: object, example: Call) -> None:
    """Raise InvalidRequest for what is no failure, or a class whose errors need more than a text."""
    if isinstance(failure, type) and issubclass(failure, BaseException):
        try:
            error_for(failure, example)
        except TypeError as error:
            name = failure.__name__
            raise InvalidRequest(f"{name} needs more than a text ({error}): write fail({name}(...)).") from error
    elif isinstance(failure, type) or not (isinstance(failure, BaseException) or callable(failure)):
        text = f", such as fail(Unavailable({failure!r}))" if isinstance(failure, str) else ""
        raise InvalidRequest(
            f"{failure!r} cannot be raised: give an error, a class of errors or a function of the call{text}."
        )


def error_for(failure: Failure, call: Call) -> BaseException:
    """Return the error that a failure is; the classes of port errors that need more than a text get it."""
    if isinstance(failure, BaseException):
        return failure.with_traceback(None)
    if not isinstance(failure, type):
        made: object = failure(call)
        if not isinstance(made, BaseException):
            raise WrongTest(f"What {call.method} was to fail with is no error: the function returned {made!r}.")
        return made
    kind: type[BaseException] = failure
    text = f"{call.method} was told to fail"
    if issubclass(kind, AdapterFailed):
        return kind("mock", call.method, RuntimeError(text))
    if issubclass(kind, TimedOut):
        return kind(call.method, 0.0)
    if issubclass(kind, TooLarge):
        return kind(call.subject or call.method, 0)
    if issubclass(kind, Conflict):
        return kind(call.subject, 0, 1)
    if issubclass(kind, FeatureUnsupported):
        return kind("mock", call.method)
    if issubclass(kind, RateLimited):
        return kind(text, 1.0)
    return kind(text)
