"""A page's text cut into passages: what is embedded, indexed and quoted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from attrs import frozen

SPLITTER = 1
"""Grows when the cutting changes, so that pages cut before are cut anew."""

_END = ".!?\u3002\uff01\uff1f"
"""Marks that end a sentence, in Latin and in Chinese and Japanese script; after the latter no space follows."""
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])\s*")
_CHARS_PER_WORD = 8
"""Above the average of any language that puts spaces between words (English: 6 with the space); text without spaces
(Chinese, Japanese) is measured by it."""
_LONGEST_HEADING = 12
_OVERLAP = 0.2


@frozen
class Piece:
    """A passage with its id: the same for the same text on the same page."""

    id: str
    text: str


def pieces(page: str, text: str, words: int) -> tuple[Piece, ...]:
    """Cut ``text`` of the page whose key is ``page``; a passage that comes twice is there once."""
    found = {passage_id(page, each): each for each in split(text, words)}
    return tuple(Piece(id, each) for id, each in found.items())


def passage_id(page: str, text: str) -> str:
    """Return the id of a passage: SHA-256 over the page's key and the text, 64 hex digits."""
    return hashlib.sha256(f"{page}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def size(text: str) -> int:
    """Return about how many words a text has."""
    return max(len(text.split()), len(text) // _CHARS_PER_WORD)


def split(text: str, words: int) -> list[str]:
    """Cut ``text`` into passages of at most about ``words`` words, in order, on the bounds of paragraphs.

    A passage is closed at two thirds of ``words``, and before a heading from one third on: so what is changed in one
    place moves the bounds near it, and not those of the rest of the page. Only a paragraph longer than ``words`` is cut
    inside, between sentences; there, and only there, the end of one passage is repeated at the start of the next.
    """
    passages: list[str] = []
    held: list[str] = []

    def close() -> None:
        last = held.pop() if len(held) > 1 and _is_heading(held[-1]) else None
        if held:
            passages.append("\n\n".join(held))
        held[:] = [] if last is None else [last]

    for paragraph in _paragraphs(text):
        length, before = size(paragraph), sum(map(size, held))
        full = before + length > words or (before * 3 >= words and _is_heading(paragraph))
        if full and (len(held) > 1 or (held and not _is_heading(held[0]))):
            close()
        if length > words:
            *done, rest = _windows(_sentences(paragraph, words), words, heading=held)
            passages.extend(done)
            held[:] = [rest]
        else:
            held.append(paragraph)
        if sum(map(size, held)) * 3 >= words * 2:
            close()
    if held:
        passages.append("\n\n".join(held))
    return passages


def _paragraphs(text: str) -> Iterator[str]:
    for each in _PARAGRAPH.split(text):
        if paragraph := each.strip():
            yield paragraph


def _is_heading(paragraph: str) -> bool:
    return size(paragraph) <= _LONGEST_HEADING and paragraph[-1] not in f"{_END}:;," and "\n" not in paragraph


def _sentences(paragraph: str, words: int) -> Iterator[str]:
    for sentence in _SENTENCE.split(paragraph):
        if size(sentence) <= words:
            if sentence:
                yield sentence
        else:
            yield from _cut(sentence, words)


def _cut(sentence: str, words: int) -> Iterator[str]:
    """Cut what no sentence is (a table, a minified file, text without marks), between words where there are any."""
    most = words * _CHARS_PER_WORD
    held: list[str] = []
    length = 0
    for word in sentence.split():
        for part in (word[start : start + most] for start in range(0, len(word), most)):
            if held and (len(held) >= words or length + len(part) >= most):
                yield " ".join(held)
                held, length = [], 0
            held.append(part)
            length += len(part) + 1
    if held:
        yield " ".join(held)


def _windows(sentences: Iterable[str], words: int, heading: list[str]) -> list[str]:
    windows: list[str] = []
    held: list[str] = []
    length = 0
    for sentence in sentences:
        if held and length + size(sentence) > words:
            windows.append(" ".join(held))
            held = held[-1:] if size(held[-1]) <= words * _OVERLAP and size(held[-1]) + size(sentence) <= words else []
            length = sum(map(size, held))
        held.append(sentence)
        length += size(sentence)
    first, *others = [*windows, " ".join(held)]
    return ["\n\n".join([*heading, first]), *others]
