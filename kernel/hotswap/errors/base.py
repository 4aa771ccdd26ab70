"""The base of the kernel's errors, and what they are written with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean ...?`` for the known names closest to ``name``, or an empty string."""
    from difflib import get_close_matches  # only ever needed on the way out with an error

    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(repr(each) for each in close)}?" if close else ""


def says(error: BaseException) -> str:
    """Return ``str(error)``; an exception that a plugin wrote may not even be able to say what it is."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the error that is being reported is the one that counts
        return "its message cannot be read"


class HotswapError(Exception):
    """The base of every error that the kernel raises on purpose."""

    code: ClassVar[str] = "PLUG-000"

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


def error_classes() -> Mapping[str, type[HotswapError]]:
    """Return every concrete error by its code, sorted: the reference and its test are made from it."""
    return {each.code: each for each in sorted(HotswapError.__subclasses__(), key=lambda each: each.code)}
