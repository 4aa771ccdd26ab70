"""The public API of hotswap. Names are loaded when they are first used, so that importing it costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotswap.version import __version__

if TYPE_CHECKING:
    from hotswap.blocking import BlockingKernel
    from hotswap.catalog import Catalog, discover
    from hotswap.errors import (
        AnotherPlugin,
        CallCancelled,
        CallEvicted,
        CallInvalid,
        CapabilityDenied,
        ChangeUnfinished,
        ConfigInvalid,
        DependencyConflict,
        DependencyCycle,
        DependencyMissing,
        DrainTimeout,
        HoldTimeout,
        HookAborted,
        HookInvalid,
        HotswapError,
        InjectionFailed,
        IsolationRequired,
        KernelInUse,
        KernelNotRunning,
        LockInvalid,
        ManifestInvalid,
        NothingToRollBack,
        NothingToWatch,
        NotOpenYet,
        PlanOutdated,
        PluginAmbiguous,
        PluginConflict,
        PluginInitFailed,
        PluginInUse,
        PluginLoadFailed,
        PluginNotFound,
        PortAmbiguous,
        PortInvalid,
        PortUnfilled,
        PortUnknown,
        ProviderNotFound,
        RebuildFailed,
        ResourceExhausted,
        SettingsConflict,
        SettingsGone,
        SettingsInvalid,
        StateNotFound,
        TeardownFailed,
        TrialRefused,
        VersionStepTooSmall,
        WouldDeadlock,
    )
    from hotswap.found import Found
    from hotswap.kernel import Kernel, PortStatus, run
    from hotswap.manifest.model import Manifest
    from hotswap.plan import Plan, Step
    from hotswap.settings import Settings
    from hotswap.states import PluginStatus, State, Why
    from hotswap.trials import Bounds, Difference, Side, Trial, TrialStats, Verdict
    from hotswap.trust import Trust

_MODULES = {
    "hotswap.blocking": ("BlockingKernel",),
    "hotswap.catalog": ("Catalog", "Found", "discover"),
    "hotswap.kernel": ("Kernel", "PortStatus", "run"),
    "hotswap.manifest.model": ("Manifest",),
    "hotswap.plan": ("Plan", "Step"),
    "hotswap.settings": ("Settings",),
    "hotswap.states": ("PluginStatus", "State", "Why"),
    "hotswap.trials": ("Bounds", "Difference", "Side", "Trial", "TrialStats", "Verdict"),
    "hotswap.trust": ("Trust",),
    "hotswap.errors": (
        "AnotherPlugin",
        "CallEvicted",
        "CallCancelled",
        "CallInvalid",
        "CapabilityDenied",
        "ChangeUnfinished",
        "ConfigInvalid",
        "DependencyConflict",
        "DependencyCycle",
        "DependencyMissing",
        "DrainTimeout",
        "HoldTimeout",
        "HookAborted",
        "HookInvalid",
        "HotswapError",
        "InjectionFailed",
        "IsolationRequired",
        "KernelInUse",
        "KernelNotRunning",
        "LockInvalid",
        "ManifestInvalid",
        "NotOpenYet",
        "NothingToRollBack",
        "NothingToWatch",
        "PlanOutdated",
        "PluginAmbiguous",
        "PluginConflict",
        "PluginInUse",
        "PluginInitFailed",
        "PluginLoadFailed",
        "PluginNotFound",
        "PortAmbiguous",
        "PortInvalid",
        "PortUnfilled",
        "PortUnknown",
        "ProviderNotFound",
        "RebuildFailed",
        "ResourceExhausted",
        "SettingsConflict",
        "SettingsGone",
        "SettingsInvalid",
        "StateNotFound",
        "TeardownFailed",
        "TrialRefused",
        "VersionStepTooSmall",
        "WouldDeadlock",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AnotherPlugin",
    "Bounds",
    "CallEvicted",
    "BlockingKernel",
    "CallCancelled",
    "CallInvalid",
    "CapabilityDenied",
    "Catalog",
    "ChangeUnfinished",
    "ConfigInvalid",
    "DependencyConflict",
    "DependencyCycle",
    "DependencyMissing",
    "Difference",
    "DrainTimeout",
    "Found",
    "HoldTimeout",
    "HookAborted",
    "HookInvalid",
    "HotswapError",
    "InjectionFailed",
    "IsolationRequired",
    "Kernel",
    "KernelInUse",
    "KernelNotRunning",
    "LockInvalid",
    "Manifest",
    "ManifestInvalid",
    "NotOpenYet",
    "NothingToRollBack",
    "NothingToWatch",
    "Plan",
    "PlanOutdated",
    "PluginAmbiguous",
    "PluginConflict",
    "PluginInUse",
    "PluginInitFailed",
    "PluginLoadFailed",
    "PluginNotFound",
    "PluginStatus",
    "PortAmbiguous",
    "PortInvalid",
    "PortStatus",
    "PortUnfilled",
    "PortUnknown",
    "ProviderNotFound",
    "RebuildFailed",
    "ResourceExhausted",
    "Settings",
    "SettingsConflict",
    "SettingsGone",
    "SettingsInvalid",
    "Side",
    "State",
    "StateNotFound",
    "Step",
    "TeardownFailed",
    "Trial",
    "TrialRefused",
    "TrialStats",
    "Trust",
    "Verdict",
    "VersionStepTooSmall",
    "Why",
    "WouldDeadlock",
    "__version__",
    "discover",
    "run",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        from importlib import import_module

        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found
    raise AttributeError(f"module 'hotswap' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
