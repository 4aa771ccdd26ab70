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

from hotswap.resolver import Change, Request, Solution, decide, verify
from hotswap.resolver.known import Known
from hotswap.resolver.local import step
from tests.unit.resolver_oracle import RANGES, Graphs, broken

KINDS = ("enable", "disable", "select", "upgrade", "drop", "both", "renew")


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
                assert after.versions() == move.after.versions(), what
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
        """Return the next change: its kind, what is asked for, what may not be used for now, and the difference."""
        request, plugin = self.request, self._any()
        kind = KINDS[self.take() % len(KINDS)]
        if kind in ("enable", "upgrade"):
            change = self._enabled(plugin, kind == "upgrade")
        elif kind == "disable":
            change = Change(close=_with_dependants(request, found, plugin))
        elif kind == "both":
            gone = _with_dependants(request, found, plugin)
            other = self._any()
            change = evolve(self._enabled(other, False), close=gone) if other not in gone else Change(close=gone)
        elif kind == "drop":
            change = Change(drop=[plugin] if plugin in request.wanted else [])
        elif kind == "renew":
            there = [each.id for each in found.plugins] * 4
            change = Change(anew=[[*there, plugin][self.take() % (len(there) + 1)]])
        else:
            change = Change()
        wish = self._wish(kind, change)
        if kind != "disable":
            return kind, wish, wish.excluded, change
        only = request.versions.keys() - (found.versions().keys() - set(change.close))
        return kind, wish, wish.excluded | only, change

    def _any(self) -> str:
        ids = [*self.request.versions]
        return ids[self.take() % len(ids)]

    def _enabled(self, plugin: str, other: bool) -> Change:
        return Change(want={plugin: SpecifierSet(RANGES[self.take() % len(RANGES)] if other else "")})

    def _wish(self, kind: str, change: Change) -> Request:
        """Return what is asked for after a change."""
        request = self.request
        kept = {each: of for each, of in request.wanted.items() if each not in {*change.drop, *change.close}}
        excluded = (request.excluded | {*change.close}) - change.want.keys()
        wish = evolve(request, wanted={**kept, **change.want}, excluded=excluded)
        if kind == "select":
            names = tuple(self._any() for _ in range(self.take() % 3))
            return evolve(wish, selected={"storage": names} if names else {})
        if kind == "renew" and change.anew:
            (plugin,) = change.anew
            graphs = Graphs(self.take)
            manifests = [graphs._manifest(plugin, str(each.version), [*request.versions])
                         for each in request.versions[plugin]]  # fmt: skip
            return evolve(wish, versions={**request.versions, plugin: manifests[self.take() % 2 :] or manifests})
        return wish


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
    for _ in range(5_000):
        told += _told(lambda: source.randrange(256))
    for kind in ("enable", "disable", "select", "upgrade", "drop", "both"):
        assert told[f"{kind} locally"] > 4 * told[f"{kind} anew"], told
    assert told["renew locally"] > 100, told  # few of the manifests drawn provide what the one before did
