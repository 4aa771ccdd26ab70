"""A shadow: the current provider answers, the candidate is asked too, and nobody notices but the one who counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hotswap.trials import shadow
from hotswap.trials.answers import SHOWN, Answer, differ, difference
from hotswap.trials.repeated import ITEMS
from hotswap.trials.stats import Side, TrialStats
from hotswap_ports import NotFound, Unavailable
from tests.trial_parts import Parts, settled


def refuse(number: int) -> int:
    raise Unavailable(f"no luck with {number}")


async def test_the_current_provider_answers_and_the_candidate_is_asked_too() -> None:
    """Both get every call; the answers are the current provider's, and what differs is told."""
    parts = Parts("shadow", candidate=lambda number: number if number != 2 else 99)
    shadowing = parts.shadow()
    assert [await parts.handle.count(number) for number in range(4)] == [0, 1, 2, 3]
    await settled(shadowing)
    assert sorted(parts.candidate.asked) == [0, 1, 2, 3]
    stats = parts.course.stats()
    assert (stats.compared, stats.differences, stats.dropped) == (4, 1, 0)
    assert [str(each) for each in stats.examples] == ["count: the answers are not the same: 2 | 99"]
    assert (stats.current.calls, stats.candidate.calls) == (4, 4)
    assert "1 of 4 answers differ" in str(stats)


async def test_a_candidate_that_fails_or_raises_anything_harms_no_call() -> None:
    """Errors of the candidate are counted and told as differences."""
    for act in (refuse, lambda number: 1 / 0):
        parts = Parts("shadow", candidate=act)
        shadowing = parts.shadow()
        assert await parts.handle.count(7) == 7
        await settled(shadowing)
        stats = parts.course.stats()
        assert (stats.differences, stats.candidate.failures, stats.current.failures) == (1, 1, 0)
        assert stats.examples[0].what == "one raised"
        assert stats.examples[0].current == "7"


async def test_errors_of_one_class_are_the_same() -> None:
    """Where both raise the same error, they agree; the caller gets that of the current provider."""
    parts = Parts("shadow", current=refuse, candidate=refuse)
    shadowing = parts.shadow()
    with pytest.raises(Unavailable, match="no luck with 7"):
        await parts.handle.count(7)
    await settled(shadowing)
    assert (parts.course.stats().compared, parts.course.stats().differences) == (1, 0)
    parts.candidate.act = lambda number: number
    with pytest.raises(Unavailable):
        await parts.handle.count(8)
    await settled(shadowing)
    assert str(parts.course.stats().examples[0]) == "count: one raised: Unavailable: no luck with 8 | 8"


async def test_a_candidate_that_hangs_delays_nobody_and_is_cut_at_its_deadline() -> None:
    """Calls are answered while the candidate hangs; past its deadline it has timed out."""
    parts = Parts("shadow")
    parts.candidate.gate = asyncio.Event()
    shadowing = parts.shadow(seconds=0.02)
    assert await parts.handle.count(1) == 1
    assert parts.new.leases in (0, 1)
    await settled(shadowing)
    stats = parts.course.stats()
    assert stats.candidate.errors == {"TimedOut": 1}
    assert parts.new.leases == 0


async def test_no_more_are_under_way_than_may_be_and_the_rest_is_counted() -> None:
    """Beyond the bound calls are not repeated, and are counted; they are answered like all others."""
    parts = Parts("shadow")
    gate = parts.candidate.gate = asyncio.Event()
    shadowing = parts.shadow(most=3)
    answers = []
    for number in range(10):
        answers.append(await parts.handle.count(number))
        await asyncio.sleep(0)
    assert answers == list(range(10))
    assert (len(parts.candidate.asked), parts.course.stats().dropped) == (3, 7)
    gate.set()
    await settled(shadowing)
    await parts.handle.count(11)
    await settled(shadowing)
    assert parts.course.stats().compared == 4


async def test_when_the_caller_gives_up_so_does_the_candidate() -> None:
    """A call that its caller cancels is cancelled with the candidate too, and not compared."""
    parts = Parts("shadow")
    parts.current.gate = parts.candidate.gate = asyncio.Event()
    shadowing = parts.shadow(most=1)
    for wait in (0, 3):  # before the candidate was even asked, and when it was
        task = asyncio.create_task(parts.handle.count(1))
        await asyncio.sleep(0)
        for _ in range(wait):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settled(shadowing)
    stats = parts.course.stats()
    assert (stats.compared, stats.dropped, parts.new.leases) == (0, 0, 0)


