"""Sentences of a text, word for word, and whether each reads as prose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from hotswap_adapters.ai.blocks import Block, blocks

LONGEST = 600
"""Characters; a run without a full stop that is longer is cut at a space, and is no prose."""

_CLOSERS = "\"'”’»›)\\]}*_`」』）】》"  # noqa: RUF001 - quotation marks of many scripts
_OPENERS = "\"'“‘„«‹(\\[{*_`「『（【《¿¡"  # noqa: RUF001
_BOUNDARY = re.compile(
    rf"[.!?…؟।]+[{_CLOSERS}]*(?:\[\d{{1,3}}\])*(?=\s)|[。！？｡．]+[{_CLOSERS}]*"  # noqa: RUF001 - CJK full stops
)
_ABBREVIATION_LIST = """
abb al art bzw ca capt cf ch co col corp dept dr ed eds engl esp est evtl fig figs fr gen ggf gov hon hr inc
jr lt ltd maj max min mio mr mrs ms mt nr op pp prof rep rev sen sgt sog spp st str tab tel u.a univ usf usw
vgl vol vols vs z.b zb bspw d.h e.g i.e i.a o.ä p.ex resp sr sra srta dott ecc av bd mme mlle m.e approx eq
eqs ref refs sec no nos pág núm
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())
_STARTER_LIST = "a an the it its in he she this that these those they we you but however on at for if when as"
_STARTERS = frozenset(_STARTER_LIST.split())
_GERMAN_AFTER_ORDINAL = re.compile(
    r"\s+(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert|Jahr|Platz|Tag)"
)
_BREAK = re.compile(r"\s*[\r\n]\s*")
_PIECE_END = re.compile(r"[,;:、，]?\s+")  # noqa: RUF001 - CJK commas


@frozen
class Sentence:
    """One sentence and where it stands."""

    text: str
    """As in the source, but for a line break inside it, which is one space."""
    start: int
    """Offset of its first character in the source."""
    prose: bool
    """False for a heading, a navigation line, a table row, code, a link list, a fragment."""
    code: bool = False
    """Whether it stands in a block of code."""


def split(text: str) -> Iterator[Sentence]:
    """Yield the sentences in order; none reaches over a paragraph's end."""
    for block in blocks(text):
        for start, end in _spans(text, block):
            body = text[start:end]
            if "\n" in body or "\r" in body:
                body = _BREAK.sub(" ", body)
            prose = block.kind in ("paragraph", "item") and is_prose(body)
            yield Sentence(body, start, prose, code=block.kind == "code")


def _spans(text: str, block: Block) -> Iterator[tuple[int, int]]:
    start = block.start
    for match in _BOUNDARY.finditer(text, block.start, block.end):
        if _ends(text, start, match, block.end):
            yield from _pieces(text, start, match.end())
            start = match.end()
    yield from _pieces(text, start, block.end)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Trim the span, and cut it at spaces where it is far too long."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > LONGEST:
        cut = start + LONGEST
        for match in _PIECE_END.finditer(text, start + LONGEST // 2, start + LONGEST):
            cut = match.end()
        yield start, start + len(text[start:cut].rstrip())
        start = cut
    if start < end:
        yield start, end


def _ends(text: str, start: int, match: re.Match[str], limit: int) -> bool:
    """Return whether the mark ends a sentence, and no abbreviation, initial, ordinal or list number."""
    mark = match[0][0]
    if mark not in ".…!?؟।":
        return True
    rest = text[match.end() : min(limit, match.end() + 60)].lstrip()
    if not rest:
        return True
    first = rest.lstrip(_OPENERS.replace("\\", ""))[:1]
    if first.islower() or rest[0] in ",;:)%":
        return False
    if match[0][:2] != "." and not match[0].startswith("."):
        return True
    if match[0].startswith(".."):
        return True
    return not _is_abbreviated(text[max(start, match.start() - 24) : match.start()], rest, text, start, match)


def _is_abbreviated(before: str, rest: str, text: str, start: int, match: re.Match[str]) -> bool:
    word = before.split()[-1].lstrip(_OPENERS.replace("\\", "")) if before.split() else ""
    if not word:
        return True
    if word.isdigit():
        if text[start : match.start()].strip() == word:
            return True  # "1. First step": the number of a list
        return len(word) <= 2 and _GERMAN_AFTER_ORDINAL.match(" " + rest) is not None
    if word.casefold() in _ABBREVIATIONS:
        return True
    if len(word) == 1 and word.islower() and re.match(r"[^\W\d_]\.", rest):  # z. B.
        return True
    following = re.match(r"\w+", rest)
    opens = following is not None and following[0].casefold() in _STARTERS
    if re.fullmatch(r"(?:\w\.)+\w", word):  # U.S., e.g.
        return not opens
    return len(word) == 1 and word.isupper() and word != "I" and not opens


_LETTER = re.compile(r"[^\W\d_]")
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힯]")
_WORDS = re.compile(r"[^\W\d_][\w'’-]*")  # noqa: RUF001 - a typographic apostrophe
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_CRUMBS = re.compile(r"\s[|>»›·•/→]\s")  # noqa: RUF001 - marks between the links of a navigation line
_CODE = re.compile(r"[{};=<>\\]|\w\(\)|::|->|\$\s?\w|--\w")
_TERMINAL = re.compile(rf"[.!?…؟।。！？｡][{_CLOSERS}]*(?:\[\d{{1,3}}\])*$")  # noqa: RUF001 - CJK full stops
_FRAGMENT = re.compile(r"[a-zà-ÿ](?![A-Z])|[,;:)\]]")  # the rest of a sentence; not iPhone
_BOILERPLATE = re.compile(
    r"all rights reserved|©|\bcookies?\b|\bsubscribe\b|\bsign (?:up|in)\b|\blog ?in\b|\bclick here\b|\bread more\b"
    r"|\bnewsletter\b|\bprivacy policy\b|\bterms of (?:use|service)\b|alle rechte vorbehalten|\btous droits réservés\b",
    re.IGNORECASE,
)
_FEWEST_WORDS = 4
_FEWEST_CJK = 8
_SHORT_WORDS = 15
"""A line of so few words is boilerplate where it mentions cookies or a newsletter; a longer one may be about them."""


def is_prose(sentence: str) -> bool:
    """Return whether it reads as a sentence that can stand by itself in a summary."""
    plain = _LINK.sub(r"\1", sentence)
    if not _TERMINAL.search(plain) or len(plain) > LONGEST or _FRAGMENT.match(plain):
        return False
    words = _WORDS.findall(plain)
    cjk = len(_CJK.findall(plain))
    if len(words) < _FEWEST_WORDS and cjk < _FEWEST_CJK:
        return False
    visible = sum(not each.isspace() for each in plain)
    letters = len(_LETTER.findall(plain))
    if letters < 0.65 * visible or len(_CRUMBS.findall(plain)) >= 2 or plain.count(" - ") >= 3:
        return False
    if len(_CODE.findall(plain)) > 2 + visible // 60:
        return False
    linked = sum(len(each) for each in _LINK.findall(sentence))
    if linked > 0.7 * len(plain):
        return False
    if cjk < _FEWEST_CJK and _is_title(words):
        return False
    return not (_BOILERPLATE.search(plain) and len(words) < _SHORT_WORDS)


def _is_title(words: list[str]) -> bool:
    """Return whether nearly every longer word is capitalised, as in a heading or a menu."""
    longer = [each for each in words[1:] if len(each) > 3]
    return len(longer) >= 4 and sum(each[0].isupper() for each in longer) > 0.85 * len(longer)
