"""Changes solved by what they reach: where that gives an answer, it is the one that solving anew would give."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import chain, repeat

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from hotswap.resolver import Request, Solution, decide, verify
from hotswap.resolver.known import Known
from hotswap.resolver.local import Change, step
from tests.unit.resolver_oracle import RANGES, Graphs, broken


def _with_dependants(request: Request, solution: Solution, plugin: str) -> set[str]:
    """Return a plugin and those that require it by id, at any distance."""
    versions = solution.versions()
    found = {plugin}
    while True:
        more = {
            each
            for each, version in versions.items()
            for manifest in request.versions[each]
            if manifest.version == version
            for dependency in manifest.dependencies
            if dependency.id in found and not dependency.optional
        } - found
        if not more:
            return found
        found |= more


class Course:
    """A solution that is changed over and over, locally where that can be."""

    def __init__(self, request: Request, take: Callable[[], int]) -> None:
        self.request = evolve(request, locked={}, active={})
        self.take = take
        self.told: Counter[str] = Counter()

    def run(self, changes: int) -> None:
        """Solve, then change."""
        found = decide(self.request)
        if not isinstance(found, Solution):
            return
        known = Known.of(self.request, found)
        for _ in range(changes):
            kind, wish, only, change = self._next(found)
            for_now = evolve(wish, excluded=only, active=found.versions())
            after = decide(for_now, found)
            move = step(known, for_now, change) if known is not None else None
            if isinstance(after, Solution):
                self.told[f"{kind} {'locally' if move else 'anew'}"] += 1
            if move is not None and known is not None:
                what = (for_now, found, change, move.after, after)
                assert isinstance(after, Solution), what
                assert move.after.versions() == dict(move.after.versions()) and after.versions() == {
                    each: move.after.versions().get(each) for each in after.versions()
                }, what
                assert len(after.plugins) == len(move.after.plugins), what
                assert not broken(for_now, move.after), (broken(for_now, move.after), what)
                assert not verify(for_now, move.after.versions())
                known.move(move)
                found, self.request = move.after, wish
                self._check(known)
            elif isinstance(after, Solution):
                found, self.request = after, wish
                known = Known.of(wish, found)

    def _check(self, known: Known) -> None:
        """What moved along is what would be read anew."""
        again = Known.of(self.request, known.solution)
        assert again is not None
        for table, other in (
            (known.naming, again.naming), (known.asking, again.asking), (known.providing, again.providing),
            (known.offering, again.offering),
        ):  # fmt: skip
            assert {key: each for key, each in table.items() if each} == other
        assert known.wanted == again.wanted
        assert known.chosen == again.chosen
        assert known.manifests == again.manifests

    def _next(self, found: Solution) -> tuple[str, Request, frozenset[str], Change]:
        """Return the next change: its kind, what is asked for then, what may not be used for now, and the difference."""
        request, take = self.request, self.take
        ids = [*request.versions]
        plugin = ids[take() % len(ids)]
        kind = ("enable", "disable", "select", "upgrade", "drop")[take() % 5]
        if kind in ("enable", "upgrade"):
            specifier = SpecifierSet("" if kind == "enable" else RANGES[take() % len(RANGES)])
            wish = evolve(
                request, wanted={**request.wanted, plugin: specifier}, excluded=request.excluded - {plugin}
            )
            return kind, wish, wish.excluded, Change(want={plugin: specifier})
        if kind == "disable":
            gone = _with_dependants(request, found, plugin)
            wish = evolve(
                request, wanted={each: of for each, of in request.wanted.items() if each not in gone},
                excluded=request.excluded | gone,
            )  # fmt: skip
            only = frozenset(request.versions.keys() - (found.versions().keys() - gone))
            return kind, wish, only | wish.excluded, Change(close=gone)
        if kind == "select":
            names = tuple(ids[take() % len(ids)] for _ in range(take() % 3))
            wish = evolve(request, selected={"storage": names} if names else {})
            return kind, wish, wish.excluded, Change()
        wish = evolve(request, wanted={each: of for each, of in request.wanted.items() if each != plugin})
        return kind, wish, wish.excluded, Change(drop=[plugin] if plugin in request.wanted else [])


def _told(source: Callable[[], int], changes: int = 8) -> Counter[str]:
    course = Course(Graphs(source).request(), source)
    course.run(changes)
    return course.told


@pytest.mark.timeout(300)
@settings(max_examples=3_000, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.binary(min_size=40, max_size=240))
def test_a_change_is_solved_locally_as_it_would_be_anew(data: bytes) -> None:
    """Every local answer holds by all rules, has the plugins and versions of a full one, and is stable in turn."""
    _told(chain(data, repeat(0)).__next__)


def test_most_changes_are_solved_locally() -> None:
    """Of changes to random graphs, in which nearly every shape is a rare one, many need no solving."""
    source = random.Random(5)
    told: Counter[str] = Counter()
    for _ in range(2_000):
        told += _told(lambda: source.randrange(256))
    for kind in ("enable", "disable", "select", "upgrade", "drop"):
        assert told[f"{kind} locally"] > 2 * told[f"{kind} anew"], told
