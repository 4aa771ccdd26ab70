"""What a plugin is handed: its settings, storage, AI, tracer and events, as far as it was granted them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

from hotswap.config import Config
from hotswap.config_view import LiveConfig
from hotswap.errors import CapabilityDenied, PortUnfilled
from hotswap.hooks import Hooks, Staging, surroundings
from hotswap.manifest.model import Capabilities, Limits
from hotswap.scoped_storage import ScopedStorage
from hotswap.token_budget import BudgetedAI, TokenBudget
from hotswap.tracing import PluginTracer
from hotswap_ports.ai import AIProvider
from hotswap_ports.hooks import Handler, HookContext
from hotswap_ports.plugin import PluginContext
from hotswap_ports.port import Port
from hotswap_ports.storage import Storage


class Granted(Protocol):
    """What is needed of a plugin's grants (``hotswap.trust.Grants``)."""

    @property
    def requested(self) -> Capabilities: ...

    def allows(self, capability: str, item: str | None = None) -> bool: ...


class PluginEvents:
    """Hooks of one plugin, and its own events."""

    def __init__(self, hooks: Hooks, staging: Staging) -> None:
        self._hooks = hooks
        self._staging = staging

    def on(
        self,
        point: str,
        handler: Handler,
        *,
        priority: int = 0,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Register a handler; while the plugin is opened it waits for the switch. Errors are those of ``Hooks.on``."""
        return self._staging.on(point, handler, priority=priority, before=before, after=after)

    async def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell whoever listens to ``event.<plugin id>.<name>``, one after the other; what fails there is theirs.

        Raises:
            HookAborted: a listener returned Abort.
            HookInvalid: ``name`` has other characters than letters, digits, ``.``, ``_`` and ``-``.
        """
        around, plugin = surroundings.get(), self._staging.source
        context = HookContext(around.request_id, around.protocol, around.step, plugin)
        await self._hooks.fire(f"event.{plugin}.{name}", data, context)


class Context(PluginContext):
    """The context of one generation of a plugin.

    ``config``, ``storage`` and ``ai`` raise ``CapabilityDenied`` as soon as they are read without their capability (ask
    ``allows`` first), and ``PortUnfilled`` where the host has nothing behind them.

    Args:
        config: validated settings, defaults filled in.
        storage: gives the live handle of the selected storage; None: the host has none. ``ai`` likewise.
        hooks: the kernel's hooks; staging: where this plugin's handlers are collected (the kernel switches it).
        exit_stack: what the plugin pushes on it is undone before its handlers and watches end.
        limits: budgets, those of the host included.
        clock: seconds from any origin, for the token budget.
    """

    def __init__(
        self,
        plugin_id: str,
        version: str,
        *,
        config: Mapping[str, Any],
        grants: Granted,
        storage: Callable[[], Storage] | None,
        ai: Callable[[], AIProvider] | None,
        hooks: Hooks,
        staging: Staging,
        exit_stack: AsyncExitStack,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = plugin_id
        self._version = version
        self._grants = grants
        self._config = LiveConfig(plugin_id, config)
        self._storage = None if storage is None else ScopedStorage(plugin_id, storage)
        self._budget = TokenBudget(plugin_id, limits.max_tokens_per_minute, clock)
        self._ai = None if ai is None else BudgetedAI(ai, self._budget)
        self._redact = _redacting(config)
        self._tracer = PluginTracer(plugin_id, version, redact=lambda text: self._redact(text))
        self._events = PluginEvents(hooks, staging)
        self._exit_stack = exit_stack
        exit_stack.callback(staging.discard)
        exit_stack.callback(self._config.close)

    def __repr__(self) -> str:
        return f"<context of {self._id} {self._version}>"

    @property
    def plugin_id(self) -> str:
        return self._id

    @property
    def version(self) -> str:
        return self._version

    @property
    def config(self) -> LiveConfig:
        self._require("config_access", "context.config")
        return self._config

    @property
    def storage(self) -> Storage:
        self._require("storage_access", "context.storage")
        if self._storage is None:
            raise PortUnfilled(Storage.PORT)
        return self._storage

    @property
    def ai(self) -> AIProvider:
        self._require("llm_access", "context.ai")
        if self._ai is None:
            raise PortUnfilled(AIProvider.PORT)
        return self._ai

    @property
    def tracer(self) -> PluginTracer:
        return self._tracer

    @property
    def events(self) -> PluginEvents:
        return self._events

    @property
    def exit_stack(self) -> AsyncExitStack:
        return self._exit_stack

    @property
    def tokens_used(self) -> int:
        """Return the tokens that the plugin used in the last 60 seconds."""
        return self._budget.used

    def allows(self, capability: str, item: str | None = None) -> bool:
        return self._grants.allows(capability, item)

    @property
    def lends(self) -> list[type[Port]]:
        """Return the ports that it hands out, of those that were granted."""
        lent: list[tuple[str, type[Port]]] = [("storage_access", Storage), ("llm_access", AIProvider)]
        return [port for capability, port in lent if self._grants.allows(capability)]

    @property
    def watches_config(self) -> bool:
        """Return whether the plugin follows changes of its settings by itself."""
        return self._config.watched

    def replace_config(self, values: Mapping[str, Any]) -> tuple[BaseException, ...]:
        """Put other settings in force and tell who watches them; what watchers raised is logged and returned."""
        self._redact = _redacting(values)
        return self._config.replace(values)

    def _require(self, capability: str, used: str) -> None:
        if not self._grants.allows(capability):
            asked = bool(getattr(self._grants.requested, capability))
            raise CapabilityDenied(self._id, capability, used, requested=asked)


def _redacting(config: Mapping[str, Any]) -> Callable[[str], str]:
    return config.redact if isinstance(config, Config) else str
