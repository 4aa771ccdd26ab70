"""What a run is asked for, checked before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import frozen

from hotswap_ports import InputSpec, InvalidRequest

INPUTS = (
    InputSpec("sources", positional=True, help="Web pages, files and folders to read."),
    InputSpec("max_pages", "integer", "Most pages to read of each web site given, following its own links.", 1),
    InputSpec("ask", help="A question to answer from what was read; without sources, from all that was read before."),
    InputSpec("format", help="The form of the report; without it, the formatter's default."),
)
MOST_PAGES = 10_000
"""A bound on ``max_pages``, far above what anyone waits for, so that a slip of the finger is caught."""


@frozen
class Request:
    """Inputs of the right types."""

    sources: tuple[str, ...] = ()
    max_pages: int = 1
    ask: str | None = None
    format: str | None = None

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Request:
        """Check ``inputs``; None stands for a default.

        Raises:
            InvalidRequest: an input is unknown, missing or of the wrong type.
        """
        names = [each.name for each in INPUTS]
        for name in inputs:
            if name not in names:
                raise InvalidRequest(f"research has no input {name!r}.", _suggest(name, names))
        request = cls(
            sources=_texts(inputs.get("sources")),
            max_pages=_pages(inputs.get("max_pages")),
            ask=_text("ask", inputs.get("ask")),
            format=_text("format", inputs.get("format")),
        )
        if not request.sources and request.ask is None:
            raise InvalidRequest(
                "The input 'sources' is missing: there is nothing to read, and no question.",
                "Name web pages, files or folders; or ask about what was read before, with --ask QUESTION.",
            )
        return request


def _suggest(name: object, names: Iterable[str]) -> str:
    known = list(names)
    close = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Inputs: {', '.join(known)}."


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise InvalidRequest("The input 'sources' must be a tuple of texts.", "Write ('README.md',) for one source.")
    if not all(each.strip() for each in value):
        raise InvalidRequest("The input 'sources' holds an empty text.", "Name a web page, a file or a folder.")
    return tuple(value)


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"The input {name!r} must be a text that is not empty.", "Leave it out, or fill it in.")
    return value.strip()


def _pages(value: Any) -> int:
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PAGES:
        raise InvalidRequest(f"The input 'max_pages' must be a whole number from 1 to {MOST_PAGES:,}.")
    return value