async def test_only_methods_that_change_nothing_are_repeated() -> None:
    """A write is made once, with the current provider, unless its method was named."""
    parts = Parts("shadow")
    shadowing = parts.shadow()
    await parts.handle.write(1)
    assert (parts.current.asked, parts.candidate.asked) == ([1], [])
    shadowing = parts.shadow(frozenset({"write"}))
    await parts.handle.write(2)
    await parts.handle.count(3)
    assert [each async for each in parts.handle.items(2)] == [0, 1]
    assert parts.handle.features == "old"
    await settled(shadowing)
    assert parts.candidate.asked == [2]


async def test_what_a_repeated_call_calls_is_not_repeated_again() -> None:
    """A candidate that comes back to the port reaches the current provider, once."""
    parts = Parts("shadow")
    shadowing = parts.shadow()
    count = type(parts.candidate).count

    async def roundabout(number: int) -> int:
        await count(parts.candidate, number)
        answer: int = await parts.handle.count(number + 100)
        return answer

    parts.candidate.count = roundabout  # type: ignore[method-assign]
    await parts.handle.count(1)
    await settled(shadowing)
    assert (parts.current.asked, parts.candidate.asked) == ([1, 101], [1])


async def test_streams_are_compared_item_by_item_after_they_end() -> None:
    """The reader gets the current provider's items; afterwards each is held against the candidate's."""
    parts = Parts("shadow", candidate=lambda number: number if number != 1 else 9)
    shadowing = parts.shadow()
    assert [each async for each in parts.handle.items(3)] == [0, 1, 2]
    await settled(shadowing)
    found = parts.course.stats().examples[0]
    assert str(found) == "items: item 2 is not the same: [0, 1, 2] | [0, 9, 2]"


async def test_streams_of_other_lengths_differ() -> None:
    """A stream that ends early, or fails, is not the same."""
    parts = Parts("shadow")
    shadowing = parts.shadow()
    items = type(parts.candidate).items
    parts.candidate.items = lambda number: items(parts.candidate, 2)  # type: ignore[method-assign]
    assert [each async for each in parts.handle.items(3)] == [0, 1, 2]
    await settled(shadowing)
    parts.current.act = refuse
    with pytest.raises(Unavailable):
        [each async for each in parts.handle.items(3)]
    await settled(shadowing)
    assert [each.what for each in parts.course.stats().examples] == ["one has more items", "one raised"]


async def test_a_stream_that_its_reader_leaves_is_not_compared() -> None:
    """There is nothing to compare with what was not read."""
    parts = Parts("shadow")
    shadowing = parts.shadow()
    items = parts.handle.items(100)
    assert await anext(items) == 0
    await items.aclose()
    await settled(shadowing)
    assert parts.course.stats().compared == 0
    assert parts.old.leases == parts.new.leases == 0


async def test_no_more_of_a_stream_is_kept_than_may_be() -> None:
    """Of a long stream the first items are compared; the candidate is not read beyond them, the reader gets all."""
    parts = Parts("shadow")
    shadowing = parts.shadow()
    assert len([each async for each in parts.handle.items(ITEMS + 50)]) == ITEMS + 50
    await settled(shadowing)
    assert (parts.course.stats().compared, parts.course.stats().differences) == (1, 0)


async def test_latencies_of_both_sides_are_measured() -> None:
    """Both sides have a p95, of streams to the first item."""
    parts = Parts("shadow")
    parts.takes(1.0, 2.0)
    shadowing = parts.shadow()
    await parts.handle.count(1)
    await settled(shadowing)
    assert (parts.course.stats().current.p95, parts.course.stats().candidate.p95) == (1.0, 2.0)


async def test_after_the_decision_nothing_is_repeated() -> None:
    """Once the trial is decided the candidate is left alone."""
    parts = Parts("shadow")
    parts.shadow()
    parts.course.decide("stopped", "enough")
    assert await parts.handle.count(1) == 1
    await asyncio.sleep(0)
    assert parts.candidate.asked == []


