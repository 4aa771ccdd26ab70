"""Phrases that may say what a text is about, counted and weighed by C-value (Frantzi and Ananiadou, 1998)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import define, frozen

from hotswap_adapters.ai.words import CJK, STOP_WORDS, stem

LONGEST = 3
"""Words of a phrase."""
SHORTLIST = 30
"""Candidates that are embedded."""

_RUN = re.compile(r"[.,;:!?()\[\]{}\"“”„«»<>|/\\=*#`~+•·…。、，！？；：「」『』（）\n]|\s[-–—]+\s")  # noqa: RUF001
_WORD = re.compile(r"[^\W_]+(?:['’&-][^\W_]+)*")  # noqa: RUF001 - a typographic apostrophe
_DOTTED = re.compile(r"[a-z]\.[a-z]")
_INSIDE = frozenset(("of", "de", "du", "des", "di", "da", "do", "der", "von", "van", "del", "della"))
"""Stop words that a phrase may have inside: University of Oxford."""
_CJK_GLUE = re.compile(r"[぀-ゟ的是在了和与有这為为不也等而被其及将]+")
_CJK_LENGTHS = range(2, 9)
_POSITION_WEIGHT = 0.5
_COMMON_WORD_WEIGHT = 0.5
"""A single word in lower case says less than its count."""


@frozen
class Candidate:
    """A phrase in its most common spelling."""

    text: str
    stems: tuple[str, ...]
    score: float


@define
class _Seen:
    spellings: Counter[str]
    first: int

    @property
    def count(self) -> int:
        return self.spellings.total()


def candidates(sentences: Sequence[str]) -> list[Candidate]:
    """Return the best SHORTLIST phrases of 1 to 3 words, best first; early and frequent ones weigh more.

    A single word counts only where it stands outside the longer phrases that have it.
    """
    seen: dict[tuple[str, ...], _Seen] = {}
    for position, sentence in enumerate(sentences):
        for words in _runs(sentence):
            for phrase in _phrases(words):
                key = tuple(stem(each) for each in phrase)
                entry = seen.setdefault(key, _Seen(Counter(), position))
                entry.spellings[" ".join(phrase)] += 1
    nested = _nested(seen)
    scored = [
        Candidate(_spelling(entry), key, _score(key, entry, nested.get(key, []), len(sentences)))
        for key, entry in seen.items()
    ]
    scored.sort(key=lambda each: (-each.score, seen[each.stems].first, each.text))
    return [each for each in scored if each.score > 0][:SHORTLIST]


def _runs(sentence: str) -> Iterator[list[str]]:
    for run in _RUN.split(" ".join("|" if _is_code(each) else each for each in sentence.split())):
        if CJK.search(run):
            for piece in _CJK_GLUE.split(run):
                yield from ([each] for each in _WORD.findall(piece) if len(each) in _CJK_LENGTHS or each.isascii())
        else:
            yield _WORD.findall(run)


def _is_code(token: str) -> bool:
    """Return whether it is an address, a file or an identifier rather than a word."""
    return "_" in token.strip("_*") or "://" in token or "@" in token or _DOTTED.search(token) is not None


def _phrases(words: list[str]) -> Iterator[list[str]]:
    for size in range(1, LONGEST + 1):
        for at in range(len(words) - size + 1):
            phrase = words[at : at + size]
            if _is_edge(phrase[0]) and _is_edge(phrase[-1]) and all(_is_inside(each) for each in phrase[1:-1]):
                yield phrase


def _is_edge(word: str) -> bool:
    if word.casefold() in STOP_WORDS or not any(each.isalpha() for each in word):
        return False
    return len(word) > 2 or (len(word) == 2 and (word.isupper() or CJK.match(word) is not None))


def _is_inside(word: str) -> bool:
    return word.casefold() in _INSIDE or _is_edge(word)


def _nested(seen: dict[tuple[str, ...], _Seen]) -> dict[tuple[str, ...], list[int]]:
    """Return for each phrase how often the longer phrases around it occur, where they occur more than once."""
    around: dict[tuple[str, ...], list[int]] = {}
    for key, entry in seen.items():
        if entry.count < 2 or len(key) == 1:
            continue
        for size in range(1, len(key)):
            for at in range(len(key) - size + 1):
                around.setdefault(key[at : at + size], []).append(entry.count)
    return around


def _score(key: tuple[str, ...], entry: _Seen, around: list[int], sentences: int) -> float:
    count = float(entry.count)
    if around:
        count -= sum(around) / len(around)
    if count <= 0:
        return 0.0
    if entry.count == 1 and len(key) > 1 and not _is_name(entry):
        count *= 0.4  # two words side by side once are a phrase by chance
    if len(key) == 1 and not _spelling(entry)[0].isupper():
        count *= _COMMON_WORD_WEIGHT
    early = 1 + _POSITION_WEIGHT * (1 - entry.first / max(sentences, 1))
    return math.log2(1 + len(key)) * math.log2(1 + count) * early * (1.3 if _is_name(entry) else 1.0)


def _is_name(entry: _Seen) -> bool:
    """Return whether it is mostly spelled with a capital in each of its words, or has one inside a word."""
    spelling = _spelling(entry)
    words = [each for each in spelling.split() if each not in _INSIDE]
    return (len(words) > 1 and all(each[0].isupper() for each in words)) or (spelling.isupper() and len(spelling) > 1)


def _spelling(entry: _Seen) -> str:
    return min(entry.spellings, key=lambda each: (-entry.spellings[each], each != each.lower(), each))
