"""What may come out of a port, whoever the adapter is. Callers catch these and no library's own errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class WrongTest(BaseException):
    """Not the code under test is wrong but the test: what it told a mock, or a call that nobody has an answer for.

    It is no ``Exception``, so that no ``except`` of the code under test hides it, and a live handle lets it through.
    """


class PortError(Exception):
    """Base of all errors that leave a port. ``retryable`` says whether the same call may succeed later."""

    code: ClassVar[str] = "PORT-000"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class AdapterFailed(PortError):
    """An adapter raised something that is no PortError; the original is its ``__cause__``, its text without secrets."""

    code = "PORT-001"

    def __init__(self, provider: str, method: str, cause: BaseException, text: str | None = None) -> None:
        self.provider = provider
        self.method = method
        super().__init__(
            f"{provider} failed in {method}: {type(cause).__name__}: {cause if text is None else text}",
            getattr(cause, "hint", "")
            or "This is a defect of the adapter: report it to its author, with --debug's traceback.",
        )


class FeatureUnsupported(PortError):
    """The call asks for something that this provider's ``features`` do not offer."""

    code = "PORT-002"

    def __init__(self, provider: str, feature: str, hint: str = "") -> None:
        self.provider = provider
        self.feature = feature
        super().__init__(f"{provider} does not support {feature}.", hint)


class Unavailable(PortError):
    """What stands behind the adapter cannot be reached now: a network, a service, a locked file."""

    code = "PORT-003"
    retryable = True


class NotFound(PortError):
    """What the call names does not exist."""

    code = "PORT-004"


class RateLimited(PortError):
    """Too many calls; ``retry_after`` is in seconds, None when nobody said."""

    code = "PORT-005"
    retryable = True

    def __init__(self, message: str, retry_after: float | None = None, hint: str = "") -> None:
        self.retry_after = retry_after
        super().__init__(message, hint or (f"Try again in {retry_after:g} s." if retry_after is not None else ""))


class TimedOut(PortError):
    """The call took longer than it was allowed; ``seconds`` is that bound."""

    code = "PORT-006"
    retryable = True

    def __init__(self, what: str, seconds: float, hint: str = "") -> None:
        self.seconds = seconds
        super().__init__(f"{what} took longer than {seconds:g} s.", hint)


class TooLarge(PortError):
    """What came, or was to be stored, is larger than allowed; ``limit`` is in bytes."""

    code = "PORT-007"

    def __init__(self, what: str, limit: int, hint: str = "") -> None:
        self.limit = limit
        super().__init__(f"{what} is larger than {limit:,} bytes.", hint)


class InvalidRequest(PortError):
    """The request cannot be right, whatever the state behind the port."""

    code = "PORT-008"


class Refused(PortError):
    """The other side does not allow it: robots.txt, credentials, a permission."""

    code = "PORT-009"


class Conflict(PortError):
    """A compare-and-set found another version than was expected (0: it did not exist)."""

    code = "PORT-010"

    def __init__(self, key: str, expected: int, actual: int) -> None:
        self.key = key
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"{key!r} is at version {actual}, not {expected}.", "Read it again, and put with the version read."
        )


class InvalidContent(PortError):
    """What came back cannot be used: a binary file where text was wanted, broken JSON, an undecodable body."""

    code = "PORT-011"


class NotWritable(PortError):
    """The disk is full or read-only; nothing of the call was stored."""

    code = "PORT-012"


class NotReady(PortError):
    """Raised by a plugin while it is opened: what it needs is not there *yet*. The kernel tries again with backoff."""

    code = "PORT-013"
    retryable = True


def port_error_classes() -> Iterable[type[PortError]]:
    """Return every concrete port error, sorted by code."""
    return sorted(PortError.__subclasses__(), key=lambda each: each.code)
