"""Following ``hotswap.toml`` and ``hotswap.lock`` while the kernel runs.

The files are looked at a few times a second. What they say anew is put in force as one change, wholly or not at all,
when they have stood still between two looks. What the application itself changed meanwhile stays: an edit speaks for
the lines that it touches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from loguru import logger

from hotswap.catalog import discover
from hotswap.changes import Changes
from hotswap.errors import NothingToWatch, TeardownFailed
from hotswap.lock import Lock, read
from hotswap.plan import Plan
from hotswap.planner import LOCK_NAME
from hotswap.settings import Settings, merged

Seen = tuple[bytes | None, ...]
"""The contents of the files; None for one that is not there."""


class Watch:
    """Follows the files until ``stop`` is awaited, or the kernel is left.

    Args:
        read: what the files said when they were last put in force; what was edited since is put in force at once.
        interval: seconds between two looks.
        on_change: told of each plan that was carried out.
        on_problem: told of what could not be put in force; everything goes on as it was.

    Raises:
        NothingToWatch: the settings of the kernel were not read by ``Settings.load``.
    """

    def __init__(
        self,
        changes: Changes,
        read: Settings,
        environ: Mapping[str, str],
        interval: float,
        on_change: Callable[[Plan], None] | None,
        on_problem: Callable[[Exception], None] | None,
    ) -> None:
        if read.again is None:
            raise NothingToWatch()
        self.problem: Exception | None = None
        """What could not be put in force at the last edit; None when all is as the files say."""
        self._changes = changes
        self._environ = environ
        self._interval = interval
        self._on_change = on_change or (lambda plan: None)
        self._on_problem = on_problem or (lambda error: None)
        self.read = read
        """What the files said when they were last put in force."""
        self._files = (read.file, read.folder / LOCK_NAME)
        self._looked: Seen | None = None
        self._task = asyncio.create_task(self._follow(), name="hotswap: follow hotswap.toml")

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Follow no more; a change that is under way goes on to its end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _look(self) -> Seen:
        return tuple(_content(each) for each in self._files)

    async def _follow(self) -> None:
        before: Seen | None = None
        while True:
            now = await asyncio.to_thread(self._look)
            if now == before and now != self._looked:
                await self._put_in_force(now)
            before = now
            await asyncio.sleep(self._interval)

    async def _put_in_force(self, seen: Seen) -> None:
        lock_changed = self._looked is None or seen[1] != self._looked[1]
        self._looked = seen  # an edit that fails is not tried again until there is another
        try:
            plan = await self._change(lock_changed)
        except Exception as error:  # noqa: BLE001 - whatever an edit leads to is reported; all goes on as it was
            self.problem = error
            logger.warning("What hotswap.toml says now is not in force: {}", error)
            self._on_problem(error)
            return
        self.problem = None
        if plan is not None:
            self._on_change(plan)

    async def _change(self, lock_changed: bool) -> Plan | None:
        """Put in force what the files say now; None where they say nothing new."""
        assert self.read.again is not None
        new = await asyncio.to_thread(self.read.again)
        lock = self._lock(new) if lock_changed else None
        if new == self.read and lock is None:
            return None
        catalog = await asyncio.to_thread(discover, new, environ=self._environ)
        old, in_force = self.read, False
        try:
            plan = await self._changes.follow(lambda ours: merged(old, ours, new), catalog, lock)
            in_force = True
        except TeardownFailed:
            in_force = True  # though something that it replaced did not close cleanly
            raise
        finally:
            self.read = new if in_force else old
        return plan

    def _lock(self, settings: Settings) -> Lock | None:
        """Return the lock, where it names other versions than those that run."""
        path = settings.folder / LOCK_NAME
        lock = read(path) if path.is_file() else None
        return None if lock is None or lock.versions() == self._changes.solution.versions() else lock


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there, or not to be read now: the next look may find it
        return None
