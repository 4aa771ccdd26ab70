"""Reports as Markdown, plain text or HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

from hotswap_adapters.formatter.html import html
from hotswap_adapters.formatter.plain import plain
from hotswap_adapters.formatter.sanitizing import link_to, one_line, paragraphs, readable
from hotswap_ports import Answer, FeatureUnsupported, Formatter, FormatterFeatures, KeyPoint, Rendered, Report, Source

_ANYWHERE = re.compile(r"[\\`*\[\]<~$]|__+|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|(?<=\s)#|:(?=//)|(?<=\w)@(?=\w)|\bwww(?=\.)")
"""What means something wherever it stands, in CommonMark or to GitHub: strikethrough, formulas, bare addresses."""
_AT_THE_START = re.compile(r"[#>+=|:-]|\d{1,9}(?=[.)])")


def escape(text: str) -> str:
    """Return Markdown that renders as ``text`` and nothing else, on one line."""
    escaped = _ANYWHERE.sub(_escaped, one_line(text))
    start = _AT_THE_START.match(escaped)
    if start is None:
        return escaped
    number = start[0] if start[0].isdigit() else ""
    return f"{number}\\{escaped[len(number) :]}"


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith("_"):
        return r"\_" * len(found)
    return "www\\" if found == "www" else f"\\{found}"


class MarkdownFormatter(Formatter):
    """Writes a report as Markdown (GitHub's, as CommonMark), as text of 100 columns, or as one HTML page."""

    features = FormatterFeatures(("markdown", "text", "html"))

    async def format(self, report: Report, *, format: str | None = None) -> Rendered:
        """Write ``report``; every text in it is escaped, and only web pages and files become links."""
        name = self.features.formats[0] if format is None else format
        form = _FORMS.get(name)
        if form is None:
            close = get_close_matches(name, _FORMS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It writes {', '.join(_FORMS)}."
            raise FeatureUnsupported("markdown-formatter", f"the format {name!r}", hint)
        write, media_type, extension = form
        return Rendered(write(report), media_type, extension)


def markdown(report: Report) -> str:
    """Return a report as Markdown, blocks separated by a blank line; links are collected at its end."""
    blocks = [f"# {escape(report.title) or 'Report'}"]
    if report.summary:
        blocks.append(escape(report.summary))
    if report.answer is not None:
        blocks.extend(_answer(report.answer, report.sources))
    if report.key_points:
        points = (f"- {escape(each.text)}{_places(each, report.sources)}" for each in report.key_points)
        blocks += ["## Key points", "\n".join(points)]
    if report.key_phrases:
        blocks += ["## Key phrases", _list(report.key_phrases)]
    if report.sources:
        blocks += ["## Sources", "\n".join(_sources(report.sources))]
    if report.notes:
        blocks += ["## Notes", "\n".join(f"- {escape(each)}" for each in report.notes)]
    if footer := _footer(report):
        blocks += ["---", footer]
    if definitions := list(_definitions(report.sources)):
        blocks.append("\n".join(definitions))
    return "\n\n".join(blocks) + "\n"


def _answer(answer: Answer, sources: tuple[Source, ...]) -> Iterator[str]:
    yield "## Answer"
    if question := escape(answer.question):
        yield f"**{question}**"
    if answer.text:
        yield escape(answer.text)
    elif answer.passages:
        yield "No answer was found; these passages came nearest:"
    else:
        yield "Nothing was found."
    for passage in answer.passages:
        title = escape(sources[passage.source].title)
        lines = [*map(escape, paragraphs(passage.text)), f"{_number(passage.source, sources)} {title}".rstrip()]
        yield "\n>\n".join(f"> {each}" for each in lines)


def _places(point: KeyPoint, sources: tuple[Source, ...]) -> str:
    return "".join(f" {_number(each, sources)}" for each in point.sources)


def _number(index: int, sources: tuple[Source, ...]) -> str:
    """Return ``[n]``, leading to the source where that may be linked."""
    label = rf"\[{index + 1}\]"
    return f"[{label}][source-{index + 1}]" if link_to(sources[index].url) else label


def _sources(sources: tuple[Source, ...]) -> Iterator[str]:
    for number, source in enumerate(sources, 1):
        title = escape(source.title) or escape(readable(source.url)) or "Untitled"
        lead = f"{number}. "
        lines = [f"[{title}][source-{number}]" if link_to(source.url) else title]
        lines.append(escape(readable(source.url)))
        lines.append(escape(source.summary))
        if source.key_phrases:
            lines.append(f"*Key phrases:* {_list(source.key_phrases)}")
        # Two blanks at the end of a line break it there; the indent keeps the lines in their item.
        yield lead + f"  \n{' ' * len(lead)}".join(each for each in lines if each)


def _list(phrases: Iterable[str]) -> str:
    return ", ".join(each for each in map(escape, phrases) if each)


def _footer(report: Report) -> str:
    created = f"{report.created:%Y-%m-%d %H:%M} UTC" if report.created else ""
    return "  \n".join(each for each in (escape(report.method), created) if each)


def _definitions(sources: tuple[Source, ...]) -> Iterator[str]:
    for number, source in enumerate(sources, 1):
        if address := link_to(source.url):
            yield f"[source-{number}]: <{address}>"


_FORMS: Mapping[str, tuple[Callable[[Report], str], str, str]] = {
    "markdown": (markdown, "text/markdown", ".md"),
    "text": (plain, "text/plain", ".txt"),
    "html": (html, "text/html", ".html"),
}