async def test_finishing_lets_calls_end_or_cancels_them() -> None:
    """Patiently, what is under way is counted; else it is cancelled at once; nothing is left either way."""
    for patiently in (True, False):
        parts = Parts("shadow")
        parts.candidate.gate = asyncio.Event()
        shadowing = parts.shadow()
        assert await parts.handle.count(1) == 1
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(parts.candidate.gate.set)
        await shadowing.finish(patiently)
        assert parts.course.stats().compared == patiently
        assert not shadowing._tasks
        assert parts.new.leases == 0


async def test_finishing_waits_for_no_candidate_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not come to its end a moment after the trial was stopped is dropped, and not counted."""
    monkeypatch.setattr(shadow, "GRACE", 0.01)
    parts = Parts("shadow")
    parts.candidate.gate = asyncio.Event()
    shadowing = parts.shadow()
    assert await parts.handle.count(1) == 1
    async with asyncio.timeout(5):
        await shadowing.finish(patiently=True)
    assert parts.course.stats().compared == 0
    assert not shadowing._tasks
    assert parts.new.leases == 0


@pytest.mark.parametrize(
    ("error", "what"), [(SystemExit(9), "SystemExit: 9"), (asyncio.CancelledError(), "CancelledError")]
)
async def test_a_comparison_may_raise_what_it_likes(error: BaseException, what: str) -> None:
    """SystemExit and CancelledError of ``same`` count like any other error of it: the trial goes on, and says so."""

    def same(one: object, other: object) -> bool:
        raise error

    parts = Parts("shadow")
    shadowing = parts.shadow(same=same)
    assert [await parts.handle.count(number) for number in range(3)] == [0, 1, 2]
    await settled(shadowing)
    assert [each.what for each in parts.course.stats().examples] == [f"comparing raised {what}"] * 3


class Odd:
    """A value that can neither be compared nor shown."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("more than one element")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise ValueError("no repr")


def eq(one: object, other: object) -> object:
    return one == other


def test_what_cannot_be_compared_is_a_difference() -> None:
    """An error of == or of same= is told, and not raised."""
    answers = Answer(0.0, Odd()), Answer(0.0, Odd())
    assert differ(*answers, eq) == "comparing raised ValueError: more than one element"
    shown = difference("count", "x", *answers, str)
    assert shown.current == "<Odd whose repr raised ValueError>"


@pytest.mark.parametrize(("same", "expected"), [(lambda one, other: True, ""), (lambda one, other: 0, "not the same")])
def test_the_application_says_what_is_the_same(same: Any, expected: str) -> None:
    """same= decides about values; an error is never the same as a value, whatever it says."""
    assert expected in differ(Answer(0.0, 1), Answer(0.0, 2), same)
    assert differ(Answer(0.0, 1), Answer(0.0, error=NotFound("x")), same) == "one raised"


async def test_what_is_shown_has_no_secrets_and_is_short() -> None:
    """Secrets are taken out before a text is cut, so that none is cut in half; few differences are kept."""
    parts = Parts("shadow", candidate=lambda number: "x" * (SHOWN - 5) + "hunter2" + "y" * 1000)
    shadowing = parts.shadow()
    for number in range(50):
        await parts.handle.count(number)
        await settled(shadowing)
    stats = parts.course.stats()
    assert (stats.differences, len(stats.examples)) == (50, 10)
    assert all(len(each.candidate) == SHOWN for each in stats.examples)
    assert "hunt" not in stats.examples[0].candidate


def test_numbers_are_readable() -> None:
    """A side and the numbers of a trial are sentences for people."""
    side = Side("new 1.0.0", 1_234, 5, 1, 0, 0.25, {"Unavailable": 4, "TimedOut": 1, "NotFound": 1})
    assert str(side) == (
        "new 1.0.0: 1,234 calls, 5 failed, 1 declined, p95 250.00 ms (NotFound 1, TimedOut 1, Unavailable 4)"
    )
    stats = TrialStats("ai", "shadow", Side("old 1.0.0"), side, 3.0, 10, 0, 4)
    assert str(stats).splitlines() == [
        "  old 1.0.0: 0 calls, 0 failed, 0 declined, no answer", f"  {side}",
        "  0 of 10 answers differ, 4 calls not repeated",
    ]  # fmt: skip
