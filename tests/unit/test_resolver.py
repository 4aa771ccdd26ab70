"""The resolver's paths one by one: what each is for, and that it is taken."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from attrs import evolve
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import DependencyConflict
from hotswap.manifest import Dependency, HostRange, Manifest, Provide, Require
from hotswap.resolver import Refusal, Request, Solution, decide, matching, resolve, solving, verify
from hotswap.resolver.graph import circle, components
from hotswap.resolver.greedy import Greedy, newest
from hotswap.resolver.index import Index
from hotswap.resolver.provider import solve
from tests.benchmarks.resolving import easy, hard


def _manifest(plugin: str, version: str = "1.0.0", *depends: str, **more: object) -> Manifest:
    return Manifest(  # type: ignore[arg-type]
        id=plugin,
        name=plugin,
        version=Version(version),
        raw_version=version,
        type="utility",
        host=HostRange(Version("0.1.0")),
        dependencies=tuple(Dependency(each) for each in depends),
        **more,
    )


def _request(*manifests: Manifest, wanted: str) -> Request:
    catalog: dict[str, list[Manifest]] = {}
    for each in manifests:
        catalog.setdefault(each.id, []).append(each)
    return Request(
        versions=catalog,
        wanted={each: SpecifierSet() for each in wanted.split()},
        ports={"storage": Version("1.0")},
        hosts={"hotswap": Version("0.1.0")},
        python=Version("3.11.7"),
        distributions={}.get,
    )


def _beside(first: Request, second: Request) -> Request:
    """Return a request for both, the ids of the second kept apart."""
    moved = {
        f"other-{plugin}": [
            evolve(
                each,
                id=f"other-{plugin}",
                dependencies=tuple(evolve(d, id=f"other-{d.id}") for d in each.dependencies),
            )
            for each in manifests
        ]
        for plugin, manifests in second.versions.items()
    }
    versions = {**first.versions, **moved}
    return evolve(first, versions=versions, wanted={each: SpecifierSet() for each in versions})


def test_where_the_newest_go_together_nothing_is_searched() -> None:
    """An easy set is answered by the newest of everything, verified."""
    request = easy(60)
    guess = newest(Index(request))
    assert guess is not None
    assert resolve(request).versions().keys() == guess.keys()
    assert {each.version.major for each in guess.values()} == {5}


@pytest.mark.parametrize("seed", range(5))
def test_hard_sets_are_solved(seed: int) -> None:
    """A planted solution among 120 plugins is found, or another one that holds as well."""
    request = hard(120, seed)
    assert verify(request, resolve(request).versions()) == []


def test_resolvelib_solves_what_greed_cannot() -> None:
    """On hard sets of thirty resolvelib alone comes to answers that are verified."""
    found = [solving._from_resolvelib(Index(hard(30, seed)), Greedy(Index(hard(30, seed))).run()) for seed in range(4)]
    assert any(isinstance(each, Solution) for each in found)


def test_trouble_is_narrowed_to_where_it_is() -> None:
    """A hard island among easy plugins is solved with all the others held as they were."""
    request = _beside(easy(300), hard(20, 1))
    attempt = Greedy(Index(request)).run()
    assert not attempt.complete
    assert all(each.startswith("other-") for each in attempt.troubled)
    fixed = next(iter(solving._narrowed(attempt)))
    assert len(fixed) >= 300
    chosen = solve(Index(request), fixed)
    assert chosen is not None
    assert fixed.items() <= chosen.items()
    assert verify(request, resolve(request).versions()) == []


def test_resolvelib_is_spared_what_it_cannot_end() -> None:
    """More subjects than its rounds could pin are not given to it."""
    assert solve(Index(easy(400)), {}) is None


def test_what_is_fixed_and_out_of_range_is_no_solution() -> None:
    """A plugin that is held where a range excludes it leads to nothing, not to a solution that breaks the range."""
    old, new = _manifest("b", "1.0.0"), _manifest("b", "2.0.0")
    asker = evolve(_manifest("a"), dependencies=(Dependency("b", SpecifierSet(">=2")),))
    request = _request(asker, old, new, wanted="a")
    assert solve(Index(request), {"b": old}) is None
    assert solve(Index(request), {"b": new}) == {"a": asker, "b": new}


def test_what_was_chosen_before_is_kept() -> None:
    """The previous solution is preferred to newer versions, and a new wish is solved beside it."""
    request = _request(_manifest("a"), _manifest("a", "2.0.0"), _manifest("b", "1.0.0", "a"), wanted="a")
    before = resolve(evolve(request, wanted={"a": SpecifierSet("<2")}))
    after = resolve(evolve(request, wanted={"a": SpecifierSet(), "b": SpecifierSet()}), before)
    assert {each: str(version) for each, version in after.versions().items()} == {"a": "1.0.0", "b": "1.0.0"}


def test_a_search_without_end_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the budget is used up the error says so and names no culprit."""
    versions = [_manifest("b"), _manifest("b", "2.0.0", "a")]
    request = _request(_manifest("a", "1.0.0", "b"), *versions, wanted="a")
    assert isinstance(decide(request), Solution)
    monkeypatch.setattr(solving, "_CONFLICTS", 0)
    assert decide(request) == Refusal((), gave_up=True)
    with pytest.raises(DependencyConflict, match="given up"):
        resolve(request)


