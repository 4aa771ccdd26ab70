"""The rules of one request as clauses, each with the line it comes from.

A variable (from 1) stands for one candidate. A clause is a tuple of literals of which one must be true; ``-v`` says
that candidate ``v`` is not in the solution. Positive literals stand in order of preference. That no two versions of a
plugin meet is given by ``siblings`` and not spelled out. Only what can be reached from what is wanted is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotswap.manifest.model import Manifest
from hotswap.resolver.index import Family, Index
from hotswap.resolver.model import Origin
from hotswap.resolver.order import arrange
from hotswap.resolver.usability import obstacles

Clause = tuple[int, ...]


class Formula:
    """Clauses over the candidates of one request."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.clauses: list[Clause] = []
        self.origins: list[Origin] = []
        self.candidates: list[tuple[Family, int]] = []
        """Variable ``v`` is ``candidates[v - 1]``."""
        self.siblings: list[tuple[int, ...]] = [()]
        self.needs: list[list[int]] = [[]]
        """Variable -> clauses that it makes a choice necessary in."""
        self.wanted: list[int] = []
        """Clauses that ask for a choice from the beginning."""
        self.favoured: dict[int, int] = {}
        """Clause of a port -> how many of its positive literals are providers selected in the settings."""
        self._first: dict[str, int] = {}
        self._open: list[str] = []
        self._read()

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.candidates)

    def _read(self) -> None:
        request = self._index.request
        for plugin, specifier in sorted(request.wanted.items()):
            clause = self._range(plugin, specifier=specifier)
            self.wanted.append(self._add(clause, Origin("wanted", plugin, text=str(specifier))))
        while self._open:
            plugin = self._open.pop()
            family = self._index.family(plugin)
            if family is not None:
                for position, manifest in enumerate(family.candidates):
                    self._candidate(family, position, manifest)
        self._favour()

    def _add(self, clause: Iterable[int], origin: Origin) -> int:
        self.clauses.append(tuple(clause))
        self.origins.append(origin)
        return len(self.clauses) - 1

    def _variables(self, plugin: str) -> range:
        """Return the variables of a plugin, made now if it was not heard of before."""
        family = self._index.family(plugin)
        if family is None:
            return range(0)
        first = self._first.get(plugin)
        count = len(family.candidates)
        if first is None:
            first = self._first[plugin] = self.size + 1
            own = range(first, first + count)
            self.candidates.extend((family, position) for position in range(count))
            self.siblings.extend(tuple(each for each in own if each != one) for one in own)
            self.needs.extend([] for _ in own)
            self._open.append(plugin)
        return range(first, first + count)

    def _range(self, plugin: str, specifier: object, *, inside: bool = True) -> list[int]:
        variables = self._variables(plugin)
        family = self._index.family(plugin)
        if family is None:
            return []
        mask = family.allowed(specifier)  # type: ignore[arg-type]
        return [each for position, each in enumerate(variables) if bool(mask >> position & 1) == inside]

    def _candidate(self, family: Family, position: int, manifest: Manifest) -> None:
        own = self._first[family.id] + position
        name, version = family.id, str(manifest.version)
        if not family.usable(manifest):
            for each in obstacles(manifest, self._index.request)[:1]:
                self._add((-own,), Origin("unusable", name, version, each.port, each.text))
            return
        for dependency in manifest.dependencies:
            target, text = dependency.id, str(dependency.specifier)
            if not dependency.optional:
                clause = (-own, *self._range(target, dependency.specifier))
                self.needs[own].append(self._add(clause, Origin("depends", name, version, target, text)))
            elif target != name:
                for other in self._range(target, dependency.specifier, inside=False):
                    self._add((-own, -other), Origin("optional", name, version, target, text))
        for conflict in manifest.conflicts:
            if conflict.id != name:
                for other in self._range(conflict.id, conflict.specifier):
                    origin = Origin("conflicts", name, version, conflict.id, str(conflict.specifier))
                    self._add((-own, -other), origin)
        for port in dict.fromkeys(each.port for each in manifest.requires if not each.optional):
            clause = (-own, *self._providers(port, but=name))
            self.needs[own].append(self._add(clause, Origin("port", name, version, port)))

    def _providers(self, port: str, but: str) -> list[int]:
        found: list[int] = []
        for plugin in self._index.providers(port):
            family = self._index.family(plugin)
            if plugin != but and family is not None:
                mask = family.providing(port)
                found += [each for position, each in enumerate(self._variables(plugin)) if mask >> position & 1]
        return found

    def _favour(self) -> None:
        for number, origin in enumerate(self.origins):
            if origin.kind == "port":
                selected = self._index.selected(origin.target)
                if selected:
                    clause = self.clauses[number]
                    self.favoured[number] = sum(v > 0 and self.candidates[v - 1][0].id in selected for v in clause)

    def manifests(self, variables: Iterable[int]) -> dict[str, Manifest]:
        """Return the manifests that ``variables`` stand for, by id."""
        pairs = (self.candidates[each - 1] for each in variables)
        return {family.id: family.candidates[position] for family, position in pairs}

    def circle(self, variables: Iterable[int]) -> int | None:
        """If ``variables`` wait for each other, add the clause that says why they cannot all be; return its number.

        The clause holds in every solution: of those in the circle one must go, or a port that one of them waits for
        must be provided by a candidate from outside the circle.
        """
        true = list(variables)
        chosen = self.manifests(true)
        arrangement = arrange(self._index.request, chosen)
        if not arrangement.stuck:
            return None
        stuck = {each for each in true if self.candidates[each - 1][0].id in arrangement.stuck}
        clause = {-each: None for each in sorted(stuck)}
        for each in sorted(stuck):
            for number in self.needs[each]:
                if self.origins[number].kind == "port" and self._waits(self.clauses[number], chosen, arrangement.stuck):
                    clause.update({v: None for v in self.clauses[number] if v > 0 and v not in stuck})
        return self._add(clause, Origin("loop", arrangement.cycle[0], cycle=arrangement.cycle))

    def _waits(self, clause: Clause, chosen: Mapping[str, Manifest], stuck: tuple[str, ...]) -> bool:
        """Return whether nothing outside the circle provides the port of ``clause`` already."""
        here = (v for v in clause if v > 0 and self._is_chosen(v, chosen))
        return all(self.candidates[v - 1][0].id in stuck for v in here)

    def _is_chosen(self, variable: int, chosen: Mapping[str, Manifest]) -> bool:
        family, position = self.candidates[variable - 1]
        return chosen.get(family.id) is family.candidates[position]
