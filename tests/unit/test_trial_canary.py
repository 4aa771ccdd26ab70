"""A canary: who gets which call, what counts against the candidate, and when something is decided."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from hotswap import CallEvicted, PortUnfilled
from hotswap.trials.bounds import Bounds
from hotswap.trials.stats import TrialStats
from hotswap_ports import (
    AdapterFailed,
    Conflict,
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    NotFound,
    NotWritable,
    PortError,
    RateLimited,
    Refused,
    TimedOut,
    TooLarge,
    Unavailable,
)
from tests.trial_parts import Parts

ERRORS_ALONE = Bounds(p95_ratio=None)


def raising(error: Exception) -> Callable[[int], Any]:
    def act(number: int) -> int:
        raise error

    return act


def failing(rate: float, seed: int = 1) -> Callable[[int], Any]:
    """Return what fails some calls, the same in every run."""
    chance = random.Random(seed)

    def act(number: int) -> int:
        if chance.random() < rate:
            raise Unavailable("no luck")
        return number

    return act


async def calls(parts: Parts, most: int) -> int:
    """Make calls until something is decided, or there were enough; return how many failed."""
    failed = 0
    for number in range(most):
        if parts.course.decided:
            break
        try:
            await parts.handle.count(number)
        except PortError:
            failed += 1
    return failed


async def outcome(parts: Parts) -> tuple[str, str]:
    decision = await asyncio.wait_for(parts.course.decision(), 1)
    return decision.outcome, decision.reason


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.99])
async def test_the_candidate_gets_its_share_exactly(share: float) -> None:
    """After any number of calls the candidate has had its share of them, one more or less."""
    parts = Parts()
    parts.canary(share, ERRORS_ALONE, promote_after=10_000)
    for number in range(2_000):
        await parts.handle.count(number)
        assert abs(len(parts.candidate.asked) - share * (number + 1)) <= 1 + share
    assert len(parts.current.asked) + len(parts.candidate.asked) == 2_000


@pytest.mark.parametrize("period", [2, 4, 5, 10, 20])
async def test_callers_that_do_the_same_in_turn_have_the_candidate_do_all_of_it(period: int) -> None:
    """Whatever the period of the callers, each of their calls comes to the candidate as often as the others."""
    parts = Parts()
    parts.canary(0.05, ERRORS_ALONE, promote_after=10_000)
    for number in range(8_000):
        await parts.handle.count(number)
    hits = [sum(each % period == turn for each in parts.candidate.asked) for turn in range(period)]
    assert max(hits) - min(hits) <= 0.1 * sum(hits)


async def test_a_call_that_the_candidate_fails_has_failed_and_is_not_made_again() -> None:
    """The caller gets the candidate's error, and the current provider never sees that call."""
    parts = Parts(candidate=raising(ValueError("a defect")))
    parts.canary(0.5, ERRORS_ALONE)
    seen = []
    for number in range(2):
        try:
            await parts.handle.count(number)
        except AdapterFailed as error:
            seen.append((number, error.provider))
    assert seen == [(parts.candidate.asked[0], "new")]
    assert parts.current.asked == [each for each in (0, 1) if each not in parts.candidate.asked]


async def test_a_candidate_that_fails_a_fifth_goes_back_at_once() -> None:
    """A candidate that fails 20 % is sent back within 200 of its calls; the very next call goes to the other."""
    for seed in range(20):
        parts = Parts(candidate=failing(0.2, seed))
        parts.canary(0.05)
        failed = await calls(parts, 4_000)
        decided, reason = await outcome(parts)
        assert decided == "aborted"
        assert reason.startswith(f"it failed {failed} of {len(parts.candidate.asked)} calls, old 1.0.0 0 of ")
        assert len(parts.candidate.asked) < 200
        before = len(parts.candidate.asked)
        for number in range(100):
            await parts.handle.count(number)
        assert len(parts.candidate.asked) == before


