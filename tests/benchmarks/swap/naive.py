"""What one writes first: every manifest read, everything solved, imported and wired by the obvious library for each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import cattrs
from attrs import field, frozen
from dependency_injector import containers, providers
from packaging.requirements import Requirement
from packaging.version import Version
from resolvelib import AbstractProvider, BaseReporter, Resolver


@frozen
class Manifest:
    """What is needed of a manifest."""

    id: str
    version: str
    provides: Mapping[str, str]
    requires: Mapping[str, str] = field(factory=dict)
    dependencies: Mapping[str, str] = field(factory=dict)


class Provider(AbstractProvider[Requirement, Manifest, str]):
    """The five methods that resolvelib asks for, https://resolvelib.readthedocs.io/en/stable/ written straight down."""

    def __init__(self, manifests: Mapping[str, Manifest]) -> None:
        self._manifests = manifests

    def identify(self, requirement_or_candidate: Requirement | Manifest) -> str:
        """Return the id."""
        both = requirement_or_candidate
        return both.name if isinstance(both, Requirement) else both.id

    def get_preference(
        self, identifier: str, resolutions: Any, candidates: Any, information: Any, backtrack_causes: Any
    ) -> int:
        """Return how many candidates there are."""
        return sum(1 for _ in candidates[identifier])

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Manifest]],
    ) -> Sequence[Manifest]:
        """Return the one there is."""
        found = self._manifests[identifier]
        bad = {each.version for each in incompatibilities[identifier]}
        fits = all(Version(found.version) in each.specifier for each in requirements[identifier])
        return [found] if fits and found.version not in bad else []

    def is_satisfied_by(self, requirement: Requirement, candidate: Manifest) -> bool:
        """Compare the version."""
        return Version(candidate.version) in requirement.specifier

    def get_dependencies(self, candidate: Manifest) -> Iterable[Requirement]:
        """Return what it depends on."""
        return [Requirement(f"{name} {range_}") for name, range_ in candidate.dependencies.items()]


def boot(folder: Path, plugins: int) -> list[object]:
    """Read, solve, import and wire; return what was constructed."""
    documents = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/plugin.toml"))]
    manifests = [cattrs.structure(each["plugin"], Manifest) for each in documents]
    by_id = {each.id: each for each in manifests}
    result = Resolver(Provider(by_id), BaseReporter()).resolve(
        [Requirement(each.id) for each in manifests], 10 * plugins
    )
    container = containers.DynamicContainer()
    first: dict[str, Any] = {}
    solved = sorted(result.mapping, key=lambda each: int(each.rpartition("-")[2]))
    for each in solved:
        manifest = by_id[each]
        module = import_module(each.replace("-", "_"))
        for port, name in manifest.provides.items():
            needs = {f"p{need.rpartition('_')[2]}": first[need] for need in manifest.requires}
            made = providers.Singleton(getattr(module, name), **needs)
            setattr(container, each.replace("-", "_"), made)
            first.setdefault(port, made)
    return [made() for made in container.providers.values()]
