"""A report as plain text of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from hotswap_adapters.formatter.sanitizing import one_line, paragraphs, readable
from hotswap_ports import Answer, Report, Source

COLUMNS = 100


def plain(report: Report) -> str:
    """Return a report as text, paragraphs separated by a blank line."""
    title = one_line(report.title) or "Report"
    blocks = [f"{_wrap(title)}\n{'=' * min(len(title), COLUMNS)}"]
    if report.summary:
        blocks.append(_wrap(report.summary))
    if report.answer is not None:
        blocks.extend(_answer(report.answer))
    if report.key_points:
        points = (_wrap(f"{one_line(each.text)}{_places(each.sources)}", "- ") for each in report.key_points)
        blocks.append("\n".join([_heading("Key points"), *points]))
    if report.key_phrases:
        blocks.append(f"{_heading('Key phrases')}\n{_wrap(', '.join(map(one_line, report.key_phrases)))}")
    if report.sources:
        sources = ("\n".join(_source(number, each)) for number, each in enumerate(report.sources, 1))
        blocks.append("\n".join([_heading("Sources"), "\n\n".join(sources)]))
    if report.notes:
        blocks.append("\n".join([_heading("Notes"), *(_wrap(each, "- ") for each in report.notes)]))
    created = f"{report.created:%Y-%m-%d %H:%M} UTC" if report.created else ""
    blocks.append("\n".join(_wrap(each) for each in (report.method, created) if each))
    return "\n\n".join(each for each in blocks if each) + "\n"


def _answer(answer: Answer) -> Iterator[str]:
    yield f"{_heading('Answer')}\n{_wrap(answer.question)}"
    if answer.text:
        yield _wrap(answer.text)
    elif answer.passages:
        yield "No answer was found; these passages came nearest:"
    else:
        yield "Nothing was found."
    for passage in answer.passages:
        *lines, last = paragraphs(passage.text) or [""]
        yield "\n|\n".join(_wrap(each, "| ", "| ") for each in (*lines, f"{last} [{passage.source + 1}]"))


def _source(number: int, source: Source) -> Iterator[str]:
    lead = f"[{number}] "
    url = readable(source.url)
    yield _wrap(one_line(source.title) or url, lead)
    yield from (_wrap(each, " " * len(lead)) for each in (url, source.summary) if one_line(each))
    if source.key_phrases:
        yield _wrap(f"Key phrases: {', '.join(map(one_line, source.key_phrases))}", " " * len(lead))


def _places(sources: tuple[int, ...]) -> str:
    return "".join(f" [{each + 1}]" for each in sources)


def _heading(text: str) -> str:
    return f"{text}\n{'-' * len(text)}"


def _wrap(text: str, lead: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        one_line(text),
        COLUMNS,
        initial_indent=lead,
        subsequent_indent=" " * len(lead) if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
