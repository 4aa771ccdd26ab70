"""What a change is about to put in force, seen by what it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

from hotswap.generation import Generation, Provider

opener: ContextVar[str] = ContextVar("hotswap_opener", default="")
"""Key of the generation of a plugin (``Consumer.key``) whose opening the current code is part of, or was begun by."""


class Ahead:
    """What a plan is about to put in force: the plugins that it opens are led there, and nobody else is yet."""

    def __init__(self, selected: Mapping[str, tuple[str, ...]]) -> None:
        self.selected = selected
        self.coming: dict[str, dict[str, Generation]] = {}
        """Port -> the generations that come for it, by name."""
        self.consumers: set[str] = set()
        """Keys of the generations of plugins that are opened."""
        self.closing: set[str] = set()
        """Keys of those that are closed before what comes in their place is opened."""
        self.inside: Callable[[], bool] = lambda: False
        """Tells of the current call whether it is made within one that has to leave before the change goes on."""

    def add(self, generations: Iterable[Generation]) -> None:
        """Add what was opened."""
        for each in generations:
            self.coming.setdefault(each.provider.port, {})[each.provider.name] = each

    def waits(self) -> bool:
        """Return whether the change waits for the current call, so that this must not wait for the change."""
        key = opener.get()
        return key in self.consumers or key in self.closing or self.inside()

    def instead_of(self, provider: Provider) -> Generation | None:
        """Return what comes for a provider, if that is open."""
        return self.coming.get(provider.port, {}).get(provider.name)
