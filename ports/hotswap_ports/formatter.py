"""The port ``formatter``: a report in, a document to read out."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from hotswap_ports.port import Port


@frozen
class Source:
    """Where something in a report comes from."""

    title: str
    url: str
    summary: str = ""
    key_phrases: tuple[str, ...] = ()


@frozen
class KeyPoint:
    """A point, with the sources (indices into ``Report.sources``) it rests on."""

    text: str
    sources: tuple[int, ...] = ()


@frozen
class Passage:
    """A part of a source that an answer rests on."""

    text: str
    source: int
    """Index into ``Report.sources``."""
    score: float = 0.0


@frozen
class Answer:
    """A question, what was found, and the passages that carry it."""

    question: str
    text: str
    """Empty when nothing was found that bears on the question."""
    passages: tuple[Passage, ...] = ()
    generative: bool = False


@frozen
class Report:
    """What a workflow found, before it takes a form."""

    title: str
    summary: str = ""
    key_points: tuple[KeyPoint, ...] = ()
    key_phrases: tuple[str, ...] = ()
    answer: Answer | None = None
    sources: tuple[Source, ...] = ()
    created: datetime | None = None
    """Aware, UTC."""
    method: str = ""
    """One sentence that says how the text came about: extracted word for word, or written by which model."""
    notes: tuple[str, ...] = ()
    """What a reader should know: sources that failed, limits that were reached."""


@frozen
class Rendered:
    """A document."""

    text: str
    media_type: str
    extension: str
    """With its dot: ``.md``."""


@frozen
class FormatterFeatures:
    """Which formats a formatter writes, the default first."""

    formats: tuple[str, ...] = ()


class Formatter(Port):
    """Gives a report a form."""

    PORT: ClassVar[str] = "formatter"
    VERSION: ClassVar[str] = "1.0.0"
    READS: ClassVar[frozenset[str]] = frozenset({"format"})

    features: FormatterFeatures = FormatterFeatures()

    @abstractmethod
    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        """Write ``report`` in ``format`` (None: the first of ``features.formats``).

        All texts of the report stand in the document, whole, with the URLs of the sources, the date, and which sources
        a point or a passage rests on; nothing else decides what the document says.

        What stands in the report is text, never markup: the formatter escapes it, leaves out what controls a terminal
        or turns the direction of text, and makes links of the addresses of web pages and files alone.

        Raises:
            FeatureUnsupported: ``features.formats`` lacks the format.
        """
