"""What is still to be closed when the program ends."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
_closing: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def close_at_end(thing: T, close: Callable[[T], None]) -> None:
    """Call ``close(thing)`` when the main thread has come to its end, unless it has become garbage by then."""
    _register()
    _closing[thing] = close


@cache
def _register() -> None:
    # When ``atexit`` runs, thread pools take no more work, and closing takes them. This is how they hear of the end,
    # and what is registered last hears of it first.
    at_end: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
    at_end(_close_all)


def _close_all() -> None:
    for thing, close in list(_closing.items()):
        close(thing)
