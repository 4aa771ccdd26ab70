"""Where a plugin's own code is run: whatever it raises, ``SystemExit`` and a ``CancelledError`` of its own making
included, is that plugin's failure. ``KeyboardInterrupt`` alone goes through: it may be a person's.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

from hotswap.errors import HotswapError, PluginInitFailed, says
from hotswap.undo import cancelling, leaves
from hotswap_ports import NotReady, PortError

T = TypeVar("T")


class Guard:
    """Runs the steps in which one plugin is opened.

    Args:
        seconds: that a step may take.
        redact: takes secrets out of what is shown.
    """

    def __init__(self, plugin: str, seconds: float, redact: Callable[[str], str]) -> None:
        self._plugin = plugin
        self._seconds = seconds
        self._redact = redact

    async def step(self, name: str, act: Callable[[], Awaitable[T]]) -> T:
        """Return what ``await act()`` returns.

        Raises:
            NotReady, HotswapError: as ``act`` raised it, without secrets.
            PluginInitFailed: it raised anything else, or took too long.
        """
        before = cancelling()
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await act()
        except BaseException as error:
            if limit.expired() and isinstance(error, Exception) and not isinstance(error, NotReady | HotswapError):
                hint = "Raise open_timeout under [plugins] in hotswap.toml."
                raise PluginInitFailed(self._plugin, name, f"it took longer than {self._seconds:g} s", hint) from error
            self._fail(name, error, before)

    def now(self, name: str, act: Callable[[], T]) -> T:
        """Return what ``act()`` returns; raises as ``step`` does."""
        before = cancelling()
        try:
            return act()
        except BaseException as error:  # noqa: BLE001 - as above
            self._fail(name, error, before)

    def _fail(self, name: str, error: BaseException, before: int) -> NoReturn:
        failure = self._failure(name, error, before)
        if failure is error:
            raise error
        raise failure from error

    def _failure(self, name: str, error: BaseException, before: int) -> BaseException:
        if isinstance(error, NotReady):
            hint = (
                error.hint
                or "What it needs is not there yet: enable it again later, or let the next start wait for it."
            )
            return NotReady(f"{self._plugin}: {self._redact(says(error))}", hint)
        if isinstance(error, HotswapError):
            return error
        if isinstance(error, PortError):
            return PluginInitFailed(self._plugin, name, self._redact(says(error)), error.hint)
        if isinstance(error, Exception):
            text = "; ".join(f"{type(each).__name__}: {self._redact(str(each))}" for each in leaves(error))
            return PluginInitFailed(self._plugin, name, text)
        if isinstance(error, KeyboardInterrupt) or cancelling() > before:
            return error
        return PluginInitFailed(self._plugin, name, ending(error))


def ending(error: BaseException) -> str:
    """Say that a plugin raised what would end a task or the process."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return f"it raised {type(error).__name__}, though nobody had asked it to end"


def let_go(error: BaseException) -> None:
    """Drop what the frames of an error hold, and of what led to it: where it was raised can still be told."""
    left: list[BaseException] = [error]
    seen: set[int] = set()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        traceback.clear_frames(each.__traceback__)
        for frame, _ in traceback.walk_tb(each.__traceback__):
            _ = frame.f_locals  # a copy that somebody has asked for stays with the frame; asked for again, it is empty
        left += [one for one in (each.__cause__, each.__context__) if one is not None]
        left += each.exceptions if isinstance(each, BaseExceptionGroup) else ()


def describe(error: BaseException) -> str:
    """Return an error as one line for a plugin's status."""
    text = says(error) or type(error).__name__
    code: Any = getattr(error, "code", None)
    return f"{code}: {text}" if code else text
