"""Work in a thread that may be left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from hotswap.import_thread import Overdue, one_by_one


class Errand:
    """A job that notes what happens to it."""

    def __init__(self, name: str, act: Callable[[], object] = lambda: None) -> None:
        self.name = name
        self.act = act
        self.thread: threading.Thread | None = None
        self.called = ""
        self.abandoned = threading.Event()

    def run(self) -> str:
        """Do what it is to do."""
        self.thread = threading.current_thread()
        self.called = self.thread.name
        self.act()
        return f"{self.name} is done"

    def abandon(self) -> None:
        """Note that nobody waits."""
        self.abandoned.set()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return what errands wait for; it is opened in the end, and their threads have ended."""
    before = set(threading.enumerate())
    opened = threading.Event()
    yield opened
    opened.set()
    for each in set(threading.enumerate()) - before:
        each.join(10)
        assert not each.is_alive()


def fail() -> None:
    """Raise what is no Exception."""
    raise SystemExit(3)


async def test_jobs_run_one_after_another_in_one_thread() -> None:
    """Each has its own answer, also what it raised; the thread is called after the job, and the loop goes on."""
    loop_thread = threading.current_thread()
    jobs = [Errand("one"), Errand("two", fail), Errand("three")]
    first, second, third = await one_by_one(jobs, seconds=10)
    assert (first, third) == ("one is done", "three is done")
    assert isinstance(second, SystemExit)
    assert [each.called for each in jobs] == ["one", "two", "three"]
    assert len({each.thread for each in jobs}) == 1
    assert jobs[0].thread is not loop_thread
    assert not any(each.abandoned.is_set() for each in jobs)
    assert await one_by_one([], seconds=10) == []


async def test_a_job_that_hangs_keeps_its_thread_and_the_rest_get_another(gate: threading.Event) -> None:
    """Only the job that takes too long is abandoned; it does not run on into the others when it comes to its end."""
    jobs = [Errand("one"), Errand("two", lambda: gate.wait(10)), Errand("three"), Errand("four")]
    first, second, third, fourth = await one_by_one(jobs, seconds=0.2)
    assert (first, third, fourth) == ("one is done", "three is done", "four is done")
    assert isinstance(second, Overdue)
    assert [each.abandoned.is_set() for each in jobs] == [False, True, False, False]
    assert jobs[0].thread is jobs[1].thread
    assert jobs[2].thread is jobs[3].thread is not jobs[0].thread
    assert jobs[1].thread is not None
    assert jobs[1].thread.daemon


async def test_time_is_taken_for_each_job(gate: threading.Event) -> None:
    """Many jobs may take longer together than one may."""
    waiting = threading.Event()
    jobs = [Errand(str(number), lambda: waiting.wait(0.1)) for number in range(5)]
    assert await one_by_one(jobs, seconds=0.4) == [f"{number} is done" for number in range(5)]


async def test_a_last_job_that_hangs(gate: threading.Event) -> None:
    """There is nothing left to do after it."""
    jobs = [Errand("one"), Errand("two", lambda: gate.wait(10))]
    first, second = await one_by_one(jobs, seconds=0.05)
    assert first == "one is done"
    assert isinstance(second, Overdue)


async def test_cancelled_all_jobs_are_abandoned(gate: threading.Event) -> None:
    """Those that are done, the one that runs, and those that never begin."""
    begun = threading.Event()

    def hang() -> None:
        begun.set()
        gate.wait(10)

    jobs = [Errand("one"), Errand("two", hang), Errand("three")]
    task = asyncio.create_task(one_by_one(jobs, seconds=10))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(each.abandoned.is_set() for each in jobs)
    gate.set()
    assert jobs[1].thread is not None
    await asyncio.to_thread(jobs[1].thread.join, 10)
    assert jobs[2].thread is None


def test_a_job_may_outlive_the_loop(gate: threading.Event) -> None:
    """When the loop is closed by the time the job is done, its thread ends all the same."""
    job = Errand("one", lambda: gate.wait(10))

    async def main() -> None:
        (answer,) = await one_by_one([job], seconds=0.01)
        assert isinstance(answer, Overdue)

    asyncio.run(main())
    assert job.abandoned.is_set()
