"""Every failure the kernel names: a code, a sentence, and what to do next.

One class a failure. Its fields are arguments, its sentence is ``str(error)``; ``code`` and ``hint`` stand on each.
``docs/reference/errors.md`` is generated from this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean ...?`` for the known names closest to ``name``, or an empty string."""
    from difflib import get_close_matches  # only ever needed on the way out with an error

    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(repr(each) for each in close)}?" if close else ""


def says(error: BaseException) -> str:
    """Return ``str(error)``; an exception that a plugin wrote may not even be able to say what it is."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the error that is being reported is the one that counts
        return "its message cannot be read"


class HotswapError(Exception):
    """The base of every error that the kernel raises on purpose."""

    code: ClassVar[str] = "PLUG-000"

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


class PluginNotFound(HotswapError):
    """No door holds a plugin of that id (or that version of it)."""

    code = "PLUG-001"

    def __init__(self, plugin: str, known: Iterable[str] = (), *, looked_in: Sequence[str] = ()) -> None:
        self.plugin = plugin
        self.known = tuple(sorted(known))
        where = f" (looked in: {', '.join(looked_in)})" if looked_in else ""
        hint = nearest(plugin, self.known) or "`hotswap plugin list` shows what was found, and where."
        super().__init__(f"No plugin {plugin!r} was found{where}.", hint)


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


class DependencyMissing(HotswapError):
    """A plugin, or something an enabled plugin needs, is in no catalog."""

    code = "PLUG-006"

    def __init__(self, requirement: str, chain: Sequence[str], known: Iterable[str] = (), hint: str = "") -> None:
        self.requirement = requirement
        self.chain = tuple(chain)
        path = " -> ".join((*self.chain, requirement))
        super().__init__(
            f"Nothing provides {requirement!r}: {path}.",
            hint
            or nearest(requirement.split(" ")[0], known)
            or "Install a plugin that does, or disable the one that asks.",
        )


class DependencyCycle(HotswapError):
    """Plugins require each other in a circle."""

    code = "PLUG-007"

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        super().__init__(
            f"Plugins require each other: {' -> '.join((*self.cycle, self.cycle[0]))}.",
            "Make one of these requirements optional, or move what they share into a third plugin.",
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


class DependencyConflict(HotswapError):
    """What is asked for cannot be true together; the chains that meet are shown."""

    code = "PLUG-011"

    def __init__(self, subject: str, chains: Sequence[str], suggestion: str = "") -> None:
        self.subject = subject
        self.chains = tuple(chains)
        self.suggestion = suggestion
        lines = "".join(f"\n  {chain}" for chain in self.chains)
        super().__init__(
            f"No version of {subject!r} satisfies everything that is asked of it:{lines}",
            suggestion or "No single change was found that solves it: disable one of the plugins named above.",
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


class DrainTimeout(HotswapError):
    """Calls were still inside an old generation at its deadline, and were cancelled."""

    code = "PLUG-016"

    def __init__(self, provider: str, seconds: float, calls: Sequence[str]) -> None:
        self.provider = provider
        self.seconds = seconds
        self.calls = tuple(calls)
        lines = "".join(f"\n  - {call}" for call in self.calls)
        super().__init__(
            f"{len(self.calls)} call(s) did not leave {provider!r} within {seconds:g} s and were cancelled:{lines}",
            "Give calls like these more time with `drain_timeout` under [plugins] in hotswap.toml.",
        )


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


class PortUnknown(HotswapError):
    """A manifest, a setting or a caller names a port that this host does not have."""

    code = "PLUG-018"

    def __init__(self, port: str, known: Iterable[str], *, where: str = "") -> None:
        self.port = port
        self.known = tuple(sorted(known))
        at = f" ({where})" if where else ""
        hint = nearest(port, self.known) or f"Known ports: {', '.join(self.known)}."
        super().__init__(f"There is no port {port!r}{at}.", hint)


class SettingsInvalid(HotswapError):
    """``hotswap.toml``, the environment or the command line break the format; every problem is listed."""

    code = "PLUG-019"

    def __init__(self, source: str, problems: Sequence[str], hint: str = "") -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(
            f"The settings in {source} are not valid:{lines}", hint or "docs/reference/settings.md lists every key."
        )


class PluginInUse(HotswapError):
    """A plugin cannot go, because active plugins need it."""

    code = "PLUG-020"

    def __init__(self, plugin: str, dependants: Iterable[str]) -> None:
        self.plugin = plugin
        self.dependants = tuple(dependants)
        super().__init__(
            f"Plugin {plugin!r} is needed by {', '.join(self.dependants)}.",
            "Disable these as well with `--cascade` (cascade=True), or enable another provider first.",
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


class LockInvalid(HotswapError):
    """``hotswap.lock`` cannot be read, or no longer fits what is installed."""

    code = "PLUG-023"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} cannot be used: {reason}.", "Delete it: the next `hotswap apply` writes a new one.")


class KernelNotRunning(HotswapError):
    """The kernel was used before it was entered, or after it was left."""

    code = "PLUG-024"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The kernel is not running: {what}.", "Use it inside `async with Kernel(settings) as kernel:`."
        )


class ProviderNotFound(HotswapError):
    """A port has no enabled provider of that name."""

    code = "PLUG-025"

    def __init__(self, port: str, name: str, known: Iterable[str]) -> None:
        self.port = port
        self.name = name
        self.known = tuple(sorted(known))
        hint = nearest(name, self.known) or f"Enabled providers of {port!r}: {', '.join(self.known) or 'none'}."
        super().__init__(f"No enabled provider of {port!r} is called {name!r}.", hint)


class HookInvalid(HotswapError):
    """A hook cannot be registered: an unknown point, or an order that contradicts itself."""

    code = "PLUG-026"

    def __init__(self, point: str, reason: str, hint: str = "") -> None:
        self.point = point
        self.reason = reason
        super().__init__(f"The hook at {point!r} cannot be registered: {reason}", hint)


class SettingsConflict(HotswapError):
    """A file to be edited changed, or is not what the command expected."""

    code = "PLUG-027"

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} was not changed: {reason}.", hint)


class PlanOutdated(HotswapError):
    """A plan was applied after something else had changed what it starts from."""

    code = "PLUG-022"

    def __init__(self, made_for: int, now: int) -> None:
        self.made_for = made_for
        self.now = now
        super().__init__(f"The plan was made for revision {made_for}; the kernel is at {now}.", "Make the plan again.")


class TeardownFailed(ExceptionGroup[Exception], HotswapError):
    """Something was closed, and parts of it failed to close; it is closed all the same. Iterate ``exceptions``."""

    code = "PLUG-028"

    def __new__(cls, errors: Sequence[Exception]) -> TeardownFailed:
        lines = "".join(f"\n  - {type(each).__name__}: {says(each)}" for each in errors)
        return super().__new__(cls, f"Everything was closed, with {len(errors)} error(s) on the way:{lines}", errors)

    def __init__(self, errors: Sequence[Exception]) -> None:
        HotswapError.__init__(
            self, self.message, "These are defects of the plugins named: their stop or cleanup raised."
        )

    def __str__(self) -> str:
        return self.message

    def derive(self, excs: Sequence[Exception], /) -> TeardownFailed:  # type: ignore[override] # a group of the same kind
        return TeardownFailed(excs)


class KernelInUse(HotswapError):
    """A kernel was entered a second time while it was running."""

    code = "PLUG-030"

    def __init__(self) -> None:
        super().__init__(
            "The kernel is running already.", "Enter it once, and hand it on; or make another Kernel(settings)."
        )


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


class CallEvicted(HotswapError):
    """A call was still inside a provider when the time for it to leave was over, and was cancelled."""

    code = "PLUG-032"

    def __init__(self, call: str, provider: str) -> None:
        self.call = call
        self.provider = provider
        super().__init__(
            f"{call} was cancelled: it was still inside {provider} at the deadline for it to be closed.",
            "Make the call again: it goes to the provider in use now. `drain_timeout` under [plugins] in hotswap.toml "
            "gives calls more time.",
        )


class HoldTimeout(HotswapError):
    """A call waited for a provider that is being closed and opened anew, and that took too long."""

    code = "PLUG-033"

    def __init__(self, call: str, provider: str, seconds: float) -> None:
        self.call = call
        self.provider = provider
        self.seconds = seconds
        super().__init__(
            f"{call} waited {seconds:g} s for {provider}, which is being replaced and cannot be open twice.",
            "Make the call again. `hold_timeout` under [plugins] in hotswap.toml lets calls wait longer.",
        )


class TrialRefused(HotswapError):
    """A canary or a shadow cannot begin, or its candidate cannot be selected any more."""

    code = "PLUG-050"

    def __init__(self, port: str, candidate: str, reason: str, hint: str = "") -> None:
        self.port = port
        self.candidate = candidate
        self.reason = reason
        super().__init__(f"{candidate!r} cannot be tried for {port!r}: {reason}.", hint)


def error_classes() -> Mapping[str, type[HotswapError]]:
    """Return every concrete error by its code, sorted: the reference and its test are made from it."""
    return {each.code: each for each in sorted(HotswapError.__subclasses__(), key=lambda each: each.code)}
