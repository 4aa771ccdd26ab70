"""What other settings mean for the plugins that are open: which go on, which are told, which are opened anew."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from hotswap.config import Config, effective_config
from hotswap.instance import Instance
from hotswap.settings import Settings


@frozen
class Reconfigured:
    """What follows for open plugins."""

    renew: Mapping[str, str]
    """Plugins to be opened anew -> why."""
    configs: Mapping[str, Config]
    """Plugins that watch their settings -> what they are told."""


def touched(old: Settings, new: Settings) -> set[str]:
    """Return the plugins of which ``[config]``, ``[trust]`` or ``[grants]`` say something else."""
    found: set[str] = set()
    tables: list[tuple[Mapping[str, object], Mapping[str, object]]] = [
        (old.config, new.config), (old.trust, new.trust), (old.grants, new.grants),
    ]  # fmt: skip
    for before, after in tables:
        if before is not after:
            found |= {each for each in {*before, *after} if before.get(each) != after.get(each)}
    return found


def reconfigured(
    old: Settings, new: Settings, instances: Mapping[str, Instance], environ: Mapping[str, str]
) -> Reconfigured:
    """Compare two settings for the plugins that are open.

    Raises:
        ConfigInvalid: the new ones break the schema of a plugin.
    """
    renew: dict[str, str] = {}
    configs: dict[str, Config] = {}
    for plugin in sorted(touched(old, new) & instances.keys()):
        instance = instances[plugin]
        if (old.trust.get(plugin), old.grants.get(plugin)) != (new.trust.get(plugin), new.grants.get(plugin)):
            renew[plugin] = "what it may touch changed"
            continue
        config = effective_config(instance.manifest, new.config.get(plugin, {}), environ)
        if instance.watches_config:
            configs[plugin] = config
        elif config.to_dict() != instance.prepared.config.to_dict():
            renew[plugin] = "its settings changed"
    return Reconfigured(renew, configs)
