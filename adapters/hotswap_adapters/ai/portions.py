"""Texts cut down to what a model's context holds."""

from __future__ import annotations

from collections.abc import Sequence

from hotswap_adapters.ai import tokens
from hotswap_adapters.ai.blocks import blocks


def shares(texts: Sequence[str], most_tokens: int) -> list[str]:
    """Cut each text to its share of ``most_tokens``; what a short one leaves over goes to the longer ones."""
    kept = list(texts)
    left = most_tokens
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for done, at in enumerate(order):
        kept[at] = head(texts[at], left // (len(order) - done))
        left -= tokens.estimate(kept[at])
    return kept


def head(text: str, most_tokens: int) -> str:
    """Return the beginning of ``text`` that has at most ``most_tokens``."""
    text = text[: max(0, most_tokens) * 4]
    while tokens.estimate(text) > most_tokens:
        text = text[: min(len(text) - 1, len(text) * max(most_tokens, 0) // tokens.estimate(text))]
    return text


def portions(text: str, most_tokens: int) -> list[str]:
    """Cut a text at paragraphs, where they are short enough, into portions of at most ``most_tokens`` each."""
    if tokens.estimate(text) <= most_tokens:
        return [text] if text.strip() else []
    found: list[str] = []
    start = counted = used = 0
    for block in blocks(text):
        size = tokens.estimate(text[counted : block.end])
        counted = block.end
        if used + size <= most_tokens:
            used += size
            continue
        if text[start : block.start].strip():
            found.append(text[start : block.start].strip())
        start = block.start
        while (used := tokens.estimate(text[start : block.end])) > most_tokens:
            piece = head(text[start : block.end], most_tokens)
            found.append(piece)
            start += len(piece)
    if text[start:].strip():
        found.append(text[start:].strip())
    return found
