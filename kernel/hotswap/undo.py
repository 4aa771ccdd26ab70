"""One exit stack a plugin: what was opened is closed in reverse, and one failure does not keep the rest open."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

GRACE = 1.0
"""Seconds in which what was cancelled is to end: its ``finally`` blocks, and no more."""


def cancelling() -> int:
    """Return how many times somebody asked the current task to be cancelled and has not taken it back.

    A ``CancelledError`` that comes up while this number stays was raised by the code that was called (it awaited
    something else that was cancelled), and is a failure of that code like any other.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def leaves(error: Exception) -> list[Exception]:
    """Return the errors inside an error that is a group of them (of a task group, say), else the error itself."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


class UndoStack(AsyncExitStack):
    """An exit stack that goes on after an error and reports all of them together.

    Each entry may take ``seconds``; one that takes longer is cancelled and counts as failed.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self.seconds = seconds

    async def aclose(self) -> None:
        """Undo everything, last in, first out, each entry once. A cancellation cuts one entry short, and no more.

        Raises:
            ExceptionGroup: what failed on the way, in that order.
            CancelledError, KeyboardInterrupt: one that arrived meanwhile, with what failed in its notes.
        """
        errors: list[Exception] = []
        interrupt: BaseException | None = None
        before = cancelling()
        entries: Any = self._exit_callbacks  # type: ignore[attr-defined] # the base offers no way to take one at a time
        while entries:
            is_sync, callback = entries.pop()
            try:
                await self._undo(is_sync, callback)
            except Exception as error:  # noqa: BLE001 - reported below with all others
                errors += leaves(error)
            except BaseException as error:  # noqa: BLE001 - reported or raised below, once everything is undone
                if isinstance(error, KeyboardInterrupt) or cancelling() > before:
                    interrupt, before = error, cancelling()
                else:
                    what = f"raised {type(error).__name__}"
                    if isinstance(error, SystemExit):
                        what = f"called sys.exit({error.code!r})"
                    errors.append(RuntimeError(f"{_name(callback)} {what}"))
        if interrupt is not None:
            for each in errors:
                interrupt.add_note(f"{type(each).__name__}: {each}")
            raise interrupt
        if errors:
            raise ExceptionGroup("closing left errors", errors)

    async def _undo(self, is_sync: bool, callback: Any) -> None:
        if is_sync:
            callback(None, None, None)
            return
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                await callback(None, None, None)
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"{_name(callback)} took longer than {self.seconds:g} s") from error
            raise

    async def __aexit__(self, *exc_details: object) -> bool:
        await self.aclose()
        return False


def _name(callback: Any) -> str:
    owner = getattr(callback, "__wrapped__", callback)
    return str(getattr(owner, "__qualname__", owner))
