"""From a request to a solution, or to the reason why there is none.

1. What is locked already, if it is all there, is verified and not solved. 2. The greedy pass takes the preferred
version of everything, repairs on its way, and touches only what can be reached from what is wanted. 3. What it could
not settle goes to resolvelib: the plugins in trouble and their neighbours first, all the others held as they are;
then everything, under a budget. 4. A complete search settles what is left. It alone may say "impossible", so it
confirms every refusal. Whatever found a solution, it is held against all rules before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotswap.manifest.model import Manifest
from hotswap.resolver.formula import Formula
from hotswap.resolver.greedy import Attempt, Greedy, newest
from hotswap.resolver.index import Index
from hotswap.resolver.model import Refusal, Request, Solution
from hotswap.resolver.search import Search, Verdict
from hotswap.resolver.verify import accept, read, verify

_CONFLICTS = 50_000
"""Budget of the complete search. Hard sets of 200 plugins need a few hundred conflicts."""


def resolve(request: Request, previous: Solution | None = None) -> Solution:
    """Return the solution of ``request``; what ``previous`` chose is preferred right after what is locked and active.

    Raises PluginNotFound, PortUnknown, PortUnfilled, DependencyMissing, DependencyCycle or DependencyConflict.
    """
    answer = decide(request, previous)
    if isinstance(answer, Solution):
        return answer
    from hotswap.resolver.explain import explain  # only ever needed on the way out with an error

    raise explain(request, answer)


def decide(request: Request, previous: Solution | None = None) -> Solution | Refusal:
    """Return the solution of ``request``, or a smallest set of lines that cannot hold together. Raises nothing."""
    from attrs import evolve

    if previous is not None:
        request = evolve(request, active={**previous.versions(), **request.active})
    known = _kept(request)
    if known is not None:
        return known
    index = Index(request)
    guess = newest(index)
    found = accept(request, guess) if guess is not None else None
    if found is not None:
        return found
    attempt = Greedy(index).run()
    if attempt.complete:
        found = accept(request, attempt.chosen)
        if found is not None:
            return found
    return _from_resolvelib(index, attempt) or search(index)


def search(index: Index) -> Solution | Refusal:
    """Return what the complete search says."""
    formula = Formula(index)
    run = Search(formula)
    verdict = run.run(_CONFLICTS)
    if verdict is Verdict.SOLVED:
        found = accept(index.request, formula.manifests(run.solution()))
        assert found is not None, "the search broke a rule of its own formula"
        return found
    if verdict is Verdict.GAVE_UP:
        return Refusal((), gave_up=True)
    return Refusal(tuple(formula.origins[each] for each in smallest(formula, run.core())))


def smallest(formula: Formula, core: list[int]) -> list[int]:
    """Return clauses of ``core`` that still refute each other and of which none can be left out (or close to it)."""
    kept = list(core)
    trials = 0
    for number in sorted(core, reverse=True):
        if number not in kept or trials >= 400:
            continue
        trials += 1
        run = Search(formula, [each for each in kept if each != number], circles=False)
        if run.run(2_000) is Verdict.IMPOSSIBLE:
            kept = run.core()
    return kept


def _kept(request: Request) -> Solution | None:
    """Return what is locked, if that is a solution and nothing else was selected in the meantime."""
    locked = request.locked
    if not locked or not all(each in locked for each in request.wanted):
        return None
    if verify(request, locked):
        return None
    chosen = read(request, locked)[0]
    found = accept(request, chosen)
    return found if found is not None and _as_selected(request, found, chosen) else None


def _as_selected(request: Request, solution: Solution, chosen: Mapping[str, Manifest]) -> bool:
    """Return whether each port is filled by the provider selected first for it, or by the best there is.

    The catalog is searched for a better one in the second case only: that reads every manifest.
    """
    index = Index(request)
    for plugin in solution.plugins:
        for port, filler in plugin.ports.items():
            names = request.selected.get(port, ())
            if filler is None or not names or any(names[0] == each.name for each in chosen[filler].provides):
                continue
            others = [each for each in index.providers(port) if each in index.selected(port) and each != plugin.id]
            if others and others[0] != filler:
                return False
    return True


def _from_resolvelib(index: Index, attempt: Attempt) -> Solution | None:
    from hotswap.resolver.provider import solve  # resolvelib is paid for by conflicts only

    for fixed in _narrowed(attempt):
        chosen = solve(index, fixed)
        if chosen is not None:
            found = accept(index.request, chosen)
            if found is not None:
                return found
    return None


def _narrowed(attempt: Attempt) -> Iterator[Mapping[str, Manifest]]:
    """Return what stays fixed: all but the plugins in trouble and those they can reach, if these are few; then nothing.

    From the trouble outwards along requirements in either direction, as long as less than a quarter is taken in.
    """
    beside: dict[str, set[str]] = {}
    for plugin, manifest in attempt.chosen.items():
        for each in (*manifest.dependencies, *manifest.conflicts):
            beside.setdefault(plugin, set()).add(each.id)
            beside.setdefault(each.id, set()).add(plugin)
    near: set[str] = set()
    border = set(attempt.troubled)
    while border and (len(near) + len(border)) * 4 < len(attempt.chosen):
        near |= border
        border = {other for each in border for other in beside.get(each, ())} - near
    if near:
        yield {plugin: manifest for plugin, manifest in attempt.chosen.items() if plugin not in near}
    yield {}
