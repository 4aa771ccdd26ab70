"""The rules of the resolver a second time, in code of their own: as clauses for a SAT solver, and as plain checks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pysat.solvers import Solver

from hotswap.manifest import Dependency, HostRange, Manifest, Provide, PythonCode, Require
from hotswap.resolver import Request, Solution

VERSIONS = ("1.0.0", "2.0.0", "3.0.0rc1", "3.0.0")
RANGES = ("", ">=1", ">=2", "<2", "==1.0.0", ">=2,<3", "!=2.0.0", ">=3", ">=4", "<3")
PORTS = {"storage": Version("1.2"), "search": Version("2.0")}


class Graphs:
    """Small requests made from a source of bytes; zeros make the smallest ones."""

    def __init__(self, take: Callable[[], int]) -> None:
        self._take = take

    def request(self) -> Request:
        """Return the next request: 2 to 6 plugins, circles and all."""
        ids = [f"p{number}" for number in range(2 + self._take() % 5)]
        versions = {each: self._manifests(each, ids) for each in ids if self._take() % 24 != 23}
        wanted = {ids[self._take() % len(ids)]: self._range() for _ in range(1 + self._take() % 3)}
        some = [each for each in ids if self._take() % 8 == 7]
        pairs = {each: Version(VERSIONS[self._take() % 4]) for each in ids if self._take() % 5 == 4}
        return Request(
            versions=versions,
            wanted=wanted,
            ports=PORTS,
            hosts={"hotswap": Version("1.0.0")},
            python=Version("3.11.7"),
            distributions={"there": Version("2.0")}.get,
            selected={"storage": tuple(ids[self._take() % len(ids)] for _ in range(self._take() % 3))},
            locked=pairs if self._take() % 2 else {},
            active=pairs if self._take() % 2 else {},
            excluded=frozenset(some[:1] if self._take() % 2 else ()),
        )

    def _manifests(self, plugin: str, ids: list[str]) -> list[Manifest]:
        count = 1 + self._take() % 3
        return [self._manifest(plugin, each, ids) for each in VERSIONS[:count]]

    def _range(self) -> SpecifierSet:
        take = self._take()
        return SpecifierSet("" if take < 128 else RANGES[take % len(RANGES)])

    def _manifest(self, plugin: str, version: str, ids: list[str]) -> Manifest:
        shape, luck = self._take(), self._take()
        others = [each for each in ids if each != plugin or shape == 255]
        depends = [
            Dependency(others[self._take() % len(others)], self._range(), optional=self._take() % 4 == 3)
            for _ in range(shape % 4 % 3 if others else 0)
        ]
        conflicts = [Dependency(ids[self._take() % len(ids)], self._range()) for _ in range(shape // 4 % 16 == 7)]
        return Manifest(
            id=plugin,
            name=plugin,
            version=Version(version),
            raw_version=version,
            type="utility",
            host=HostRange(Version("2.0.0" if luck % 16 == 15 else "0.1.0")),
            python=PythonCode("m", dependencies=("missing>=1",)) if luck % 16 == 14 else PythonCode("m"),
            dependencies=tuple(depends),
            conflicts=tuple(conflicts),
            provides=self._provides(plugin),
            requires=self._requires(),
        )

    def _port(self) -> str:
        take = self._take()
        return "nowhere" if take == 255 else ("storage", "search")[take % 2]

    def _provides(self, plugin: str) -> tuple[Provide, ...]:
        return (Provide(self._port(), "Class", plugin),) if self._take() % 3 == 2 else ()

    def _requires(self) -> tuple[Require, ...]:
        take = self._take()
        specifier = SpecifierSet(("", ">=1", "<2")[take // 4 % 3])
        return (Require(self._port(), specifier, optional=take > 200),) if take % 4 == 2 else ()


def usable(request: Request, manifest: Manifest) -> bool:
    """Return whether rule 2 holds: what the graphs above can break of it."""
    if manifest.host.min_version > request.hosts["hotswap"]:
        return False
    if manifest.python is not None and "missing>=1" in manifest.python.dependencies:
        return False
    if any(each.port not in request.ports for each in manifest.provides):
        return False
    needed = [each for each in manifest.requires if not each.optional]
    return all(each.port in request.ports and request.ports[each.port] in each.specifier for each in needed)


def _within(specifier: SpecifierSet, version: Version) -> bool:
    return bool(specifier.contains(version, prereleases=True))


def possible(request: Request) -> bool:
    """Return whether a solution exists, says a SAT solver: one variable a version, one for each "a starts before b"."""
    variables: dict[tuple[str, ...], int] = {}

    def var(*key: str) -> int:
        return variables.setdefault(key, len(variables) + 1)

    pool = [each for manifests in request.versions.values() for each in manifests]
    there = [each for each in pool if usable(request, each) and each.id not in request.excluded]
    clauses = [
        [-var("in", a.id, str(a.version)), -var("in", b.id, str(b.version))]
        for a in there for b in there if a.id == b.id and a.version < b.version
    ]  # fmt: skip

    def options(plugin: str, specifier: SpecifierSet) -> list[int]:
        return [var("in", plugin, str(e.version)) for e in there if e.id == plugin and _within(specifier, e.version)]

    clauses += [options(plugin, specifier) for plugin, specifier in request.wanted.items()]
    for each in there:
        own = var("in", each.id, str(each.version))
        for dependency in each.dependencies:
            if not dependency.optional:
                clauses.append([-own, *options(dependency.id, dependency.specifier)])
                clauses.append([-own, var("before", dependency.id, each.id)])
            elif dependency.id != each.id:
                good = options(dependency.id, dependency.specifier)
                clauses += [[-own, -v] for v in options(dependency.id, SpecifierSet()) if v not in good]
        for conflict in each.conflicts:
            if conflict.id != each.id:
                clauses += [[-own, -v] for v in options(conflict.id, conflict.specifier)]
        for require in each.requires:
            if not require.optional:
                fillers = []
                for other in there:
                    if other.id != each.id and any(p.port == require.port for p in other.provides):
                        filler = var("fills", other.id, str(other.version), each.id)
                        clauses.append([-filler, var("in", other.id, str(other.version))])
                        clauses.append([-filler, var("before", other.id, each.id)])
                        fillers.append(filler)
                clauses.append([-own, *fillers])
    ids = sorted({each.id for each in there} | {key[1] for key in variables if key[0] == "before"})
    clauses += [[-var("before", a, a)] for a in ids]
    clauses += [[-var("before", a, b), -var("before", b, a)] for a, b in permutations(ids, 2)]
    clauses += [
        [-var("before", a, b), -var("before", b, c), var("before", a, c)] for a, b, c in permutations(ids, 3)
    ]  # fmt: skip
    if not all(clauses):
        return False
    with Solver("m22", bootstrap_with=clauses) as solver:
        return bool(solver.solve())


def broken(request: Request, solution: Solution) -> list[str]:
    """Return what is wrong with a solution by the rules of the resolver."""
    versions = solution.versions()
    place = {each.id: position for position, each in enumerate(solution.plugins)}
    chosen = {
        each.id: next(m for m in request.versions[each.id] if m.version == each.version) for each in solution.plugins
    }
    wrong = [
        f"{p} is not in range" for p, s in request.wanted.items() if p not in versions or not _within(s, versions[p])
    ]
    wrong += [f"{p} is excluded" for p in request.excluded if p in versions]
    needed = set(request.wanted)
    for each in reversed(solution.plugins):
        manifest = chosen[each.id]
        if not usable(request, manifest):
            wrong.append(f"{each.id} is not usable")
        if each.id not in needed:
            wrong.append(f"{each.id} is not needed")
        for dependency in manifest.dependencies:
            version = versions.get(dependency.id)
            if version is None:
                wrong += [] if dependency.optional else [f"{each.id} lacks {dependency.id}"]
            elif not _within(dependency.specifier, version) and not (dependency.optional and dependency.id == each.id):
                wrong.append(f"{each.id} needs another {dependency.id}")
            elif not dependency.optional:
                needed.add(dependency.id)
                if place[dependency.id] >= place[each.id]:
                    wrong.append(f"{each.id} starts before {dependency.id}")
        for conflict in manifest.conflicts:
            if (
                conflict.id != each.id
                and conflict.id in versions
                and _within(conflict.specifier, versions[conflict.id])
            ):
                wrong.append(f"{each.id} conflicts with {conflict.id}")
        for require in manifest.requires:
            filler = each.ports[require.port]
            fits = request.ports.get(require.port) in require.specifier if require.port in request.ports else False
            able = [i for i, m in chosen.items() if i != each.id and any(p.port == require.port for p in m.provides)]
            if filler is None:
                wrong += [f"{each.id} lacks {require.port}"] if not require.optional or (able and fits) else []
            elif filler not in able:
                wrong.append(f"{each.id} has {require.port} from {filler}")
            elif not require.optional:
                needed.add(filler)
                if place[filler] >= place[each.id]:
                    wrong.append(f"{each.id} starts before {filler}")
    return wrong
