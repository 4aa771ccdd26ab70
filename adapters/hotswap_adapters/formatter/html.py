"""A report as one HTML page that loads nothing."""

from __future__ import annotations

import html as markup
from collections.abc import Iterable, Iterator

from hotswap_adapters.formatter.sanitizing import link_to, one_line, paragraphs, readable
from hotswap_ports import Answer, Report, Source

_STYLE = (
    "body{max-width:45rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}"
    "blockquote{margin:1rem 0;padding-left:1rem;border-left:.25rem solid #8888;overflow-wrap:anywhere}"
    "small{overflow-wrap:anywhere}footer{margin-top:2rem;border-top:1px solid #8888}"
)


def html(report: Report) -> str:
    """Return a report as a page; it allows neither scripts nor anything from elsewhere."""
    title = _text(report.title) or "Report"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="und">',
            "<head>",
            '<meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            f"<h1>{title}</h1>",
            *_body(report),
            "</body>",
            "</html>",
            "",
        )
    )


def _body(report: Report) -> Iterator[str]:
    if report.summary:
        yield f"<p>{_text(report.summary)}</p>"
    if report.answer is not None:
        yield from _answer(report.answer, report.sources)
    if report.key_points:
        points = (f"{_text(each.text)}{_places(each.sources, report.sources)}" for each in report.key_points)
        yield from _section("Key points", _list("ul", points))
    if report.key_phrases:
        yield from _section("Key phrases", [f"<p>{_text(', '.join(report.key_phrases))}</p>"])
    if report.sources:
        yield from _section("Sources", _list("ol", map(_source, report.sources)))
    if report.notes:
        yield from _section("Notes", _list("ul", map(_text, report.notes)))
    created = f"{report.created:%Y-%m-%d %H:%M} UTC" if report.created else ""
    if footer := "<br>".join(each for each in (_text(report.method), created) if each):
        yield f"<footer><p>{footer}</p></footer>"


def _answer(answer: Answer, sources: tuple[Source, ...]) -> Iterator[str]:
    nothing = "No answer was found; these passages came nearest:" if answer.passages else "Nothing was found."
    yield "<h2>Answer</h2>"
    yield f"<p><strong>{_text(answer.question)}</strong></p>"
    yield f"<p>{_text(answer.text) or nothing}</p>"
    for each in answer.passages:
        title = _text(sources[each.source].title)
        text = "".join(f"<p>{markup.escape(line)}</p>" for line in paragraphs(each.text))
        yield f"<blockquote>{text}<p>{_number(each.source, sources)} {title}</p></blockquote>"


def _source(source: Source) -> str:
    title = _text(source.title) or _text(readable(source.url))
    lines = [_link(source.url, title), f"<small>{_text(readable(source.url))}</small>", _text(source.summary)]
    if source.key_phrases:
        lines.append(f"<em>Key phrases:</em> {_text(', '.join(source.key_phrases))}")
    return "<br>".join(each for each in lines if each)


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<h2>{heading}</h2>"
    yield from lines


def _list(tag: str, items: Iterable[str]) -> Iterator[str]:
    yield f"<{tag}>"
    yield from (f"<li>{each}</li>" for each in items)
    yield f"</{tag}>"


def _places(indices: Iterable[int], sources: tuple[Source, ...]) -> str:
    return "".join(f" {_number(each, sources)}" for each in indices)


def _number(index: int, sources: tuple[Source, ...]) -> str:
    return _link(sources[index].url, f"[{index + 1}]")


def _link(url: str, label: str) -> str:
    address = markup.escape(link_to(url))
    return f'<a href="{address}" rel="noopener noreferrer nofollow">{label}</a>' if address else label


def _text(text: str) -> str:
    return markup.escape(one_line(text))
