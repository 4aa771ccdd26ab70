"""``MemoryFormatter``: the port ``formatter`` as plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from hotswap_ports.errors import FeatureUnsupported
from hotswap_ports.formatter import Formatter, FormatterFeatures, Rendered, Report

_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""The classes of marks that turn the direction of text."""


class MemoryFormatter(Formatter):
    """Writes a report as plain text, one line a thing; text within a line has its white space folded."""

    features = FormatterFeatures(formats=("text",))

    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        """Write ``report``; the only format is ``text``."""
        if format not in (None, *self.features.formats):
            raise FeatureUnsupported("memory", f"the format {format!r}", "Use text.")
        return Rendered("\n".join(_lines(report)) + "\n", "text/plain", ".txt")


def _lines(report: Report) -> Iterator[str]:
    yield _line(report.title)
    if report.summary:
        yield _line(report.summary)
    yield from (f"- {_line(point.text)}{_places(point.sources)}" for point in report.key_points)
    if report.key_phrases:
        yield f"Key phrases: {_line(', '.join(report.key_phrases))}"
    if report.answer is not None:
        yield f"Question: {_line(report.answer.question)}"
        yield f"Answer: {_line(report.answer.text) or 'nothing was found'}"
        yield from (f"- {_line(each.text)}{_places((each.source,))}" for each in report.answer.passages)
    for number, source in enumerate(report.sources, 1):
        yield f"[{number}] {_line(source.title)} <{_line(source.url)}>"
        if source.summary:
            yield f"    {_line(source.summary)}"
        if source.key_phrases:
            yield f"    {_line(', '.join(source.key_phrases))}"
    if report.method:
        yield _line(report.method)
    yield from (f"Note: {_line(each)}" for each in report.notes)
    if report.created is not None:
        yield f"Created: {report.created.isoformat()}"


def _line(text: str) -> str:
    return "".join(_harmless(each) for each in " ".join(text.split()))


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\N{REPLACEMENT CHARACTER}"
    return "" if category == "Cc" or unicodedata.bidirectional(character) in _TURNING else character


def _places(sources: tuple[int, ...]) -> str:
    return "".join(f" [{each + 1}]" for each in sources)