def test_long_explanations_are_cut() -> None:
    """A refusal with very many lines shows the first dozen and says how many more there are."""
    asked = [evolve(_manifest(f"a{n}"), dependencies=(Dependency("c", SpecifierSet(f"!={n}.0")),)) for n in range(20)]
    request = _request(*asked, *(_manifest("c", f"{n}.0.0") for n in range(20)), wanted=" ".join(e.id for e in asked))
    with pytest.raises(DependencyConflict, match="and 8 more") as caught:
        resolve(request)
    assert len(caught.value.chains) == 13
    assert caught.value.hint.startswith("Install a version of c that is in all of these ranges, 19.0.1")


def test_verifying_names_what_is_broken() -> None:
    """Each rule that a set of versions breaks is a sentence about the plugin that breaks it."""
    storage = _manifest("s", provides=(Provide("storage", "S", "s"),))
    asker = _manifest("a", "1.0.0", "b", requires=(Require("storage"),), conflicts=(Dependency("x"),))
    request = _request(asker, _manifest("b"), storage, _manifest("x"), wanted="a")
    one = Version("1.0.0")

    def said(**versions: Version) -> set[str]:
        return {str(each) for each in verify(request, versions)}

    assert said(b=one, s=one, a=one) == set()
    assert said(a=one, s=one, b=one) == set()
    assert said(a=one, s=one) == {"a requires b, which is not in it"}
    assert said(b=one, a=one) == {"a requires the port storage, which nothing in it provides"}
    assert said(b=one, s=one, a=one, x=one) == {"a conflicts with x 1.0.0"}
    assert said(b=one) == {"a is enabled and not in it"}
    assert said(b=one, s=one, a=Version("2.0.0")) == {"a 2.0.0 is not there any more", "a is enabled and not in it"}


def test_a_circle_does_not_verify() -> None:
    """Versions that require each other are refused, in whatever order they are given."""
    request = _request(_manifest("a", "1.0.0", "b"), _manifest("b", "1.0.0", "a"), wanted="a")
    versions = {"a": Version("1.0.0"), "b": Version("1.0.0")}
    assert [str(each) for each in verify(request, versions)] == ["plugins require each other: a -> b -> a"]


def test_equal_versions_written_differently_are_one() -> None:
    """1.0 in a lock is the 1.0.0 of a manifest."""
    request = evolve(_request(_manifest("a"), wanted="a"), locked={"a": Version("1.0")})
    assert str(resolve(request).versions()["a"]) == "1.0.0"


def test_answers_of_packaging_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memo of range matches starts anew when it is full, and its answers stay right."""
    monkeypatch.setattr(matching, "_LIMIT", 4)
    matching.forget()
    ranges = [SpecifierSet(f">={n}") for n in range(10)]
    assert [matching.holds(each, Version("5")) for each in ranges] == [n <= 5 for n in range(10)]
    assert len(matching.answers) <= 4


def test_components_come_after_what_they_point_to() -> None:
    """Circles are found whole, in an order in which each points to earlier ones only; unknown ids are left out."""
    edges = {"a": ["b"], "b": ["c", "gone"], "c": ["b", "d"], "d": [], "e": ["e", "a"]}
    assert [set(each) for each in components(edges)] == [{"d"}, {"b", "c"}, {"a"}, {"e"}]
    assert circle({"x": ["c"], "c": ["a"], "a": ["b"], "b": ["c"]}, "x") == ("a", "b", "c")


def test_deep_chains_need_no_deep_stack() -> None:
    """A chain of 3,000 plugins is solved, and one that closes is refused as a circle, without recursion."""
    chain = [_manifest(f"p{n:04}", "1.0.0", *([f"p{n + 1:04}"] if n < 2_999 else [])) for n in range(3_000)]
    assert len(resolve(_request(*chain, wanted="p0000")).plugins) == 3_000
    names = list(range(3_000))
    random.Random(1).shuffle(names)
    graph = {f"p{n:04}": [f"p{(n + 1) % 3_000:04}"] for n in names}
    assert len(components(graph)) == 1


def test_importing_the_resolver_is_cheap() -> None:
    """resolvelib is loaded by the first conflict, explanations by the first error, not by importing the package."""
    code = "import sys, hotswap.resolver, hotswap.lock; print({'resolvelib', 'tomlkit', 'cattrs'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
