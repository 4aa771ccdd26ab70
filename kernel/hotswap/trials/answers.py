"""Answers to the same call, set side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

from hotswap.errors import says
from hotswap.trials.stats import Difference

Same: TypeAlias = Callable[[Any, Any], object]
"""Told the current provider's answer and the candidate's (of streams: one item of each): are they the same?"""

SHOWN = 200
"""Characters of an answer that a difference shows."""


@frozen
class Answer:
    """What came out of a call: a value, the items of a stream, or an error."""

    seconds: float
    """How long it took; of a stream: to its first item."""
    value: Any = None
    error: Exception | None = None
    items: tuple[Any, ...] | None = None

    def shown(self, redact: Callable[[str], str]) -> str:
        """Return it as a short text without secrets, which are taken out before it is cut."""
        if self.error is not None:
            text = f"{type(self.error).__name__}: {says(self.error)}"
        else:
            text = _repr(self.value if self.items is None else list(self.items))
        text = redact(text)
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - an adapter's own class; the difference is what is to be reported
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def differ(current: Answer, candidate: Answer, same: Same) -> str:
    """Return in what two answers differ, and empty when they do not. Errors of one class are the same."""
    if current.error is not None or candidate.error is not None:
        return "" if type(current.error) is type(candidate.error) else "one raised"
    try:
        if current.items is None or candidate.items is None:
            return "" if same(current.value, candidate.value) else "the answers are not the same"
        for number, (one, other) in enumerate(zip(current.items, candidate.items, strict=False), 1):
            if not same(one, other):
                return f"item {number} is not the same"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - code of the application or of a value: reported as the difference
        return f"comparing raised {type(error).__name__}: {says(error)}".rstrip(": ")
    return "" if len(current.items) == len(candidate.items) else "one has more items"


def difference(method: str, what: str, current: Answer, candidate: Answer, redact: Callable[[str], str]) -> Difference:
    """Return the report of a difference."""
    return Difference(method, what, current.shown(redact), candidate.shown(redact))
