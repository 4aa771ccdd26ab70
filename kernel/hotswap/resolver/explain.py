"""Why there is no solution, in sentences: causes stay data until here.

A refusal's core holds the lines that cannot be true together. The subject is the plugin most of them speak of; a chain
leads from what the user enabled to each thing said about it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from attrs import frozen
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import (
    DependencyConflict,
    DependencyCycle,
    DependencyMissing,
    HotswapError,
    PluginNotFound,
    PortUnfilled,
    PortUnknown,
)
from hotswap.resolver.index import Index
from hotswap.resolver.model import Origin, Refusal, Request
from hotswap.resolver.suggestion import suggest

_LINES = 12


@frozen
class _Line:
    """One sentence: the same thing said by one or several versions of a plugin."""

    kind: str
    plugin: str
    versions: tuple[str, ...]
    target: str
    text: str

    @property
    def about(self) -> str:
        """The plugin or port that something is said of."""
        return self.target if self.kind in {"depends", "optional", "conflicts", "port"} else self.plugin


def explain(request: Request, refusal: Refusal) -> HotswapError:
    """Return the error that says why ``request`` has no solution."""
    if refusal.gave_up:
        chain = "the search for a solution was given up: too many versions conflict with each other"
        return DependencyConflict(", ".join(sorted(request.wanted)), [chain])
    return _Explanation(request, refusal).error()


class _Explanation:
    def __init__(self, request: Request, refusal: Refusal) -> None:
        self._request = request
        self._core = refusal.core
        self._index = Index(request)
        self._lines = _merged(refusal.core)

    def error(self) -> HotswapError:
        """Return the error class that fits the core, filled in."""
        loops = [each for each in self._core if each.kind == "loop"]
        if loops:
            return DependencyCycle(min((each.cycle for each in loops), key=lambda each: (len(each), each)))
        wanted = [each for each in self._lines if each.kind == "wanted"]
        if len(self._lines) == 1 and wanted:
            return self._nothing_in_range(wanted[0])
        return self._unknown_port() or self._missing() or self._conflict()

    def _nothing_in_range(self, line: _Line) -> HotswapError:
        plugin = line.plugin
        found = self._found(plugin)
        if plugin in self._request.excluded:
            return self._conflict()
        if not found:
            return PluginNotFound(plugin, self._request.versions)
        error = PluginNotFound(f"{plugin} {line.text}".strip(), self._request.versions)
        error.hint = suggest(self._request, self._core) or f"Versions of {plugin} that were found: {', '.join(found)}."
        return error

    def _unknown_port(self) -> HotswapError | None:
        """Return the error for an enabled plugin whose every version in range names a port this host does not have."""
        subjects = {each.about for each in self._lines}
        unknown = [each for each in self._core if each.kind == "unusable" and each.target]
        if len(subjects) != 1 or not unknown:
            return None
        first = unknown[0]
        return PortUnknown(first.target, self._request.ports, where=f"{first.plugin} {first.version} {_verb(first)} it")

    def _missing(self) -> HotswapError | None:
        """Return the error for something asked for of which the catalog has no version at all."""
        gaps = [each for each in self._lines if self._is_gap(each)]
        meetings = [each for each in self._lines if each.kind in {"unusable", "optional", "conflicts"}]
        if not gaps or meetings or any(len(self._about(each.about)) > 1 for each in self._lines):
            return None
        line = gaps[0]
        path = [_named(each) for each in self._path(line.plugin) if each.kind != "wanted"]
        chain = (*path, f"{line.plugin} {line.versions[0]}")
        if line.kind == "port":
            why = f"{' -> '.join((*chain, line.target))}"
            return PortUnfilled(line.target, why=why)
        requirement = f"{line.target} {line.text}".strip()
        return DependencyMissing(requirement, chain, self._request.versions)

    def _is_gap(self, line: _Line) -> bool:
        if line.kind == "port":
            return not any(each != line.plugin for each in self._index.providers(line.target))
        return line.kind == "depends" and not self._request.versions.get(line.target)

    def _conflict(self) -> HotswapError:
        subject = min({each.about for each in self._lines}, key=self._weight)
        chains: list[str] = []
        shown: set[_Line] = set()
        for line in self._about(subject):
            path = [*self._path(line.plugin), line] if line.kind != "unusable" and line.kind != "wanted" else [line]
            shown.update(path)
            chains.append(" -> ".join(_sentence(each) for each in path))
        chains += [_sentence(each) for each in self._lines if each not in shown]
        chains += self._what_there_is(subject)
        if len(chains) > _LINES:
            chains = [*chains[:_LINES], f"and {len(chains) - _LINES} more"]
        return DependencyConflict(subject, chains, suggest(self._request, self._core))

    def _weight(self, subject: str) -> tuple[int, bool, str]:
        """Sort by: most is said of it; nothing is in a range asked for; id."""
        return (-len(self._about(subject)), not any(self._is_empty(each) for each in self._about(subject)), subject)

    def _is_empty(self, line: _Line) -> bool:
        if line.kind == "port":
            return bool(self._excluded(line))
        family = self._index.family(line.target)
        return line.kind == "depends" and (family is None or not family.allowed(SpecifierSet(line.text)))

    def _excluded(self, line: _Line) -> list[str]:
        """Return the excluded plugins that a line could mean."""
        return [each for each in self._targets(line) if each in self._request.excluded]

    def _what_there_is(self, subject: str) -> Iterator[str]:
        excluded = dict.fromkeys(each for line in self._about(subject) for each in self._excluded(line))
        yield from (f"{each} is excluded" for each in excluded)
        if not excluded and len(self._about(subject)) == 1 and self._found(subject):
            yield f"{subject} was found as {', '.join(self._found(subject))} only"

    def _about(self, subject: str) -> list[_Line]:
        return [each for each in self._lines if each.about == subject]

    def _found(self, plugin: str) -> list[str]:
        return [str(each) for each in sorted({each.version for each in self._request.versions.get(plugin, ())})]

    def _path(self, plugin: str) -> list[_Line]:
        """Return the lines that lead from what the user enabled to ``plugin``."""
        start = [each for each in self._lines if each.kind == "wanted"]
        queue = deque((each.plugin, [each]) for each in start)
        seen = {each.plugin for each in start}
        while queue:
            here, path = queue.popleft()
            if here == plugin:
                return path
            for line in self._lines:
                if line.plugin == here and line.kind in {"depends", "port"}:
                    for target in self._targets(line):
                        if target not in seen:
                            seen.add(target)
                            queue.append((target, [*path, line]))
        return []

    def _targets(self, line: _Line) -> Iterable[str]:
        return self._index.providers(line.target) if line.kind == "port" else (line.target or line.plugin,)


def _merged(core: Iterable[Origin]) -> list[_Line]:
    """Return the lines of ``core``, one for all versions of a plugin that say the same; what is wanted first."""
    groups: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for each in core:
        groups.setdefault((each.kind, each.plugin, each.target, each.text), {})[each.version] = None
    lines = [
        _Line(kind, plugin, tuple(sorted(seen, key=lambda each: Version(each or "0"))), target, text)
        for (kind, plugin, target, text), seen in groups.items()
    ]
    return sorted(lines, key=lambda each: (each.kind != "wanted", each.plugin, each.kind, each.target, each.text))


def _named(line: _Line) -> str:
    return f"{line.plugin} {', '.join(line.versions)}".strip()


def _verb(origin: Origin) -> str:
    return origin.text.partition(" ")[0]


def _sentence(line: _Line) -> str:
    name = _named(line)
    target = f"{line.target} {line.text}".strip()
    if line.kind == "wanted":
        return f"you enabled {line.plugin} {line.text}".strip()
    if line.kind == "unusable":
        return f"{name} {line.text}"
    verb = {"depends": "requires", "optional": "works only with", "conflicts": "conflicts with"}
    return (
        f"{name} requires a provider of {line.target}" if line.kind == "port" else f"{name} {verb[line.kind]} {target}"
    )
