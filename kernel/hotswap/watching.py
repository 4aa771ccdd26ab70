"""Following ``hotswap.toml`` and ``hotswap.lock`` while the kernel runs.

The files are looked at a few times a second. What they say anew is put in force as one change, wholly or not at all,
when they have stood still between two looks. What the application itself changed meanwhile stays: an edit speaks for
the lines that it touches. A ``hotswap.toml`` that was there and is gone is a problem, and no edit; without a
``hotswap.lock`` there is none to follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from loguru import logger

from hotswap.catalog import discover
from hotswap.changes import Changes
from hotswap.errors import HotswapError, NothingToWatch, SettingsGone, TeardownFailed
from hotswap.keeper import end_all
from hotswap.lock import Lock, parse
from hotswap.plan import Plan
from hotswap.planner import LOCK_NAME
from hotswap.settings import Settings, merged

T = TypeVar("T")
Seen = tuple[bytes | None, bytes | None]
"""The contents of both files; None for one that is not there."""


class Watch:
    """Follows the files until ``stop`` is awaited, or the kernel is left.

    Args:
        read: what the files said when they were last put in force; what was edited since is put in force at once.
        interval: seconds between two looks.
        on_change: told of each plan that was carried out.
        on_problem: told of what could not be put in force (everything goes on as it was then), and of names that lead
            nowhere. What either of them raises is logged.

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
        """What could not be put in force at the last edit, or leads nowhere; None when all is as the files say."""
        self._changes = changes
        self._environ = environ
        self._interval = interval
        self._on_change = on_change or (lambda plan: None)
        self._on_problem = on_problem or (lambda error: None)
        self.read = read
        """What the files said when they were last put in force."""
        self._file, self._lock_file = read.file, read.folder / LOCK_NAME
        self._looked: Seen | None = None
        self._lock = _content(self._lock_file)
        """The lock that was looked into last. The one that is there now is known: the kernel came up with it."""
        self._task = asyncio.create_task(self._follow(), name="hotswap: follow hotswap.toml")

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Follow no more; a change that is under way goes on to its end."""
        await end_all([self._task])

    def _look(self) -> Seen:
        return _content(self._file), _content(self._lock_file)

    async def _follow(self) -> None:
        before: Seen | None = None
        while True:
            now = await asyncio.to_thread(self._look)
            if now == before and now != self._looked:
                await self._put_in_force(now)
            before = now
            await asyncio.sleep(self._interval)

    async def _put_in_force(self, seen: Seen) -> None:
        self._looked = seen  # an edit that fails is not tried again until there is another
        known = {str(each) for each in self._nowhere()}
        plan, told = None, list[Exception]()
        try:
            plan = await self._change(seen[1])
        except SettingsGone as error:
            self._looked = None, seen[1]  # when it is back it is read, be it as it was
            if isinstance(self.problem, SettingsGone):
                return
            told.append(error)
        except Exception as error:  # noqa: BLE001 - whatever an edit leads to is reported; all goes on as it was
            told.append(error)
        for each in told:
            logger.warning("What hotswap.toml says now is not in force: {}", each)
        nowhere = self._nowhere()
        for each in nowhere:
            if str(each) not in known:
                logger.warning("A name in hotswap.toml leads nowhere; the rest is in force: {}", each)
                told.append(each)
        self.problem = next(iter([*told, *nowhere]), None)
        if plan is not None:
            _tell(self._on_change, plan)
        for each in told:
            _tell(self._on_problem, each)

    def _nowhere(self) -> list[HotswapError]:
        """Return an error for each name in the settings in force that leads nowhere."""
        return self._changes.planner.settings_problems(self._changes.settings)

    async def _change(self, lock: bytes | None) -> Plan | None:
        """Put in force what the files say now; None where they say nothing new.

        Raises:
            SettingsGone: there was a hotswap.toml, and there is none.
        """
        assert self.read.again is not None
        new = await asyncio.to_thread(self.read.again)
        if new.source is None and self.read.source is not None:
            raise SettingsGone(str(self.read.source))
        locked, self._lock = None if lock == self._lock else self._parsed(lock), lock
        if new == self.read and locked is None:
            return None
        catalog = await asyncio.to_thread(discover, new, environ=self._environ)
        old, in_force = self.read, False
        try:
            plan = await self._changes.follow(lambda ours: merged(old, ours, new), catalog, locked)
            in_force = True
        except TeardownFailed:
            in_force = True  # though something that it replaced did not close cleanly
            raise
        finally:
            self.read = new if in_force else old
        return plan if plan or new != old else None

    def _parsed(self, content: bytes | None) -> Lock | None:
        """Return the lock, where there is one and it names other versions than those that run."""
        lock = None if content is None else parse(content, str(self._lock_file))
        return None if lock is None or lock.versions() == self._changes.solution.versions() else lock


def _tell(callback: Callable[[T], None], what: T) -> None:
    """Call what the application gave; whatever it raises, following goes on."""
    try:
        callback(what)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - logged: it is the application's, and no reason to follow no more
        logger.opt(exception=error).error("A callback of kernel.watch() raised {}", type(error).__name__)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there, or not to be read now: the next look may find it
        return None
