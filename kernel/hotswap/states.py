"""The states of a plugin, and what the kernel tells about one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen

from hotswap.trust import Trust


class State(Enum):
    """Where a plugin stands. ``meaning`` is for people; ``after`` names the states that may follow."""

    DISCOVERED = "discovered"
    RESOLVED = "resolved"
    LOADING = "loading"
    ACTIVE = "active"
    DRAINING = "draining"
    DISABLED = "disabled"
    FAILED = "failed"
    WAITING = "waiting"
    BLOCKED = "blocked"

    @property
    def meaning(self) -> str:
        """Say what the state means."""
        return _MEANING[self]

    @property
    def after(self) -> frozenset[State]:
        """Return the states that may follow this one."""
        return frozenset(State(each) for each in _AFTER[self].split())

    @property
    def recoverable(self) -> bool:
        """Return whether the kernel goes on trying by itself."""
        return self is State.WAITING


STUCK = frozenset({State.FAILED, State.BLOCKED, State.WAITING})
"""Wanted, and not open."""

_MEANING = {
    State.DISCOVERED: "its manifest was found; nothing asks for it",
    State.RESOLVED: "it is part of the solution and about to be opened",
    State.LOADING: "it is being opened",
    State.ACTIVE: "it serves calls",
    State.DRAINING: "it gets no new calls and finishes those it has",
    State.DISABLED: "it was closed",
    State.FAILED: "it could not be opened",
    State.WAITING: "what it needs is not ready yet; the kernel tries again",
    State.BLOCKED: "it is wanted, and cannot be part of any solution",
}
_AFTER = {
    State.DISCOVERED: "resolved blocked",
    State.RESOLVED: "loading waiting failed discovered",
    State.LOADING: "active failed waiting disabled draining",
    State.ACTIVE: "draining loading disabled",  # loading: a new generation is on its way beside the old one
    State.DRAINING: "disabled active",
    State.DISABLED: "resolved loading discovered blocked",
    State.FAILED: "resolved loading disabled discovered blocked",
    State.WAITING: "resolved loading failed disabled discovered blocked",
    State.BLOCKED: "resolved loading disabled discovered",
}


@frozen
class PluginStatus:
    """What the kernel knows of one plugin now."""

    id: str
    version: str
    """As its manifest writes it; of the one in use, else of the newest found."""
    state: State
    reason: str = ""
    """Why it is in this state, as a sentence."""
    blocked_by: tuple[str, ...] = ()
    """Plugins that keep this one from being active."""
    error: Exception | None = None
    door: str = ""
    path: str = ""
    trust: Trust = Trust.UNTRUSTED
    provides: Mapping[str, tuple[str, ...]] = {}
    """Port -> names of its providers."""
    required_by: tuple[str, ...] = ()


@frozen
class PortStatus:
    """One port of this host."""

    name: str
    version: str
    serving: str = ""
    """Name of the provider in use; empty for none."""
    providers: tuple[str, ...] = ()
    """Names of the open providers."""
    available: tuple[str, ...] = ()
    """Ids of plugins in the catalog that could provide it."""
    selected: tuple[str, ...] = ()
    problem: str = ""
    """Why nobody serves it."""
    trial: str = ""
    """The trial that is under way, or what came of the last one, as a sentence; empty: there was none."""
    unwell: Mapping[str, str] = {}
    """Names of the selection that others stand in for, each with the reason: unwell, or wanted and not open."""


@frozen
class Cause:
    """One link of the chain that explains a plugin's state."""

    plugin: str
    state: State
    text: str


@frozen
class Why:
    """Why a plugin is in its state, from the plugin itself to the deepest cause."""

    causes: tuple[Cause, ...]

    def __str__(self) -> str:
        lines = (
            f"{'  ' * depth}{each.plugin} is {each.state.value}: {each.text}" for depth, each in enumerate(self.causes)
        )
        return "\n".join(lines)
