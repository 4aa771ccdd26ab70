"""Where the paragraphs of a text are: spans of prose, list items and quotes, told from headings, tables and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from attrs import evolve, frozen

BlockKind = Literal["paragraph", "item", "other", "code"]

_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-+|\*{3,}|_{3,})\s*$")
_ITEM = re.compile(r"\s*(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+(?=\S)")  # noqa: RUF001 - a dash as a bullet
_QUOTE = re.compile(r"\s{0,3}(?:>\s?)+")
_WORD = re.compile(r"\S+")
_WRAP_WIDEST = 160
"""Columns; a longer line was not wrapped by hand or by an editor, so its end is the end of a paragraph."""
_WRAP_NARROWEST = 30
_WRAP_RAGGED = 0.85
"""How far below the widest line of its group a wrapped line may stay, its next word included."""


@frozen
class Block:
    """A span ``[start, end)`` of the text that holds no paragraph break."""

    start: int
    end: int
    kind: BlockKind


@frozen
class _Line:
    start: int
    end: int
    text: str
    kind: BlockKind
    joins: bool
    """Whether it may go on what the line before it began."""


_BLANK = _Line(0, 0, "", "other", joins=False)


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks in order: blank lines, list items, headings, tables and code part them, soft wraps do not."""
    group: list[_Line] = []
    for line in _lines(text):
        alone = line.kind in ("other", "code")
        if alone or not line.joins:
            yield from _joined(group)
            group = []
        if alone:
            if line.text:
                yield Block(line.start, line.end, line.kind)
        else:
            group.append(line)
    yield from _joined(group)


def _lines(text: str) -> Iterator[_Line]:
    fence, start = "", 0
    previous: _Line | None = None
    for raw in text.splitlines(keepends=True):
        if raw.isspace():
            if previous is not None:
                yield previous
            previous, start = None if previous is None else _BLANK, start + len(raw)
            continue
        line = _line(raw, start, indented_code=previous is None or previous.kind in ("other", "code"))
        opened = _FENCE.match(raw)
        if fence:
            line = evolve(line, kind="code")
            if opened and opened[1].startswith(fence):
                fence = ""
        elif opened:
            fence, line = opened[1], evolve(line, kind="code")
        elif line.text and _UNDERLINE.match(raw):
            line = evolve(line, kind="other")
            if previous is not None and previous.kind == "paragraph":
                previous = evolve(previous, kind="other")  # the line above an underline is a heading
        if previous is not None:
            yield previous
        previous = line
        start += len(raw)
    if previous is not None:
        yield previous


def _line(raw: str, start: int, *, indented_code: bool) -> _Line:
    body = raw.strip()
    left = start + len(raw) - len(raw.lstrip())
    right = left + len(body)
    code = indented_code and raw.startswith(("    ", "\t")) and _is_code(body)
    if code:
        return _Line(left, right, body, "code", joins=False)
    if not body or _HEADING.match(raw) or _is_table_row(body):
        return _Line(left, right, body, "other", joins=False)
    marked = _QUOTE.match(raw) or _ITEM.match(raw)
    if marked is not None and not (raw.lstrip()[0].isalnum() and len(body) < 3):
        first, text = start + marked.end(), raw[marked.end() :].strip()
        return _Line(first, max(first, right), text, "item" if text else "other", joins=False)
    return _Line(left, right, body, "paragraph", joins=True)


def _is_table_row(body: str) -> bool:
    return body.count(" | ") >= 2 or body.startswith("|") or body.count("\t") >= 2


def _is_code(body: str) -> bool:
    return bool(re.search(r"[{}();=<>\[\]]", body)) or not body.endswith((".", "!", "?", ":"))


def _joined(group: list[_Line]) -> Iterator[Block]:
    """Join soft-wrapped lines: the next word would not have fitted on the line, or goes on in lower case."""
    if not group:
        return
    widest = max(len(each.text) for each in group)
    start, kind = group[0].start, group[0].kind
    for line, following in zip(group, [*group[1:], None], strict=True):
        if following is None or not _is_wrapped(line.text, following.text, widest):
            yield Block(start, line.end, kind)
            if following is not None:
                start, kind = following.start, following.kind


def _is_wrapped(line: str, following: str, widest: int) -> bool:
    if following[0].islower():
        return True
    if not len(line) >= _WRAP_NARROWEST or widest > _WRAP_WIDEST:
        return False
    word = _WORD.match(following)
    return len(line) + 1 + (word.end() if word else 0) >= _WRAP_RAGGED * widest
