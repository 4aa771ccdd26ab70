"""A plugin that could be opened: its code is in, its settings hold, and its constructors were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import Factory, field, frozen

from hotswap.catalog import trust_of
from hotswap.config import Config, effective_config
from hotswap.errors import HotswapError, InjectionFailed, IsolationRequired
from hotswap.found import Found
from hotswap.injection import Need, needs_of
from hotswap.loader import Loaded, load_beside, load_many, undo
from hotswap.manifest import Provide
from hotswap.port_directory import PortDirectory
from hotswap.settings import Settings
from hotswap.trust import Grants, Trust, grants_for, in_process


def _all_needs(prepared: Prepared) -> tuple[Need, ...]:
    needs = prepared.plugin_needs
    for each in prepared.adapter_needs.values():
        needs += each
    return needs


@frozen
class Prepared:
    """A plugin whose code is in, whose settings hold, and whose constructors were read; nothing is constructed yet."""

    found: Found
    loaded: Loaded
    config: Config
    grants: Grants
    plugin_needs: tuple[Need, ...] = ()
    adapter_needs: Mapping[Provide, tuple[Need, ...]] = field(factory=dict)
    needs: tuple[Need, ...] = field(init=False, default=Factory(_all_needs, takes_self=True))
    """All that has to be injected."""


def check_trust(found: Found, settings: Settings) -> Trust:
    """Return the trust level.

    Raises:
        IsolationRequired: it asks for a worker process, which this version of the kernel does not have.
    """
    trust = trust_of(found, settings)
    if not in_process(trust):
        raise IsolationRequired(found.id, trust.label, "which this version of hotswap does not have yet")
    return trust


def check(found: Found, settings: Settings, environ: Mapping[str, str]) -> tuple[Config, Grants]:
    """Return a plugin's settings and grants; none of its code is needed for that.

    Raises:
        IsolationRequired, ConfigInvalid: it may not run in this process, or its settings do not hold.
    """
    manifest = found.manifest
    trust = check_trust(found, settings)
    config = effective_config(manifest, settings.config.get(manifest.id, {}), environ)
    return config, grants_for(manifest, trust, settings.grants.get(manifest.id))


async def prepare(
    found: Found,
    ports: PortDirectory,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    fresh: bool = False,
    loaded: Loaded | None = None,
) -> Prepared:
    """Check trust and settings, import the code (in a thread: callers go on), read the constructors.

    ``loaded`` is what came of importing the code, where that was done before.

    Raises:
        IsolationRequired, ConfigInvalid, PluginLoadFailed, PortUnknown, InjectionFailed: what is wrong with it.
    """
    config, grants = check(found, settings, environ)
    if loaded is None:
        loaded = await load_beside(found, ports, settings.open_timeout, fresh=fresh)
    return _read(found, loaded, config, grants)


async def prepare_many(
    founds: Iterable[Found], ports: PortDirectory, settings: Settings, environ: Mapping[str, str]
) -> dict[str, Prepared | HotswapError]:
    """Do as ``prepare`` for many plugins, their code imported in one thread; return by id what came of each."""
    outcomes: dict[str, Prepared | HotswapError] = {}
    checked: dict[str, tuple[Found, Config, Grants]] = {}
    for found in founds:
        try:
            checked[found.id] = (found, *check(found, settings, environ))
        except HotswapError as error:
            outcomes[found.id] = error.with_traceback(None)  # it may be kept for long, and the others with this frame
    loads = await load_many((found for found, _, _ in checked.values()), ports, settings.open_timeout)
    for plugin, loaded in loads.items():
        found, config, grants = checked[plugin]
        try:
            outcomes[plugin] = loaded if isinstance(loaded, HotswapError) else _read(found, loaded, config, grants)
        except HotswapError as error:
            outcomes[plugin] = error.with_traceback(None)
    return outcomes


def _read(found: Found, loaded: Loaded, config: Config, grants: Grants) -> Prepared:
    """Read the constructors; where that fails, the load is undone."""
    requires = {each.port for each in found.manifest.requires}
    gaps: list[str] = []

    def read(cls: type) -> tuple[Need, ...]:
        try:
            return needs_of(cls, requires=requires)
        except InjectionFailed as error:
            gaps.extend(f"{error.target}.{gap}" for gap in error.gaps)
            return ()

    try:
        plugin_needs = read(loaded.plugin_class)
        adapter_needs = {provide: read(cls) for provide, cls in loaded.adapters.items()}
        if gaps:
            raise InjectionFailed(f"Plugin {found.id!r}", gaps)
    except BaseException:
        undo(loaded)
        raise
    return Prepared(found, loaded, config, grants, plugin_needs, adapter_needs)
