"""A plugin that cannot be found, read, opened, or given what it wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hotswap.errors.base import HotswapError, nearest


class PluginNotFound(HotswapError):
    """No door holds a plugin of that id (or that version of it), or it is not among those that it was looked for in."""

    code = "PLUG-001"

    def __init__(self, plugin: str, known: Iterable[str] = (), *, looked_in: Sequence[str] = ()) -> None:
        self.plugin = plugin
        self.known = tuple(sorted(known))
        where = ", ".join(looked_in)
        if where and plugin in self.known:
            hint = f"It was found: `hotswap plugin enable {plugin}` opens it."
            super().__init__(f"Plugin {plugin!r} is not among {where}.", hint)
            return
        hint = nearest(plugin, self.known) or "`hotswap plugin list` shows what was found, and where."
        super().__init__(f"No plugin {plugin!r} was found{f' (looked in: {where})' if where else ''}.", hint)


class PluginAmbiguous(HotswapError):
    """Where one plugin is meant, several lie."""

    code = "PLUG-048"

    def __init__(self, path: str, plugins: Mapping[str, str]) -> None:
        self.path = path
        self.plugins = dict(plugins)
        super().__init__(
            f"There is more than one plugin in {path}: {', '.join(sorted(self.plugins.values()))}.",
            f"Name the folder of one, like {min(self.plugins, default=path)}.",
        )


class AnotherPlugin(HotswapError):
    """Two versions were to be compared, and are of different plugins."""

    code = "PLUG-049"

    def __init__(self, plugin: str, other: str) -> None:
        self.plugin = plugin
        self.other = other
        super().__init__(
            f"{other!r} is another plugin than {plugin!r}: there is no step from one to the other.",
            "Compare with an older version of the same plugin.",
        )


class PluginLoadFailed(HotswapError):
    """A plugin's code could not be imported, or is not what its manifest says."""

    code = "PLUG-002"

    def __init__(self, plugin: str, reason: str, hint: str = "") -> None:
        self.plugin = plugin
        self.reason = reason
        super().__init__(f"Plugin {plugin!r} could not be loaded: {reason}", hint)


class PluginInitFailed(HotswapError):
    """A plugin's own code raised while it was being opened."""

    code = "PLUG-003"

    def __init__(self, plugin: str, step: str, reason: str, hint: str = "") -> None:
        self.plugin = plugin
        self.step = step
        self.reason = reason
        super().__init__(
            f"Plugin {plugin!r} failed in {step}: {reason}", hint or "Run again with --debug for the traceback."
        )


class PluginConflict(HotswapError):
    """Two manifests claim one id and version behind the same door."""

    code = "PLUG-004"

    def __init__(self, plugin: str, version: str, paths: Sequence[str]) -> None:
        self.plugin = plugin
        self.version = version
        self.paths = tuple(paths)
        super().__init__(
            f"Plugin {plugin!r} {version} is there {len(self.paths)} times: {', '.join(self.paths)}.",
            "Remove one of them, or give one another id or version.",
        )


class ManifestInvalid(HotswapError):
    """A ``plugin.toml`` breaks its format; every problem of the file is listed."""

    code = "PLUG-005"

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(
            f"{path} is not a valid manifest:{lines}",
            f"`hotswap plugin validate {path}` checks it again; docs/reference/manifest.md lists every key.",
        )


class CapabilityDenied(HotswapError):
    """A plugin used something that it was not granted."""

    code = "PLUG-008"

    def __init__(self, plugin: str, capability: str, used: str, *, requested: bool) -> None:
        self.plugin = plugin
        self.capability = capability
        self.used = used
        hint = (
            f"Its manifest asks for it, the host does not give it: see [trust] and [grants.{plugin}] in hotswap.toml."
            if requested
            else f"Add `{capability} = true` under [plugin.capabilities] in its plugin.toml."
        )
        super().__init__(f"Plugin {plugin!r} used {used} without the capability {capability!r}.", hint)


class ResourceExhausted(HotswapError):
    """A plugin used up a budget it was given."""

    code = "PLUG-009"

    def __init__(self, plugin: str, resource: str, used: float, limit: float) -> None:
        self.plugin = plugin
        self.resource = resource
        self.used = used
        self.limit = limit
        super().__init__(
            f"Plugin {plugin!r} has used up its {resource}: {used:g} of {limit:g}.",
            f"Raise it under [plugin.limits] in its plugin.toml, or under [grants.{plugin}] in hotswap.toml.",
        )


class ConfigInvalid(HotswapError):
    """A plugin's settings break its schema; every problem is listed, no value is shown."""

    code = "PLUG-012"

    def __init__(self, plugin: str, problems: Sequence[str], hint: str = "") -> None:
        self.plugin = plugin
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(
            f"The settings of plugin {plugin!r} are not valid:{lines}",
            hint or f"Edit [config.{plugin}] in hotswap.toml; `hotswap plugin info {plugin}` lists its settings.",
        )


class VersionStepTooSmall(HotswapError):
    """What changed since an older version of a plugin is more than its new version says."""

    code = "PLUG-045"

    def __init__(self, plugin: str, old: str, new: str, least: str, step: str, reasons: Sequence[str]) -> None:
        self.plugin = plugin
        self.old = old
        self.new = new
        self.least = least
        self.step = step
        self.reasons = tuple(reasons)
        super().__init__(
            f"Plugin {plugin!r} {new} is a {step} step from {old}, and not called one: {'; '.join(self.reasons)}.",
            f"Call it {least}, or take back what changed.",
        )


class IsolationRequired(HotswapError):
    """A plugin's trust level asks for a worker process, and none can be had."""

    code = "PLUG-021"

    def __init__(self, plugin: str, trust: str, reason: str) -> None:
        self.plugin = plugin
        self.trust = trust
        self.reason = reason
        super().__init__(
            f"Plugin {plugin!r} is {trust} and may only run in a confined worker process, {reason}.",
            f'If you trust its author, set {plugin} = "verified" under [trust] in hotswap.toml.',
        )
