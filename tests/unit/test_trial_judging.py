"""Bounds, and what is set beside what."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap import Bounds
from hotswap.trials.endings import Ending
from hotswap.trials.judging import KEPT, Bounded
from hotswap.trials.meter import WINDOW, Latencies, Meter

ANSWERED, FAILED = Ending.ANSWERED, Ending.FAILED


def bounded(bounds: Bounds, group: int) -> tuple[Bounded, Meter, Meter]:
    current, candidate = Meter("old 1.0.0"), Meter("new 1.0.0")
    return Bounded(bounds, group, current, candidate), current, candidate


@pytest.mark.parametrize(
    "wrong",
    [
        {"error_rate": -0.1}, {"error_rate": 1.0}, {"p95_ratio": 0}, {"p95_seconds": -1}, {"min_calls": 0},
        {"false_alarm": 0}, {"false_alarm": 1},
    ],
)  # fmt: skip
def test_bounds_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    """A rate is a share, a ratio and seconds are above nothing, and an alarm is neither certain nor impossible."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Bounds(**wrong)


def test_without_bounds_nobody_is_sent_back() -> None:
    """What is None is not looked at; a candidate without bounds is always within them."""
    judge, _, _ = bounded(Bounds(error_rate=None, p95_ratio=None), 19)
    for _ in range(100):
        judge.current(ANSWERED, 0.1)
        judge.candidate(FAILED, 9.0)
    assert (judge.against(), judge.fit(), judge.limit()) == ("", True, None)


def test_calls_that_end_together_are_each_set_beside_others() -> None:
    """Three failures at once, after calls enough of the other, weigh as much as three with those in between."""
    together, in_turn = (bounded(Bounds(p95_ratio=None), 2)[0] for _ in range(2))
    for _ in range(6):
        together.current(ANSWERED, 0.1)
    for _ in range(3):
        together.candidate(FAILED, 0.1)
        in_turn.current(ANSWERED, 0.1)
        in_turn.current(ANSWERED, 0.1)
        in_turn.candidate(FAILED, 0.1)
    assert together._rules[0].evidence.value == pytest.approx(in_turn._rules[0].evidence.value)


def test_a_call_is_set_beside_those_that_ended_last() -> None:
    """When a trouble begins for both, the candidate's first failure is set beside the other's of that moment."""
    judge, _, _ = bounded(Bounds(p95_ratio=None), 4)
    for _ in range(100):
        judge.current(ANSWERED, 0.1)
    assert len(judge._others) == KEPT * 4
    for _ in range(4):
        judge.current(FAILED, 0.1)
    judge.candidate(FAILED, 0.1)
    assert judge._rules[0].evidence.value <= 0.5


def test_latency_is_compared_once_there_is_enough_to_compare_with() -> None:
    """Before min_calls answers of the other, nothing is slow, and nobody is fit to be promoted."""
    judge, current, candidate = bounded(Bounds(min_calls=3), 1)
    candidate.add(ANSWERED, 9.0)
    for number in range(3):
        assert (judge.limit(), judge.fit()) == (None, False)
        current.add(ANSWERED, 1.0 + number)
        judge.current(ANSWERED, 1.0 + number)
    assert judge.limit() == 6.0
    assert not judge.fit()
    for _ in range(30):
        candidate.add(ANSWERED, 5.0)
    assert judge.fit()


def test_the_p95_is_that_of_a_bounded_window() -> None:
    """95 % of the last 512 latencies do not exceed it; older ones are forgotten."""
    latencies = Latencies()
    assert latencies.p95 is None
    latencies.add(7.0)
    assert latencies.p95 == 7.0
    for number in range(1, 101):
        latencies.add(float(number))
    assert latencies.p95 == 95.0
    for _ in range(2 * WINDOW):
        latencies.add(0.5)
    assert (latencies.p95, len(latencies)) == (0.5, WINDOW)
