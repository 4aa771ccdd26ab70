"""The steps from what is active to a solution. Making a plan touches nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Literal

from attrs import field, frozen

from hotswap.config import Config
from hotswap.errors import HotswapError
from hotswap.layered import Layered
from hotswap.manifest.model import Manifest
from hotswap.resolver.model import Chosen, Solution
from hotswap.selection import choose, in_order
from hotswap.settings import Settings

Kind = Literal["start", "replace", "stop", "select", "rebuild"]


@frozen
class Step:
    """One thing that a plan does."""

    kind: Kind
    subject: str
    """A plugin's id; for ``select`` a port's name."""
    before: str = ""
    """The version (or provider) until now; empty for none."""
    after: str = ""
    reason: str = ""

    def __str__(self) -> str:
        change = " -> ".join(each for each in (self.before, self.after) if each)
        if self.kind == "stop":
            change = self.before
        return f"{self.kind} {self.subject} {change}".rstrip() + (f" ({self.reason})" if self.reason else "")


@frozen
class Plan:
    """What would be done, in order, and where it would lead."""

    steps: tuple[Step, ...]
    solution: Solution
    settings: Settings
    selected: Mapping[str, tuple[str, ...]]
    """Port -> names of the providers that the settings choose, best first."""
    providers: Mapping[str, tuple[str, ...]]
    """Port -> names of its providers in the solution."""
    revision: int
    """The kernel's revision that the plan was made for; a plan for another one is out of date."""
    configs: Mapping[str, Config] = field(factory=dict)
    """Settings that are put in force in the switch, for plugins that stay open and watch theirs."""

    def subjects(self, *kinds: Kind) -> list[str]:
        """Return the subjects of the steps of these kinds, in order."""
        return [each.subject for each in self.steps if each.kind in kinds]

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        told = [f"configure {each}" for each in self.configs]
        return "\n".join([*(str(each) for each in self.steps), *told]) or "Nothing to do."


@frozen
class Running:
    """What a plan starts from."""

    manifests: Mapping[str, Manifest]
    """The active plugins, in start order."""
    serving: Mapping[str, str]
    """Port -> name of the provider it leads to."""
    revision: int
    dormant: Collection[str] = ()
    """Those of the active plugins that the first call is to open."""
    unwell: Collection[tuple[str, str]] = ()
    """Port and name of providers that others of the selection stand in for."""


@frozen
class Reach:
    """What may differ between what runs and where a plan leads. All else is as it was, and is not looked at."""

    chosen: Iterable[Chosen]
    """Plugins of the solution, in start order."""
    manifests: Mapping[str, Manifest]
    """Theirs, and those of dormant plugins that may be needed now."""
    leaving: Sequence[str]
    """Plugins that are not in the solution, in the order in which they stop."""
    ports: Collection[str]
    providers: Mapping[str, tuple[str, ...]]
    """Port -> names of its providers in the solution."""
    consumers: Callable[[Collection[str]], Mapping[str, Manifest]]
    """Returns the active plugins of the solution, in start order: at least those that ask to be rebuilt with ports."""

    @classmethod
    def of_all(cls, running: Running, solution: Solution, manifests: Mapping[str, Manifest]) -> Reach:
        """Return that of a solution which may differ in everything."""
        providers = provider_names([(it.port, it.name) for it in each.provides] for each in manifests.values())
        kept = {each.id: manifests[each.id] for each in solution.plugins if each.id in running.manifests}
        leaving = [each for each in reversed(list(running.manifests)) if each not in manifests]
        ports = {*providers, *running.serving}
        return cls(solution.plugins, manifests, leaving, ports, providers, lambda ports: kept)


def make_plan(running: Running, solution: Solution, settings: Settings, renew: Mapping[str, str], reach: Reach) -> Plan:
    """Compare what runs with a solution.

    Args:
        renew: plugins to be opened anew though their version stays -> why.
    """
    manifests, selected = reach.manifests, settings.selected
    steps = [each for chosen in reach.chosen if (each := _open_step(running, chosen, manifests, renew)) is not None]
    opened = {each.subject for each in steps}
    changing = _changing(running, reach, selected)
    selects = list(_select_steps(changing, selected))
    steps += [*_wake_steps(running, selects, manifests, opened), *selects]
    led = [*changing, *_renewed(running, opened, manifests)]
    steps += rebuild_steps(reach.consumers(led), led, opened)
    steps += [
        Step("stop", each, before=running.manifests[each].raw_version, reason=_stop_reason(each, settings))
        for each in reach.leaving
    ]
    return Plan(tuple(steps), solution, settings, selected, reach.providers, running.revision)


