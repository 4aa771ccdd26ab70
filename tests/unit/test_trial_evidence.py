"""The sequential test: quick with a bad candidate, patient with an unlucky one, blind to what both suffer from."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from math import comb
from statistics import mean, median

import pytest

from hotswap.trials.evidence import ODDS, Evidence

MARGIN, GROUP, ENOUGH = 0.02, 19, 300.0
Rate = Callable[[int], float]


def after(
    evidence: Evidence, candidate: Rate, current: Rate, seed: int, calls: int = 500, enough: float = ENOUGH
) -> int | None:
    """Return after how many calls of the candidate's the evidence is enough; None: it never was."""
    chance = random.Random(seed)
    for number in range(calls):
        beside = [chance.random() < current(number) for _ in range(GROUP)]
        evidence.add(chance.random() < candidate(number), beside)
        if evidence.value >= enough:
            return number + 1
    return None


def steady(rate: float) -> Rate:
    return lambda number: rate


@pytest.mark.parametrize(("odds", "others"), list(itertools.product(ODDS, (1, 2, 19, 50))))
def test_the_game_is_fair_against_a_candidate_like_the_other(odds: float, others: int) -> None:
    """With failures that are as likely here as there, a factor's expectation is 1, however many calls failed."""
    evidence = Evidence(0.0)
    for failed in range(others + 2):
        share = failed / (others + 1)  # of the ways to spread the failures, those that hit the candidate
        hit = evidence._factor(odds, True, [True] * (failed - 1) + [False] * (others - failed + 1)) if failed else 0.0
        missed = (
            evidence._factor(odds, False, [True] * failed + [False] * (others - failed)) if failed <= others else 0.0
        )
        assert share * hit + (1 - share) * missed == pytest.approx(1.0)


@pytest.mark.parametrize(("odds", "margin"), list(itertools.product(ODDS, (0.01, 0.02, 0.05, 0.3))))
def test_the_game_is_not_for_a_candidate_within_the_margin(odds: float, margin: float) -> None:
    """With a candidate that fails by itself as often as it may, the expectation is at most 1, at any rate."""
    evidence = Evidence(margin)
    for percent in range(101):
        rate = percent / 100
        own = rate + (1 - rate) * margin
        expected = 0.0
        for failed in range(GROUP + 1):
            likely = comb(GROUP, failed) * rate**failed * (1 - rate) ** (GROUP - failed)
            beside = [True] * failed + [False] * (GROUP - failed)
            expected += likely * own * evidence._factor(odds, True, beside)
            expected += likely * (1 - own) * evidence._factor(odds, False, beside)
        assert expected <= 1 + 1e-9


def test_a_candidate_that_fails_a_fifth_of_its_calls_is_found_out_quickly() -> None:
    """Of 200 candidates that fail 20 % all are found out within 200 calls, half of them within 25, after 6 failures."""
    chances = [after(Evidence(MARGIN), steady(0.2), steady(0.002), seed) for seed in range(200)]
    found = [each for each in chances if each is not None]
    assert len(found) == len(chances)
    assert max(found) < 200
    assert median(found) <= 25
    assert mean(found) * 0.2 <= 6


def test_a_candidate_that_fails_always_is_found_out_after_a_handful() -> None:
    """A candidate that never answers is found out after five calls at most."""
    assert (after(Evidence(MARGIN), steady(1.0), steady(0.0), 1) or 99) <= 5


def test_one_unlucky_error_is_not_enough() -> None:
    """One failure, and even two in a row, convict nobody."""
    evidence = Evidence(MARGIN)
    for bad in (True, True, *[False] * 100, True, *[False] * 30, True):
        evidence.add(bad, [False] * GROUP)
        assert evidence.value < ENOUGH


@pytest.mark.parametrize(("candidate", "current"), [(0.1, 0.1), (0.02, 0.0), (0.12, 0.1)])
def test_a_candidate_within_the_margin_is_hardly_ever_convicted(candidate: float, current: float) -> None:
    """Of 300 candidates at or within the margin no more than 1 % reach an evidence of 100, as was promised."""
    chances = [after(Evidence(MARGIN), steady(candidate), steady(current), seed, 200, 100.0) for seed in range(300)]
    assert sum(each is not None for each in chances) <= 3


def test_a_trouble_that_both_have_convicts_nobody() -> None:
    """An outage of what both need, and a rate that rises for both, are not the candidate's."""

    def shared(number: int) -> float:
        return 1.0 if 50 <= number < 70 else 0.4 if number > 150 else 0.01

    chances = [after(Evidence(MARGIN), shared, shared, seed, 250, 100.0) for seed in range(200)]
    assert sum(each is not None for each in chances) <= 2


def test_a_candidate_that_goes_bad_late_is_found_out_too() -> None:
    """300 good calls buy no long credit: from then on, 20 % failures are found out within 200 calls."""
    for seed in range(40):
        found = after(Evidence(MARGIN), lambda number: 0.2 if number >= 300 else 0.0, steady(0.0), seed, 600)
        assert found is not None
        assert found <= 500


def test_without_anything_beside_it_a_call_says_nothing() -> None:
    """Failures of a candidate that nobody can be compared with convict it of nothing."""
    evidence = Evidence(MARGIN)
    for _ in range(50):
        evidence.add(True, [])
    assert evidence.value <= 1


def test_an_absolute_margin_is_compared_with_nobody() -> None:
    """What is not compared may go wrong as often as the margin says, whatever the other does."""
    good, bad = Evidence(0.05, compared=False), Evidence(0.05, compared=False)
    for number in range(400):
        good.add(number % 25 == 0, [True] * 9)
        bad.add(number % 4 == 0, [True] * 9)
    assert good.value < 1
    assert bad.value > ENOUGH
