"""Every failure the kernel names: a code, a sentence, and what to do next.

One class a failure. Its fields are arguments, its sentence is ``str(error)``; ``code`` and ``hint`` stand on each.
``docs/reference/errors.md`` is generated from this package.
"""

from hotswap.errors.base import HotswapError, error_classes, nearest, says
from hotswap.errors.host import (
    CallCancelled,
    ChangeUnfinished,
    KernelInUse,
    KernelNotRunning,
    NothingToWatch,
    SettingsConflict,
    SettingsGone,
    SettingsInvalid,
    StateNotFound,
    WouldDeadlock,
)
from hotswap.errors.plugins import (
    CapabilityDenied,
    ConfigInvalid,
    IsolationRequired,
    ManifestInvalid,
    PluginConflict,
    PluginInitFailed,
    PluginLoadFailed,
    PluginNotFound,
    ResourceExhausted,
)
from hotswap.errors.ports import (
    HookAborted,
    HookInvalid,
    InjectionFailed,
    NotOpenYet,
    PortAmbiguous,
    PortInvalid,
    PortUnfilled,
    PortUnknown,
    ProviderNotFound,
)
from hotswap.errors.solving import (
    DependencyConflict,
    DependencyCycle,
    DependencyMissing,
    LockInvalid,
    NothingToRollBack,
    PlanOutdated,
    PluginInUse,
)
from hotswap.errors.swaps import (
    CallEvicted,
    DrainTimeout,
    HoldTimeout,
    TeardownFailed,
    TrialRefused,
)

__all__ = [
    "CallEvicted",
    "CallCancelled",
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
    "ResourceExhausted",
    "SettingsConflict",
    "SettingsGone",
    "SettingsInvalid",
    "StateNotFound",
    "TeardownFailed",
    "TrialRefused",
    "WouldDeadlock",
    "error_classes",
    "nearest",
    "says",
]
