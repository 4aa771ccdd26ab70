"""A thread that may be left behind: importing a plugin's code is that code's to end, and it may never."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)


class Job(Protocol[Result]):
    """Something to be done in the thread."""

    @property
    def name(self) -> str:
        """What the thread is called meanwhile."""

    def run(self) -> Result:
        """Do it. Abandoned meanwhile, undo what was done: nobody waits for the result."""

    def abandon(self) -> None:
        """Undo at once what was done so far; called from another thread, before, during or after ``run``."""


class Overdue(Exception):
    """What a job is answered with that took too long."""


async def one_by_one(jobs: Sequence[Job[T]], *, seconds: float) -> list[T | BaseException]:
    """Return what each job returned or raised. They run one after another in one daemon thread; the loop goes on.

    A job that takes longer than ``seconds`` is abandoned (``Overdue``): it keeps its thread, which does not keep the
    process alive, and the rest get another one. Cancelled, all of them are abandoned.
    """
    answers: list[T | BaseException] = []
    try:
        while len(answers) < len(jobs):
            answers += await _Worker(jobs[len(answers) :]).work(seconds)
    except BaseException:
        for each in jobs:
            each.abandon()
        raise
    return answers


class _Worker(Generic[T]):
    """One thread, and the one who watches it."""

    def __init__(self, jobs: Sequence[Job[T]]) -> None:
        self._jobs = jobs
        self._answers: list[T | BaseException] = []
        self._lock = threading.Lock()
        self._left = False
        self._since = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def work(self, seconds: float) -> list[T | BaseException]:
        """Return the answers to all jobs, or to those up to one that was overdue."""
        threading.Thread(target=copy_context().run, args=(self._run,), daemon=True).start()
        try:
            while not self._done.done() and not self._leave(seconds):
                await asyncio.wait([self._done], timeout=self._since + seconds - time.monotonic())
        finally:
            self._left = True
        return self._answers

    def _leave(self, seconds: float) -> bool:
        """Leave the thread behind if its job is overdue."""
        with self._lock:
            if len(self._answers) == len(self._jobs) or time.monotonic() < self._since + seconds:
                return False
            self._left = True
        self._jobs[len(self._answers)].abandon()
        self._answers.append(Overdue())
        return True

    def _run(self) -> None:
        for job in self._jobs:
            threading.current_thread().name = job.name
            answer = _answer(job)
            with self._lock:
                if self._left:
                    return
                self._answers.append(answer)
                self._since = time.monotonic()
        with suppress(RuntimeError):  # the loop has closed, so nobody waits
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _answer(job: Job[T]) -> T | BaseException:
    try:
        return job.run()
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits
        return error
