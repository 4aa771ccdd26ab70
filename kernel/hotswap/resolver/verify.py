"""Hold a set of versions against every rule, in one pass: a lock that is taken up again, and whatever a solver says.

It shares no step with any solver; it reads the manifests themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from packaging.version import Version

from hotswap.manifest.model import Manifest
from hotswap.resolver.matching import answers, holds
from hotswap.resolver.model import Chosen, Problem, Request, Solution
from hotswap.resolver.order import Arrangement, arrange
from hotswap.resolver.usability import obstacles


def verify(request: Request, versions: Mapping[str, Version]) -> list[Problem]:
    """Return every rule that ``versions`` breaks, in linear time; none when it is a solution of ``request``.

    Cheapest when ``versions`` is in start order, as in a solution or a lock: the order is then checked, not searched.
    """
    chosen, problems = read(request, versions)
    there = {each: manifest.version for each, manifest in chosen.items()}
    problems.extend(_wanted(request, there))
    in_order = _plugins(request, there, chosen, problems)
    if problems or (in_order and _all_needed_by_id(request, chosen)):
        return problems
    arrangement = arrange(request, chosen)
    if arrangement.stuck:
        circle = " -> ".join((*arrangement.cycle, arrangement.cycle[0]))
        return [Problem(arrangement.cycle[0], f"plugins require each other: {circle}")]
    needed = arrangement.needed_by(chosen, request.wanted)
    return [Problem(each, f"{each} is neither enabled nor required") for each in chosen if each not in needed]


def accept(request: Request, chosen: Mapping[str, Manifest]) -> Solution | None:
    """Return the solution that ``chosen`` is once nothing unneeded is in it; None when it breaks a rule."""
    while True:
        versions = {each: manifest.version for each, manifest in chosen.items()}
        problems = list(_wanted(request, versions))
        problems += [Problem(each, f"{each} is excluded") for each in request.excluded.intersection(chosen)]
        _plugins(request, versions, chosen, problems)
        if problems:
            return None
        arrangement = arrange(request, chosen)
        if arrangement.stuck:
            return None
        needed = arrangement.needed_by(chosen, request.wanted)
        if len(needed) == len(chosen):
            return Solution(tuple(_explained(request, chosen, arrangement, needed)))
        chosen = {each: manifest for each, manifest in chosen.items() if each in needed}


def read(request: Request, versions: Mapping[str, Version]) -> tuple[dict[str, Manifest], list[Problem]]:
    """Return the manifests of ``versions``, and what is not there any more or may not be used."""
    chosen: dict[str, Manifest] = {}
    problems = [Problem(each, f"{each} is excluded") for each in sorted(request.excluded.intersection(versions))]
    catalog = request.versions
    for plugin, version in versions.items():
        for manifest in catalog.get(plugin, ()):
            if manifest.version == version:
                chosen[plugin] = manifest
                break
        else:
            problems.append(Problem(plugin, f"{plugin} {version} is not there any more"))
    return chosen, problems


def _wanted(request: Request, versions: Mapping[str, Version]) -> Iterator[Problem]:
    at, remembered = versions.get, answers.get
    for plugin, specifier in request.wanted.items():
        there = at(plugin)
        if there is None:
            yield Problem(plugin, f"{plugin} is enabled and not in it")
            continue
        known = remembered((id(specifier), id(there)))
        if not (known[2] if known is not None else holds(specifier, there)):
            yield Problem(plugin, f"{plugin} is enabled as {specifier}, and another version is in it")


def _plugins(
    request: Request, versions: Mapping[str, Version], chosen: Mapping[str, Manifest], problems: list[Problem]
) -> bool:
    """Add what is wrong with each plugin; return whether each comes after all it requires, found by id alone."""
    started: set[str] = set()
    in_order = True
    offered: dict[str, set[str]] | None = None
    at, remembered = versions.get, answers.get  # the one loop that every start pays for
    for plugin, manifest in chosen.items():
        found = obstacles(manifest, request)
        if found:
            problems += [Problem(plugin, f"{plugin} {manifest.version} {each.text}") for each in found]
        for each in manifest.dependencies:
            target = each.id
            there = at(target)
            known = remembered((id(each.specifier), id(there)))
            if known is not None and known[2] and target in started:
                continue  # as nearly every requirement of a lock is
            if there is None:
                if not each.optional:
                    problems.append(Problem(plugin, f"{plugin} requires {target}, which is not in it"))
                continue
            if not holds(each.specifier, there):
                if target != plugin or not each.optional:
                    problems.append(Problem(plugin, f"{plugin} requires {target} {each.specifier}, not {there}"))
            elif target not in started and not each.optional:
                in_order = False
        if manifest.requires or manifest.conflicts:
            in_order = in_order and not manifest.requires
            offered = _offered(chosen) if offered is None else offered
            problems.extend(_ports_and_conflicts(plugin, manifest, versions, offered))
        started.add(plugin)
    return in_order


def _offered(chosen: Mapping[str, Manifest]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for plugin, manifest in chosen.items():
        for provide in manifest.provides:
            found.setdefault(provide.port, set()).add(plugin)
    return found


def _ports_and_conflicts(
    plugin: str, manifest: Manifest, versions: Mapping[str, Version], offered: Mapping[str, set[str]]
) -> Iterator[Problem]:
    for require in manifest.requires:
        if not require.optional and not offered.get(require.port, set()) - {plugin}:
            yield Problem(plugin, f"{plugin} requires the port {require.port}, which nothing in it provides")
    for conflict in manifest.conflicts:
        there = versions.get(conflict.id)
        if there is not None and conflict.id != plugin and holds(conflict.specifier, there):
            yield Problem(plugin, f"{plugin} conflicts with {conflict.id} {there}")


def _all_needed_by_id(request: Request, chosen: Mapping[str, Manifest]) -> bool:
    """Return whether each plugin is wanted or required by id, where it is known that requirements close no circle.

    Without a circle it is enough that somebody requires it: whoever is required by nobody has to be wanted.
    """
    rest = chosen.keys() - request.wanted.keys()
    return not rest or rest <= {d.id for each in chosen.values() for d in each.dependencies if not d.optional}


def _explained(
    request: Request, chosen: Mapping[str, Manifest], arrangement: Arrangement, needed: Mapping[str, list[str]]
) -> Iterator[Chosen]:
    for plugin in arrangement.order:
        askers = tuple(sorted(needed[plugin]))
        bound = arrangement.bindings.get(plugin, {})
        reason = "enabled in the settings" if plugin in request.wanted else _reason(plugin, askers, chosen, arrangement)
        yield Chosen(plugin, chosen[plugin].version, reason, askers, dict(sorted(bound.items())))


def _reason(plugin: str, askers: tuple[str, ...], chosen: Mapping[str, Manifest], arrangement: Arrangement) -> str:
    by_id = [each for each in askers if any(d.id == plugin and not d.optional for d in chosen[each].dependencies)]
    if by_id:
        return f"required by {', '.join(by_id)}"
    ports = {p: None for each in askers for p, filler in sorted(arrangement.bindings[each].items()) if filler == plugin}
    return f"provides {', '.join(ports)} for {', '.join(askers)}"
