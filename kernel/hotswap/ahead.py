"""What a change is about to put in force, seen by what it opens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

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
        self.inside: Callable[[asyncio.Task[Any] | None], bool] = lambda task: False
        """Tells of a call whether it is made within one that has to leave before the change goes on."""

    def add(self, generations: Iterable[Generation]) -> None:
        """Add what was opened."""
        for each in generations:
            self.coming.setdefault(each.provider.port, {})[each.provider.name] = each

    def waits(self, task: asyncio.Task[Any] | None = None) -> bool:
        """Return whether the change waits for the current call, so that this must not wait for the change.

        Args:
            task: of the call, where that is suspended; the context is its own in any case.
        """
        key = opener.get()
        return key in self.consumers or key in self.closing or self.inside(task)

    def instead_of(self, provider: Provider) -> Generation | None:
        """Return what comes for a provider, if that is open."""
        return self.coming.get(provider.port, {}).get(provider.name)
