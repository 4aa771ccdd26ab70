"""How many tokens a text has, without asking a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

CHARACTERS_PER_TOKEN = 3.6
"""Characters of Latin text to a token, measured over English prose with the vocabularies of current models."""

_FIRST_DENSE = 0x2E80
"""From here on (CJK, Hangul, emoji) a character is about a token of its own."""


class _Encoding(Protocol):
    def encode_ordinary(self, text: str) -> Sequence[int]: ...


def estimate(text: str) -> int:
    """Return about how many tokens ``text`` has, in [0, len(text)]: characters / 3.6, one for each CJK character."""
    dense = 0 if text.isascii() else sum(each >= chr(_FIRST_DENSE) for each in text)
    return min(len(text), dense + math.ceil((len(text) - dense) / CHARACTERS_PER_TOKEN))


def count(text: str) -> int:
    """Count with ``bpe-openai`` where it is installed (its vocabulary takes about 2 s to load, once), else estimate."""
    encoding = _encoding()
    if encoding is None:
        return estimate(text)
    return min(len(text) + 1, len(encoding.encode_ordinary(text.encode("utf-8", "replace").decode("utf-8"))))


@cache
def _encoding() -> _Encoding | None:
    try:
        import bpe_openai  # type: ignore[import-not-found, unused-ignore] # optional, and not in the dev group
    except ImportError:
        return None
    return cast(_Encoding, bpe_openai.get_encoding("o200k_base"))
