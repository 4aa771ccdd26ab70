"""Text from outside, made harmless for a terminal: control characters become visible instead of being obeyed."""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL, C1; marks that turn the direction of writing; line separators; lone surrogates
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return ``text`` with each unsafe character as its escape (``\\x1b``); tabs and line feeds stay."""
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Return ``text`` made visible, on one line."""
    return visible(" ".join(text.split("\n")).replace("\t", " "))


def safe_json(dumped: str) -> str:
    """Return JSON with each unsafe character written as ``\\uNNNN``: the same document, harmless to look at."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", dumped)


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
