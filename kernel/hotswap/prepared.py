"""A plugin that could be opened: its code is in, its settings hold, and its constructors were read."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from hotswap.catalog import Found, trust_of
from hotswap.config import Config, effective_config
from hotswap.errors import HotswapError, InjectionFailed, IsolationRequired
from hotswap.injection import Need, needs_of
from hotswap.loader import Loaded, load_beside, undo
from hotswap.manifest import Provide
from hotswap.port_directory import PortDirectory
from hotswap.settings import Settings
from hotswap.trust import Grants, Trust, grants_for, in_process


@frozen
class Prepared:
    """A plugin whose code is in, whose settings hold, and whose constructors were read; nothing is constructed yet."""

    found: Found
    loaded: Loaded
    config: Config
    grants: Grants
    plugin_needs: tuple[Need, ...] = ()
    adapter_needs: Mapping[Provide, tuple[Need, ...]] = field(factory=dict)

    @property
    def needs(self) -> list[Need]:
        """Return all that has to be injected."""
        return [*self.plugin_needs, *(need for needs in self.adapter_needs.values() for need in needs)]


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
    loaded: Loaded | HotswapError | None = None,
) -> Prepared:
    """Check trust and settings, import the code (in a thread: callers go on), read the constructors.

    ``loaded`` is what came of importing the code, where that was done before.

    Raises:
        IsolationRequired, ConfigInvalid, PluginLoadFailed, PortUnknown, InjectionFailed: what is wrong with it.
    """
    config, grants = check(found, settings, environ)
    if isinstance(loaded, HotswapError):
        raise loaded
    if loaded is None:
        loaded = await load_beside(found, ports, settings.open_timeout, fresh=fresh)
    try:
        return _read(Prepared(found, loaded, config, grants))
    except BaseException:
        undo(loaded)
        raise


def _read(prepared: Prepared) -> Prepared:
    manifest = prepared.found.manifest
    requires = {each.port for each in manifest.requires}
    gaps: list[str] = []

    def read(cls: type) -> tuple[Need, ...]:
        try:
            return needs_of(cls, requires=requires)
        except InjectionFailed as error:
            gaps.extend(f"{error.target}.{gap}" for gap in error.gaps)
            return ()

    loaded = prepared.loaded
    plugin_needs = read(loaded.plugin_class)
    adapter_needs = {provide: read(cls) for provide, cls in loaded.adapters.items()}
    if gaps:
        raise InjectionFailed(f"Plugin {manifest.id!r}", gaps)
    return Prepared(prepared.found, loaded, prepared.config, prepared.grants, plugin_needs, adapter_needs)
