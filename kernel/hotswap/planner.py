"""From settings and a catalog to a plan: asks the resolver, touches nothing."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib import metadata

from attrs import evolve
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from hotswap.catalog import Catalog, wanted
from hotswap.errors import HotswapError, ProviderNotFound, SettingsInvalid, nearest
from hotswap.found import Found
from hotswap.lock import Lock
from hotswap.manifest import Manifest
from hotswap.plan import Plan, Reach, Running, make_plan
from hotswap.port_directory import PortDirectory
from hotswap.project_files import LOCK_NAME as LOCK_NAME
from hotswap.resolver import Request, Solution, decide, resolve
from hotswap.settings import Settings
from hotswap.version import __version__

REASONKIT = Version("1.1.0")
"""The ReasonKit plugin interface that this host answers to: the newest that known manifests were tested with."""

HOSTS = {"hotswap": Version(__version__), "reasonkit": REASONKIT}
PYTHON = Version(platform.python_version())
"""Made once: the resolver remembers answers by the identity of versions."""


@cache
def installed(distribution: str) -> Version | None:
    """Return the installed version of a Python distribution; None when it is not there."""
    try:
        return Version(metadata.version(distribution))
    except (metadata.PackageNotFoundError, InvalidVersion):
        return None


class Planner:
    """Solves for one catalog and one set of ports."""

    def __init__(self, catalog: Catalog, ports: PortDirectory) -> None:
        self.catalog = catalog
        self.ports = ports

    def request(
        self,
        settings: Settings,
        want: Mapping[str, SpecifierSet],
        *,
        locked: Mapping[str, Version] | None = None,
        active: Mapping[str, Version] | None = None,
        only: Collection[str] | None = None,
    ) -> Request:
        """Build what the resolver is asked; ``only`` names the plugins that may be used, None for all."""
        manifests = self.catalog.manifests()
        excluded = set(settings.disabled)
        if only is not None:
            excluded |= set(self.catalog.ids()) - set(only)
        return Request(
            versions=manifests,
            wanted=want,
            ports=self.ports.versions(),
            hosts=HOSTS,
            python=PYTHON,
            distributions=installed,
            selected=settings.selected,
            locked=locked or {},
            active=active or {},
            excluded=frozenset(excluded),
        )

    def wanted(self, settings: Settings) -> dict[str, SpecifierSet]:
        """Return what the settings ask for, by id."""
        return wanted(settings, self.catalog)

    def solve(
        self,
        settings: Settings,
        want: Mapping[str, SpecifierSet],
        *,
        active: Mapping[str, Version],
        only: Collection[str] | None,
        previous: Solution,
    ) -> Solution:
        """Solve for a change from what is active.

        Raises:
            HotswapError: there is no solution; where that is because a plugin is disabled, the hint says so.
        """
        try:
            return resolve(self.request(settings, want, active=active, only=only), previous)
        except HotswapError as error:
            _with_disabled(error, settings)
            raise

    def solve_most(
        self,
        settings: Settings,
        lock: Lock | None = None,
        distributions: Callable[[str], Version | None] = installed,
    ) -> tuple[Solution, dict[str, HotswapError]]:
        """Solve for as many of the wanted plugins as go together, in the order of the settings.

        A lock that still fits is the solution. Return it, and for each plugin left out the error that says why.
        ``distributions`` is asked for the installed version of each Python distribution that plays a part.
        """
        all_wanted = self.wanted(settings)
        locked = lock.versions() if lock is not None else {}

        def request_for(want: Mapping[str, SpecifierSet]) -> Request:
            return evolve(self.request(settings, want, locked=locked), distributions=distributions)

        if lock is not None and not lock.fits(request_for(all_wanted)):
            return lock.solution(), {}
        left_out: dict[str, HotswapError] = {}
        kept: dict[str, SpecifierSet] = {}
        best = Solution(())

        def add(names: list[str]) -> None:
            nonlocal best
            if not names:
                return
            trial = {**kept, **{each: all_wanted[each] for each in names}}
            request = request_for(trial)
            answer = decide(request)
            if isinstance(answer, Solution):
                best = answer
                kept.update(trial)
            elif len(names) == 1:
                from hotswap.resolver.explain import explain  # only now is the refusal worth explaining

                left_out[names[0]] = _with_disabled(explain(request, answer), settings)
            else:
                add(names[: len(names) // 2])
                add(names[len(names) // 2 :])

        add(list(all_wanted))
        return best, left_out

    def founds_of(self, solution: Solution) -> list[Found]:
        """Return where the plugins of a solution were found, in its order."""
        return [self.catalog.get(*each) for each in solution.versions().items()]

    def manifests_of(self, solution: Solution) -> dict[str, Manifest]:
        """Return the manifests that a solution chose."""
        return {each.id: self.catalog.get(each.id, each.version).manifest for each in solution.plugins}

    def plan(
        self, running: Running, solution: Solution, settings: Settings, renew: Mapping[str, str] | None = None
    ) -> Plan:
        """Return the steps from what runs to ``solution``."""
        reach = Reach.of_all(running, solution, self.manifests_of(solution))
        return make_plan(running, solution, settings, renew or {}, reach)

    def settings_problems(self, settings: Settings) -> list[HotswapError]:
        """Return an error for each name in the settings that leads to nothing: nobody would miss a denied grant."""
        problems: list[HotswapError] = []
        for port, names in settings.ports.items():
            offered = sorted({name for each in self.catalog for of, name in each.provides if of == port})
            problems += [ProviderNotFound(port, each, offered) for each in names if each not in offered]
        tables = {"config": settings.config, "trust": settings.trust, "grants": settings.grants}
        known = self.catalog.ids()
        for table, ids in tables.items() if not settings.safe_mode else ():
            unknown = [each for each in ids if each not in known]
            found = [f"no plugin {each!r} was found. {nearest(each, known)}".rstrip() for each in unknown]
            if found:
                source = str(settings.source or "the environment")
                lines = [f"{text} @ $.{table}.{each}" for text, each in zip(found, unknown, strict=True)]
                problems.append(SettingsInvalid(source, lines, "`hotswap plugin list` shows the ids there are."))
        return problems


def _with_disabled(error: HotswapError, settings: Settings) -> HotswapError:
    """Return the error with a hint that names the disabled plugins which it is about."""
    named = [each for each in settings.disabled if re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", str(error))]
    if named:
        verb = "is" if len(named) == 1 else "are"
        commands = ", ".join(f"`hotswap plugin enable {each}`" for each in named)
        error.hint = f"{', '.join(named)} {verb} disabled in the settings: {commands}."
    return error
