"""The resolver against an oracle: every solution holds, every refusal is right, the order of the input is nothing."""

from __future__ import annotations

import random
from itertools import chain, repeat

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotswap.errors import HotswapError
from hotswap.resolver import Request, Solution, decide, resolve
from hotswap.resolver.index import Index
from hotswap.resolver.solving import search
from tests.unit.resolver_oracle import Graphs, broken, possible


def _shuffled(request: Request) -> Request:
    """Return the same request, everything in it the other way round."""
    versions = {plugin: list(request.versions[plugin])[::-1] for plugin in list(request.versions)[::-1]}
    wanted = dict(list(request.wanted.items())[::-1])
    return evolve(request, versions=versions, wanted=wanted)


def _check(request: Request) -> bool:
    answer = decide(request)
    right = possible(request)
    assert isinstance(answer, Solution) == right, (request, answer)
    if isinstance(answer, Solution):
        assert not broken(request, answer), (request, answer)
    assert decide(_shuffled(request)) == answer
    return right


@pytest.mark.timeout(300)
@settings(max_examples=10_000, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(min_size=40, max_size=160))
def test_ten_thousand_small_graphs_are_answered_as_the_oracle_does(data: bytes) -> None:
    """No solution breaks a rule, no refusal is wrong, and shuffled input gives the same answer: 10,000 examples."""
    _check(Graphs(chain(data, repeat(0)).__next__).request())


def test_random_graphs_are_answered_as_the_oracle_does() -> None:
    """2,000 graphs from a plain random source, where nearly every shape is a rare one: half solvable, half not."""
    source = random.Random(20)
    verdicts = [_check(Graphs(lambda: source.randrange(256)).request()) for _ in range(2_000)]
    assert 400 < sum(verdicts) < 1_600


def test_the_complete_search_alone_is_right() -> None:
    """With no fast path before it the search gives the oracle's verdict, circles included."""
    source = random.Random(7)
    for _ in range(1_000):
        request = Graphs(lambda: source.randrange(256)).request()
        answer = search(Index(request))
        assert isinstance(answer, Solution) == possible(request)
        assert not isinstance(answer, Solution) or not broken(request, answer)


def test_every_refusal_can_be_explained() -> None:
    """Whatever cannot be solved ends in an error with a code, a sentence and a hint."""
    source = random.Random(11)
    refused = 0
    for _ in range(600):
        request = Graphs(lambda: source.randrange(256)).request()
        if not isinstance(decide(request), Solution):
            refused += 1
            with pytest.raises(HotswapError) as caught:
                resolve(request)
            assert str(caught.value)
            assert caught.value.hint
    assert refused > 100


def test_what_was_solved_verifies_as_a_lock_and_stays() -> None:
    """A solution given back as the lock is found to hold and comes out again unchanged, start order included."""
    source = random.Random(3)
    for _ in range(600):
        request = Graphs(lambda: source.randrange(256)).request()
        answer = decide(request)
        if isinstance(answer, Solution):
            again = decide(evolve(request, locked=answer.versions()))
            assert isinstance(again, Solution)
            assert again.versions() == answer.versions()