async def test_a_healthy_candidate_is_promoted_when_it_has_earned_it() -> None:
    """Within the bounds, a candidate is promoted after the calls and the seconds that were asked for, not before."""
    parts = Parts(current=failing(0.01, 2), candidate=failing(0.01, 3))
    parts.canary(0.2, promote_after=50, min_seconds=10.0)
    await calls(parts, 400)
    assert not parts.course.decided
    parts.now.seconds = 11.0
    await calls(parts, 10)
    assert await outcome(parts) == ("promoted", f"it kept the bounds in {len(parts.candidate.asked)} calls")


async def test_a_candidate_that_breaks_a_bound_without_certainty_is_not_promoted_either() -> None:
    """Three failures in fifty calls convict nobody, and promote nobody: it goes on until it is within the bounds."""
    parts = Parts()
    fails = {10, 20, 30}
    parts.candidate.act = lambda number: number if len(parts.candidate.asked) not in fails else 1 / 0
    parts.canary(0.2, ERRORS_ALONE, promote_after=50)
    await calls(parts, 300)
    assert not parts.course.decided
    assert len(parts.candidate.asked) == 60
    await calls(parts, 1_000)
    assert await outcome(parts) == ("promoted", "it kept the bounds in 150 calls")


@pytest.mark.parametrize(
    "error",
    [
        AdapterFailed("new", "count", ValueError()), Unavailable("x"), TimedOut("x", 1), RateLimited("x"),
        InvalidContent("x"), NotWritable("x"), PortUnfilled("storage"), ValueError("x"), SystemExit(1),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_errors_of_the_providers_making_are_failures(error: Any) -> None:
    """What the adapter, what stands behind it or its answer did wrong counts as failed."""
    parts = Parts(candidate=raising(error))
    parts.canary(0.05)
    await calls_that_may_raise(parts, 200)
    decided, reason = await outcome(parts)
    assert decided == "aborted"
    assert reason.startswith("it failed ")
    assert parts.course.stats().candidate.failures == parts.course.stats().candidate.calls <= 5


async def calls_that_may_raise(parts: Parts, most: int) -> None:
    for number in range(most):
        with suppress(Exception):
            await parts.handle.count(number)


@pytest.mark.parametrize(
    "error",
    [
        NotFound("x"), Conflict("x", 1, 2), InvalidRequest("x"), FeatureUnsupported("new", "x"), Refused("x"),
        TooLarge("x", 1),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_a_candidate_that_declines_what_the_other_answers_goes_back(error: PortError) -> None:
    """An answer that is no counts apart, and sends back a candidate that gives it where the other does not."""
    parts = Parts(candidate=raising(error))
    parts.canary(0.05)
    await calls(parts, 200)
    decided, reason = await outcome(parts)
    assert decided == "aborted"
    assert reason.startswith("it declined ")
    side = parts.course.stats().candidate
    assert (side.failures, side.errors) == (0, {type(error).__name__: side.declined})


async def test_what_both_decline_is_nobodys_fault() -> None:
    """Requests that are wrong with everybody promote a candidate like any others."""
    parts = Parts(current=raising(NotFound("x")), candidate=raising(NotFound("x")))
    parts.canary(0.1, ERRORS_ALONE, promote_after=100)
    await calls(parts, 2_000)
    assert (await outcome(parts))[0] == "promoted"


async def test_an_outage_of_what_both_need_is_nobodys_fault() -> None:
    """While the current provider fails as well, a candidate that fails every call is not blamed."""
    parts = Parts()
    parts.canary(0.05, promote_after=10_000)
    await calls(parts, 400)
    parts.current.act = parts.candidate.act = raising(Unavailable("the service is down"))
    await calls(parts, 2_000)
    assert not parts.course.decided
    parts.current.act = parts.candidate.act = lambda number: number
    await calls(parts, 400)
    parts.candidate.act = raising(Unavailable("now it is me"))
    assert await calls(parts, 4_000) < 25
    assert (await outcome(parts))[0] == "aborted"


async def test_a_slow_candidate_goes_back() -> None:
    """A candidate whose p95 is beyond twice that of the other is sent back, with both numbers."""
    parts = Parts()
    parts.takes(0.1, 0.3)
    parts.canary(0.05)
    await calls(parts, 2_000)
    decided, reason = await outcome(parts)
    count = len(parts.candidate.asked)
    assert count < 20
    assert decided == "aborted"
    assert reason.endswith("calls took longer than 2 times the p95 of old 1.0.0, which is 100.00 ms")
    assert parts.course.stats().candidate.p95 == pytest.approx(0.3)


async def test_a_candidate_somewhat_slower_is_promoted() -> None:
    """Half as slow again is within the ratio of two."""
    parts = Parts()
    parts.takes(0.1, 0.15)
    parts.canary(0.05, promote_after=100)
    await calls(parts, 3_000)
    assert (await outcome(parts))[0] == "promoted"


async def test_microseconds_are_not_compared() -> None:
    """What takes less than 5 ms is not slow, however quick the other is."""
    parts = Parts()
    parts.takes(0.00001, 0.004)
    parts.canary(0.05, promote_after=100)
    await calls(parts, 3_000)
    assert (await outcome(parts))[0] == "promoted"


async def test_seconds_are_an_absolute_bound() -> None:
    """p95_seconds sends back a candidate that is too slow, though the other is slower still."""
    parts = Parts()
    parts.takes(2.0, 1.1)
    parts.canary(0.05, Bounds(p95_seconds=1.0))
    await calls(parts, 2_000)
    decided, reason = await outcome(parts)
    assert decided == "aborted"
    assert reason.endswith("calls took longer than 1 s")


async def test_a_candidate_that_hangs_is_noticed_by_the_calls_after() -> None:
    """Calls that never end count as late once they are: those of other callers show it."""
    parts = Parts()
    parts.takes(0.1, 0.1)
    parts.canary(0.05)
    await calls(parts, 200)
    parts.candidate.gate = asyncio.Event()
    tasks = []
    for number in range(1_000):
        if parts.course.decided:
            break
        before = len(parts.candidate.asked)
        task = asyncio.create_task(parts.handle.count(number))
        while not task.done() and len(parts.candidate.asked) == before:
            await asyncio.sleep(0)
        tasks.append(task)
    decided, reason = await outcome(parts)
    assert (decided, "took longer than" in reason) == ("aborted", True)
    parts.candidate.gate.set()
    assert await asyncio.gather(*tasks) == list(range(len(tasks)))  # no call was lost by going back


async def test_callers_that_give_up_are_no_failures() -> None:
    """A cancelled call is counted as given up, on either side, and neither failed nor answered."""
    parts = Parts()
    parts.current.gate = parts.candidate.gate = asyncio.Event()
    parts.canary(0.5)
    tasks = [asyncio.create_task(parts.handle.count(number)) for number in range(4)]
    await asyncio.sleep(0)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    stats = parts.course.stats()
    for side in (stats.current, stats.candidate):
        assert (side.calls, side.given_up, side.failures, side.p95, side.error_rate) == (2, 2, 0, None, 0.0)


async def test_what_the_kernel_cut_is_no_failure_of_the_provider() -> None:
    """A call that the deadline of a drain ended was given up."""
    parts = Parts(candidate=raising(CallEvicted("counter.count", "new")))
    parts.canary(0.5)
    for number in range(4):
        with suppress(CallEvicted):
            await parts.handle.count(number)
    assert (parts.course.stats().candidate.given_up, parts.course.stats().candidate.failures) == (2, 0)


async def test_a_function_may_judge_instead() -> None:
    """abort_if is asked after each call of the candidate's: false goes on, a text is the reason."""
    asked: list[TrialStats] = []

    def judge(stats: TrialStats) -> str:
        asked.append(stats)
        return "three is enough" if stats.candidate.failures == 3 else ""

    parts = Parts(candidate=raising(Unavailable("x")))
    parts.canary(0.5, judge)
    assert await calls(parts, 100) == 3
    assert await outcome(parts) == ("aborted", "three is enough")
    assert [each.candidate.calls for each in asked] == [1, 2, 3]
    assert (asked[0].port, asked[0].kind, asked[0].candidate.error_rate) == ("counter", "canary", 1.0)


async def test_a_function_that_only_says_true_is_named() -> None:
    """True sends the candidate back too."""
    parts = Parts()
    parts.canary(0.5, lambda stats: stats.candidate.calls > 4)
    await calls(parts, 100)
    assert await outcome(parts) == ("aborted", "abort_if said so")


async def test_a_function_that_raises_sends_the_candidate_back_and_harms_no_call() -> None:
    """An error of abort_if is the reason of the verdict, and no caller sees it."""
    parts = Parts()
    parts.canary(0.5, lambda stats: 1 / 0)
    assert await calls(parts, 100) == 0
    assert await outcome(parts) == ("aborted", "abort_if raised ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("error", "reason"), [(SystemExit(9), "SystemExit: 9"), (asyncio.CancelledError(), "CancelledError")]
)
async def test_a_function_may_raise_what_it_likes(error: BaseException, reason: str) -> None:
    """SystemExit and CancelledError of abort_if count like any other error of it: no call fails, and nothing ends."""

    def judge(stats: TrialStats) -> bool:
        raise error

    parts = Parts()
    parts.canary(0.5, judge)
    assert await calls(parts, 100) == 0
    assert await outcome(parts) == ("aborted", f"abort_if raised {reason}")


async def test_a_function_that_agrees_promotes() -> None:
    """With a function as the judge, promotion comes after the calls asked for."""
    parts = Parts()
    parts.canary(0.5, lambda stats: False, promote_after=10)
    await calls(parts, 100)
    assert await outcome(parts) == ("promoted", "it kept the bounds in 10 calls")


async def stream(parts: Parts, number: int, leave_after: int | None = None) -> list[int]:
    found = []
    items = parts.handle.items(number)
    async for each in items:
        found.append(each)
        if len(found) == leave_after:
            break
    await items.aclose()
    return found


async def test_streams_are_measured_to_their_first_item() -> None:
    """The latency of a stream is that of its first item, however long it goes on."""
    parts = Parts()
    parts.takes(1.0, 2.0)
    parts.canary(0.5)
    for _ in range(4):
        assert await stream(parts, 3) == [0, 1, 2]
    stats = parts.course.stats()
    assert (stats.current.p95, stats.candidate.p95) == (1.0, 2.0)


async def test_streams_are_judged_by_their_end() -> None:
    """A stream that fails after some items has failed, and one that its reader leaves has answered."""

    def third(number: int) -> int:
        if number == 2:
            raise Unavailable("in the middle")
        return number

    parts = Parts(candidate=third)
    parts.canary(0.5)
    for _ in range(4):
        with suppress(Unavailable):
            await stream(parts, 5)
    assert parts.course.stats().candidate.failures == 2
    for _ in range(4):
        assert await stream(parts, 5, leave_after=2) == [0, 1]
    side = parts.course.stats().candidate
    assert (side.calls, side.failures, side.given_up) == (4, 2, 0)


async def test_a_stream_without_items_has_answered_at_its_end() -> None:
    """An empty stream is an answer."""
    parts = Parts()
    parts.canary(0.5)
    for _ in range(2):
        assert await stream(parts, 0) == []
    assert parts.course.stats().candidate.calls == 1
    assert parts.course.stats().candidate.p95 == 0.0


async def test_attributes_are_those_of_the_current_provider() -> None:
    """What a provider says of itself is the current one's while a candidate is tried."""
    parts = Parts()
    parts.canary(0.5)
    assert parts.handle.features == "old"


async def test_calls_hold_their_lease_in_the_generation_where_they_are() -> None:
    """A call inside the candidate is one of its leases, and none of the other's."""
    parts = Parts()
    gate = parts.current.gate = parts.candidate.gate = asyncio.Event()
    parts.canary(0.5)
    tasks = [asyncio.create_task(parts.handle.count(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert (parts.old.leases, parts.new.leases) == (5, 5)
    gate.set()
    await asyncio.gather(*tasks)
    assert (parts.old.leases, parts.new.leases) == (0, 0)
