"""Writes of many callers, stored with as few waits for the disk as can be."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from hotswap_adapters._sqlite.failure import is_busy

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""Reads and writes over the connection, in a transaction that is not its own; may be called again after a failure."""

Job = tuple[Work[Any], "Future[Any]"]

MOST_TOGETHER = 128
"""Jobs of one transaction: a wait for the disk (milliseconds) is shared, and nobody waits long for the others."""


class Commits:
    """Jobs that wait for the writing thread, which stores all that have gathered in one transaction.

    Each job is a savepoint: one that raises undoes itself alone. Where SQLite itself fails, a full disk, the
    transaction is given up and each job gets one of its own.
    """

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()

    def add(self, work: Work[T]) -> Future[T]:
        """Queue ``work``; the future is done when it is on the disk. Cancelling it works until it has begun."""
        future: Future[T] = Future()
        self._waiting.append((work, future))
        return future

    def run(self, connection: sqlite3.Connection) -> None:
        """Do what waits now. Call it once after each ``add``, from the writing thread."""
        jobs = self._take()
        if len(jobs) > 1 and _together(connection, jobs):
            return
        for work, future in jobs:
            try:
                result = transaction(connection, work)
            except BaseException as error:  # noqa: BLE001 - handed to who awaits the job
                future.set_exception(error)
            else:
                future.set_result(result)

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        while self._waiting and len(jobs) < MOST_TOGETHER:
            job = self._waiting.popleft()
            if job[1].set_running_or_notify_cancel():
                jobs.append(job)
        return jobs


def transaction(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Run ``work`` and commit, or roll back and raise."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
    return result


def _together(connection: sqlite3.Connection, jobs: list[Job]) -> bool:
    """Do all jobs in one transaction and settle them; False: nothing was stored and nobody told."""
    outcomes: list[tuple[Any, BaseException | None]]
    try:
        outcomes = transaction(connection, lambda same: [_inside(same, work) for work, _ in jobs])
    except sqlite3.Error as error:
        if not is_busy(error):
            return False
        outcomes = [(None, error)] * len(jobs)  # they have waited together, and would wait one after the other
    for (_, future), (result, failure) in zip(jobs, outcomes, strict=True):
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)
    return True


def _inside(connection: sqlite3.Connection, work: Work[Any]) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT job")
    try:
        result, failure = work(connection), None
    except sqlite3.Error:
        raise
    except BaseException as error:  # noqa: BLE001 - handed to who awaits the job
        connection.execute("ROLLBACK TO job")
        result, failure = None, error
    connection.execute("RELEASE job")
    return result, failure
