"""One exit stack a plugin: what was opened is closed in reverse, and one failure does not keep the rest open."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any


class UndoStack(AsyncExitStack):
    """An exit stack that goes on after an error and reports all of them together.

    Each entry may take ``seconds``; one that takes longer is cancelled and counts as failed.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self.seconds = seconds

    async def aclose(self) -> None:
        """Undo everything, last in, first out.

        Raises:
            ExceptionGroup: what failed on the way, in that order.
        """
        errors: list[Exception] = []
        entries: Any = self._exit_callbacks  # type: ignore[attr-defined] # the base offers no way to take one at a time
        while entries:
            is_sync, callback = entries.pop()
            try:
                if is_sync:
                    callback(None, None, None)
                else:
                    async with asyncio.timeout(self.seconds):
                        await callback(None, None, None)
            except TimeoutError as error:
                errors.append(
                    TimeoutError(f"{_name(callback)} took longer than {self.seconds:g} s") if not error.args else error
                )
            except Exception as error:  # noqa: BLE001 - reported below with all others
                errors.append(error)
        if errors:
            raise ExceptionGroup("closing left errors", errors)

    async def __aexit__(self, *exc_details: object) -> bool:
        await self.aclose()
        return False


def _name(callback: Any) -> str:
    owner = getattr(callback, "__wrapped__", callback)
    return str(getattr(owner, "__qualname__", owner))
