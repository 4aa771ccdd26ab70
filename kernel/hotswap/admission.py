"""What is looked at before the first plugin of a plan is constructed: all of it could go in."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hotswap.consumer import Consumer
from hotswap.errors import InjectionFailed, PluginLoadFailed
from hotswap.manifest.model import Manifest
from hotswap.plan import Plan
from hotswap.prepared import Prepared
from hotswap.wiring import Wiring


def is_exclusive(old: Manifest, new: Manifest) -> bool:
    """Return whether two generations of a plugin cannot be open at once."""
    return any(each.exclusive for each in (*old.provides, *new.provides))


def check_names(prepared: Iterable[Prepared], wiring: Wiring, leaving: Collection[str]) -> None:
    """Raise PluginLoadFailed where a provider would take the name of another plugin's."""
    coming: dict[tuple[str, str], str] = {}
    for ready in prepared:
        plugin = ready.found.id
        for each in ready.found.manifest.provides:
            there = wiring.providers(each.port).get(each.name)
            stays = there is not None and there.provider.plugin not in {*leaving, plugin}
            owner = (
                there.provider.plugin
                if there is not None and stays
                else coming.setdefault((each.port, each.name), plugin)
            )
            if owner != plugin:
                raise PluginLoadFailed(
                    plugin,
                    f"it calls its provider of {each.port!r} {each.name!r}, as plugin {owner!r} does",
                    f"Give it another name @ $.plugin.provides.{each.port}.name, or disable {owner!r}.",
                )


def check_gaps(prepared: Iterable[Prepared], wiring: Wiring, plan: Plan) -> None:
    """List every need of every plugin that cannot be filled once the plan is carried out.

    Raises:
        InjectionFailed: there are such.
    """
    gaps: list[str] = []
    lacking: list[str] = []
    for each in prepared:
        found = wiring.gaps(each.needs, plan.providers, Consumer.of(each.found.manifest, 0)) if each.needs else ()
        if found:
            lacking.append(f"Plugin {each.found.id!r}")
            gaps += [f"{each.found.id}: {gap}" for gap in found]
    if gaps:
        raise InjectionFailed(" and ".join(lacking), gaps)
