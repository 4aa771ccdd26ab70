"""The only file that knows resolvelib.

To resolvelib a *subject* is something of which one candidate is chosen: a plugin, or a port somebody requires. A
*candidate* of a plugin is one version, or its absence; a candidate of a port is a plugin that provides it. A
*requirement* is a subject and a bit mask of the candidates allowed. Absence being a candidate, an optional dependency
and a conflict are masks like any other. The *provider* turns candidates into requirements; nothing in it parses or
compares a version.

resolvelib knows no start order, and was seen to answer wrongly in rare cases (1.2.1: a solution that breaks a
requirement, an "impossible" that is none): nothing from here is believed, solutions are verified, refusals confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isqrt
from typing import Any

from resolvelib import AbstractProvider, BaseReporter
from resolvelib.resolvers import Resolution, ResolutionImpossible, ResolutionTooDeep

from hotswap.manifest.model import Manifest
from hotswap.resolver.index import Index

_WORK = 40_000
"""Rounds times subjects: a round looks at every subject, so this is what bounds its time (about 0.1 s).

A round pins one subject, so beyond 200 of them it would not even come to an end, and is left out.
"""

Key = tuple[str, str, str]
"""Of a plugin ("", id, ""); of a port ("port", name, the asker that may not serve itself)."""


class _Candidate:
    __slots__ = ("bit", "key", "manifest", "plugin", "requirements")

    def __init__(self, key: Key, bit: int, plugin: str, manifest: Manifest | None) -> None:
        self.key = key
        self.bit = bit
        self.plugin = plugin
        self.manifest = manifest
        self.requirements: list[_Requirement] | None = None


class _Requirement:
    __slots__ = ("key", "mask")

    def __init__(self, key: Key, mask: int) -> None:
        self.key = key
        self.mask = mask


class _Resolution(Resolution[Any, Any, Any]):
    """resolvelib's own, with lists of incompatibilities that hold each candidate once.

    Left alone ``_patch_criteria`` extends a list by one that it contains already: it doubles with each backjump.
    """

    def _patch_criteria(self, incompatibilities_from_broken: list[tuple[Any, list[Any]]]) -> bool:
        patched = super()._patch_criteria(incompatibilities_from_broken)
        for _, incompatibilities in incompatibilities_from_broken:
            incompatibilities[:] = dict.fromkeys(incompatibilities)
        return patched


def solve(index: Index, fixed: Mapping[str, Manifest]) -> dict[str, Manifest] | None:
    """Return the manifests resolvelib chooses, ``fixed`` among them; None when it finds none in its budget."""
    provider = _Provider(index, fixed)
    start = list(provider.start())
    if not all(each.mask for each in start):
        return None
    size = provider.size(limit=isqrt(_WORK))
    if size > isqrt(_WORK):
        return None
    resolution = _Resolution(provider, BaseReporter())
    rounds = _WORK // max(30, size)
    try:
        state = resolution.resolve(start, max_rounds=rounds)
    except (ResolutionImpossible, ResolutionTooDeep):
        return None
    found = dict(fixed)
    found.update({each.plugin: each.manifest for each in state.mapping.values() if each.manifest is not None})
    return found


class _Provider(AbstractProvider[_Requirement, _Candidate, Key]):
    def __init__(self, index: Index, fixed: Mapping[str, Manifest]) -> None:
        self._index = index
        self._fixed = fixed
        self._candidates: dict[Key, list[_Candidate]] = {}
        self._matches: dict[tuple[Key, int], list[_Candidate]] = {}
        self._blamed: dict[Key, int] = {}

    def start(self) -> Iterator[_Requirement]:
        """Return what is wanted, and what the plugins that stay as they are ask of those that may change."""
        for plugin, specifier in sorted(self._index.request.wanted.items()):
            if plugin not in self._fixed:
                yield self._range(plugin, specifier, absent=False)
        for plugin in sorted(self._fixed):
            yield from self._asked_by(plugin, self._fixed[plugin])

    def size(self, limit: int) -> int:
        """Return how many subjects can be reached; counting ends beyond ``limit``."""
        todo = list(self.start())
        seen: set[Key] = set()
        while todo and len(seen) <= limit:
            key = todo.pop().key
            if key not in seen:
                seen.add(key)
                for candidate in self._all(key):
                    todo.extend(self.get_dependencies(candidate))
        return len(seen)

    def identify(self, requirement_or_candidate: _Requirement | _Candidate) -> Key:
        return requirement_or_candidate.key

    def is_satisfied_by(self, requirement: _Requirement, candidate: _Candidate) -> bool:
        return bool(requirement.mask & candidate.bit)

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[_Requirement]],
        incompatibilities: Mapping[Key, Iterator[_Candidate]],
    ) -> list[_Candidate]:
        mask = -1
        for requirement in requirements[identifier]:
            mask &= requirement.mask
        for candidate in incompatibilities[identifier]:
            mask &= ~candidate.bit
        memo = (identifier, mask)
        found = self._matches.get(memo)
        if found is None:
            found = self._matches[memo] = [each for each in self._all(identifier) if each.bit & mask]
        return found

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Key],
        resolutions: Mapping[Key, _Candidate],
        candidates: Mapping[Key, Iterator[_Candidate]],
        information: Mapping[Key, Iterator[Any]],
        backtrack_causes: Sequence[Any],
    ) -> Iterable[Key]:
        """Take what the last conflict was about first, as pip does: in one pass, not once for each subject."""
        known = list(identifiers)
        if not backtrack_causes:
            return known
        causes = {each.requirement.key for each in backtrack_causes}
        causes.update(each.parent.key for each in backtrack_causes if each.parent is not None)
        for key in causes:
            self._blamed[key] = self._blamed.get(key, 0) + 1
        return [each for each in known if each in causes] or known

    def get_preference(
        self,
        identifier: Key,
        resolutions: Mapping[Key, _Candidate],
        candidates: Mapping[Key, Iterator[_Candidate]],
        information: Mapping[Key, Iterator[Any]],
        backtrack_causes: Sequence[Any],
    ) -> tuple[bool, bool, int, int, Key]:
        """Sort by: asked for before optional, plugins before ports, often in conflict, few candidates left."""
        left = list(candidates[identifier])
        blamed = self._blamed.get(identifier, 0)
        optional = bool(left) and left[0].manifest is None and not identifier[0]
        return (optional, bool(identifier[0]), -(blamed if blamed > 5 else 0), len(left), identifier)

    def get_dependencies(self, candidate: _Candidate) -> list[_Requirement]:
        if candidate.requirements is None:
            candidate.requirements = list(self._requirements(candidate))
        return candidate.requirements

    def _requirements(self, candidate: _Candidate) -> Iterator[_Requirement]:
        if candidate.key[0]:
            family = self._index.family(candidate.plugin)
            mask = family.providing(candidate.key[1]) if family else 0
            yield from self._checked(_Requirement(("", candidate.plugin, ""), mask << 1))
        elif candidate.manifest is not None:
            yield from self._asked_by(candidate.plugin, candidate.manifest)

    def _asked_by(self, plugin: str, manifest: Manifest) -> Iterator[_Requirement]:
        for each in manifest.dependencies:
            if not (each.optional and each.id == plugin):
                yield from self._checked(self._range(each.id, each.specifier, absent=each.optional))
        for conflict in manifest.conflicts:
            if conflict.id != plugin:
                forbidden = self._range(conflict.id, conflict.specifier, absent=False)
                yield from self._checked(_Requirement(forbidden.key, ~forbidden.mask))
        for require in manifest.requires:
            if not require.optional:
                yield _Requirement(("port", require.port, plugin if manifest.provides_port(require.port) else ""), -1)

    def _checked(self, requirement: _Requirement) -> Iterator[_Requirement]:
        """Leave out what a fixed plugin meets already; one that it does not meet can never be met."""
        fixed = self._fixed.get(requirement.key[1])
        if fixed is None:
            yield requirement
        elif not any(each.bit & requirement.mask for each in self._all(requirement.key)):
            yield _Requirement(requirement.key, 0)

    def _range(self, plugin: str, specifier: Any, *, absent: bool) -> _Requirement:
        family = self._index.family(plugin)
        mask = family.allowed(specifier) << 1 if family else 0
        return _Requirement(("", plugin, ""), mask | absent)

    def _all(self, key: Key) -> list[_Candidate]:
        found = self._candidates.get(key)
        if found is None:
            found = self._candidates[key] = list(self._port(key) if key[0] else self._plugin(key))
        return found

    def _plugin(self, key: Key) -> Iterator[_Candidate]:
        plugin = key[1]
        family = self._index.family(plugin)
        fixed = self._fixed.get(plugin)
        if fixed is None:
            yield _Candidate(key, 1, plugin, None)
        for position, manifest in enumerate(family.candidates if family else ()):
            if family and family.usable(manifest) and fixed in (None, manifest):
                yield _Candidate(key, 2 << position, plugin, manifest)

    def _port(self, key: Key) -> Iterator[_Candidate]:
        for number, plugin in enumerate(self._index.providers(key[1])):
            if plugin != key[2] and self._index.family(plugin) is not None:
                yield _Candidate(key, 1 << number, plugin, None)