def placed(plugins: Collection[str], order: Iterable[str]) -> list[str]:
    """Return plugins in their order among many."""
    if len(plugins) < 2:
        return list(plugins)
    place = dict(zip(order, count(), strict=False))
    return sorted(set(plugins), key=place.__getitem__)


def provider_names(provided: Iterable[Iterable[Sequence[str]]]) -> Layered[str, tuple[str, ...]]:
    """Return the names of providers by port; ``provided``: port and name of each provider of a plugin, by plugin."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for pairs in provided:
        for port, name in pairs:
            names[port].append(name)
    return Layered({port: tuple(each) for port, each in names.items()})


class ProviderNames(Mapping[str, tuple[str, ...]]):
    """The names of some plugins' providers by port, put together when somebody asks for one."""

    def __init__(self, provided: Callable[[], Iterable[Iterable[Sequence[str]]]]) -> None:
        self._provided = provided

    @cached_property
    def _names(self) -> Layered[str, tuple[str, ...]]:
        return provider_names(self._provided())

    def __getitem__(self, port: str) -> tuple[str, ...]:
        return self._names[port]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _open_step(
    running: Running, chosen: Chosen, manifests: Mapping[str, Manifest], renew: Mapping[str, str]
) -> Step | None:
    after = manifests[chosen.id]
    before = running.manifests.get(chosen.id)
    if before is None:
        return Step("start", chosen.id, after=after.raw_version, reason=chosen.reason)
    if chosen.id in renew:
        return Step("replace", chosen.id, before.raw_version, after.raw_version, renew[chosen.id])
    if before.version != after.version:
        return Step("replace", chosen.id, before.raw_version, after.raw_version, chosen.reason)
    return None


def _changing(running: Running, reach: Reach, selected: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """Return the ports that will lead elsewhere -> the provider before and after; empty for none."""
    found = {}
    for port in sorted(reach.ports):
        before = running.serving.get(port, "")
        names = reach.providers.get(port, ())
        after = choose(port, names, in_order(port, selected.get(port, ()), running.unwell), before)
        if (name := "" if isinstance(after, HotswapError) else after) != before:
            found[port] = (before, name)
    return found


def _renewed(running: Running, opened: Collection[str], manifests: Mapping[str, Manifest]) -> list[str]:
    return [each.port for plugin in opened if plugin in running.manifests for each in manifests[plugin].provides]


def _select_steps(changing: Mapping[str, tuple[str, str]], selected: Mapping[str, tuple[str, ...]]) -> Iterable[Step]:
    for port, (before, after) in changing.items():
        if before:
            reason = "selected in the settings" if after in selected.get(port, ()) else "the next one there is"
            yield Step("select", port, before, after or "nobody", reason if after else "nobody else provides it")


def _wake_steps(
    running: Running, selects: Iterable[Step], manifests: Mapping[str, Manifest], opened: Collection[str]
) -> Iterable[Step]:
    """Yield a start of each dormant plugin that a port is to lead to: it is open before callers are led there."""
    for plugin in running.dormant:
        if plugin in opened or plugin not in manifests:
            continue
        names = {(each.port, each.name) for each in manifests[plugin].provides}
        for each in selects:
            if (each.subject, each.after) in names:
                yield Step(
                    "start", plugin, after=manifests[plugin].raw_version, reason=f"it is to serve {each.subject}"
                )
                break


def rebuild_steps(manifests: Mapping[str, Manifest], ports: Iterable[str], opened: Collection[str] = ()) -> list[Step]:
    """Return a step for each active plugin that asks to be rebuilt when one of ``ports`` leads elsewhere.

    What is rebuilt provides its ports anew, so those that ask for these follow, in the order of ``manifests`` (start
    order), each once. ``opened`` are those that are opened anyway.
    """
    touched = set(ports)
    steps = []
    for plugin, manifest in manifests.items():
        asked = [each.port for each in manifest.requires if each.rebind == "rebuild" and each.port in touched]
        if asked and plugin not in opened:
            steps.append(Step("rebuild", plugin, reason=f"asks to be rebuilt when {', '.join(asked)} changes"))
            touched.update(each.port for each in manifest.provides)
    return steps


def _stop_reason(plugin: str, settings: Settings) -> str:
    return "disabled" if plugin in settings.disabled else "nothing asks for it any more"
