"""Ports, what is injected for them, and hooks around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hotswap.errors.base import HotswapError, nearest


class PortUnfilled(HotswapError):
    """A port is asked for, and no enabled plugin provides it."""

    code = "PLUG-013"

    def __init__(self, port: str, providers: Iterable[str] = (), *, why: str = "") -> None:
        self.port = port
        self.providers = tuple(providers)
        hint = (
            f"Enable one: {', '.join(f'`hotswap plugin enable {each}`' for each in self.providers)}."
            if self.providers
            else f"No plugin that was found provides {port!r}: install one."
        )
        super().__init__(f"No enabled plugin provides the port {port!r}{f': {why}' if why else ''}.", hint)


class PortAmbiguous(HotswapError):
    """Several enabled plugins provide a port, and nothing says which one is meant."""

    code = "PLUG-014"

    def __init__(self, port: str, providers: Iterable[str]) -> None:
        self.port = port
        self.providers = tuple(sorted(providers))
        super().__init__(
            f"The port {port!r} has {len(self.providers)} providers: {', '.join(self.providers)}.",
            f"Say which under [ports] in hotswap.toml: {port} = {self.providers[0]!r}, or ask for one by name.",
        )


class PortUnknown(HotswapError):
    """A manifest, a setting or a caller names a port that this host does not have."""

    code = "PLUG-018"

    def __init__(self, port: str, known: Iterable[str], *, where: str = "") -> None:
        self.port = port
        self.known = tuple(sorted(known))
        at = f" ({where})" if where else ""
        hint = nearest(port, self.known) or f"Known ports: {', '.join(self.known)}."
        super().__init__(f"There is no port {port!r}{at}.", hint)


class PortInvalid(HotswapError):
    """What is named as a port of this host is none, or has the name of another port."""

    code = "PLUG-031"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(
            f"{where} names no port that can be used: {reason}.",
            "A port subclasses hotswap_ports.Port and sets PORT, a name of its own, and VERSION in its body.",
        )


class ProviderNotFound(HotswapError):
    """A port has no enabled provider of that name."""

    code = "PLUG-025"

    def __init__(self, port: str, name: str, known: Iterable[str], *, why: str = "", plugin: str = "") -> None:
        self.port = port
        self.name = name
        self.known = tuple(sorted(known))
        self.plugin = plugin
        """Id of the plugin that could provide it; empty where there is none."""
        hint = nearest(name, self.known) or f"Enabled providers of {port!r}: {', '.join(self.known) or 'none'}."
        if plugin:
            hint = f"`hotswap why {plugin}` says more." if why else f"Enable it: `hotswap plugin enable {plugin}`."
        super().__init__(f"No enabled provider of {port!r} is called {name!r}{f': {why}' if why else ''}.", hint)


class InjectionFailed(HotswapError):
    """Something cannot be constructed: every parameter that cannot be filled is listed."""

    code = "PLUG-017"

    def __init__(self, target: str, gaps: Sequence[str]) -> None:
        self.target = target
        self.gaps = tuple(gaps)
        lines = "".join(f"\n  - {gap}" for gap in self.gaps)
        super().__init__(
            f"{target} cannot be constructed:{lines}",
            "A parameter is filled by its annotation: a port, Annotated[Port, 'name'], Mapping[str, Port], "
            "PluginContext, or `config: AnAttrsClass`. Anything else needs a default.",
        )


class NotOpenYet(HotswapError):
    """Something was read of an adapter that is made when its plugin is opened, and it is opened by the first call."""

    code = "PLUG-035"

    def __init__(self, plugin: str, what: str) -> None:
        self.plugin = plugin
        self.what = what
        super().__init__(
            f"{what} is not known yet: plugin {plugin!r} is opened by the first call that needs it.",
            'Await a call of it first, or open it at the start: `activation = "eager"` in its plugin.toml, or under '
            "[plugins] in hotswap.toml for all.",
        )


class HookAborted(HotswapError):
    """A hook's handler stopped the operation on purpose."""

    code = "PLUG-015"

    def __init__(self, point: str, plugin: str, reason: str) -> None:
        self.point = point
        self.plugin = plugin
        self.reason = reason
        super().__init__(
            f"{plugin!r} stopped this at {point}: {reason}", f"`hotswap plugin disable {plugin}` takes the hook out."
        )


class HookInvalid(HotswapError):
    """A hook cannot be registered: an unknown point, or an order that contradicts itself."""

    code = "PLUG-026"

    def __init__(self, point: str, reason: str, hint: str = "") -> None:
        self.point = point
        self.reason = reason
        super().__init__(f"The hook at {point!r} cannot be registered: {reason}", hint)
