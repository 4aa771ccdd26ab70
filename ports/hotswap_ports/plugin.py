"""All that a plugin author imports besides ports: ``Plugin``, ``PluginContext``, ``Health``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Literal, Protocol, runtime_checkable

from attrs import field, frozen

from hotswap_ports.ai import AIProvider
from hotswap_ports.hooks import Handler
from hotswap_ports.storage import Storage


@frozen
class Health:
    """How a plugin is."""

    status: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    message: str = ""
    details: Mapping[str, str | int | float | bool] = field(factory=dict)


class ConfigView(Protocol):
    """A plugin's validated settings, defaults filled in."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a setting by its dotted name: ``limits.rate``."""

    def watch(self, callback: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call ``callback`` with the new settings after a change; returns what ends the watch (disabling does too)."""


class Log(Protocol):
    """A logger bound to the plugin's id; messages use ``{}`` formatting with the arguments."""

    def debug(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def info(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def warning(self, message: str, /, *args: object, **kwargs: object) -> None: ...
    def error(self, message: str, /, *args: object, **kwargs: object) -> None: ...


class Tracer(Protocol):
    """Spans, metrics and logs, named after the plugin; without OpenTelemetry, spans and metrics cost nothing."""

    @property
    def log(self) -> Log: ...

    def span(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[None]:
        """Trace what happens inside the ``with``."""

    def metric(self, name: str, value: float, **attributes: str | int | float | bool) -> None:
        """Record a value of a histogram."""

    def timer(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[None]:
        """Record how many seconds the ``with`` took."""


class Events(Protocol):
    """Hooks and events of the host; what is registered here leaves with the plugin, in the same switch."""

    def on(
        self,
        point: str,
        handler: Handler,
        *,
        priority: int = 0,
        before: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> Callable[[], None]:
        """Register ``handler`` at a hook point. Lower priority runs first; ``before``, ``after``: plugin ids."""

    async def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell whoever listens to ``event.<plugin id>.<name>``."""


class PluginContext(ABC):
    """What the host hands a plugin. A thing that the plugin was not granted raises ``CapabilityDenied`` when used."""

    @property
    @abstractmethod
    def plugin_id(self) -> str:
        """The plugin's id."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The plugin's version, as its manifest has it."""

    @property
    @abstractmethod
    def config(self) -> ConfigView:
        """The plugin's settings (capability ``config_access``)."""

    @property
    @abstractmethod
    def storage(self) -> Storage:
        """The selected storage, confined to keys under ``plugins/<id>/`` (capability ``storage_access``)."""

    @property
    @abstractmethod
    def ai(self) -> AIProvider:
        """The selected AI, within the plugin's token budget (capability ``llm_access``)."""

    @property
    @abstractmethod
    def tracer(self) -> Tracer:
        """Spans, metrics, timers, and a log bound to the plugin."""

    @property
    @abstractmethod
    def events(self) -> Events:
        """Hooks and events."""

    @property
    @abstractmethod
    def exit_stack(self) -> AsyncExitStack:
        """What is pushed here is undone when the plugin is disabled, last in, first out."""

    @abstractmethod
    def allows(self, capability: str, item: str | None = None) -> bool:
        """Return whether the plugin was granted ``capability`` (``network``), for ``item`` (a host) if one is named."""


class Plugin:
    """Optional base of a plugin with lifecycle of its own; every method may be left out.

    Order: ``validate_config``, ``initialize``, ``start``, ``health`` while it runs, ``stop``, ``cleanup``, exit stack.
    ``initialize`` and ``start`` may raise ``NotReady``: the kernel tries again with backoff.
    """

    async def validate_config(self, config: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` for settings that the schema cannot rule out."""

    async def initialize(self, context: PluginContext) -> None:
        """Open what is needed; push what must be undone on ``context.exit_stack``."""

    async def start(self) -> None:
        """Begin work of one's own."""

    async def stop(self) -> None:
        """End work of one's own; calls have left by now."""

    async def cleanup(self) -> None:
        """Release what ``initialize`` took and did not push on the exit stack."""

    async def health(self) -> Health:
        """Return how the plugin is."""
        return Health()


@runtime_checkable
class Stateful(Protocol):
    """What a plugin's own class, or an adapter's, offers when a swap is to carry its state across.

    When the plugin is upgraded, downgraded, reloaded or configured anew, new calls wait, those inside the old
    generation end, the old one is asked for its ``snapshot``, and the new one is given it before ``start``. If
    anything of that fails, the old generation goes on with its own. Methods of these names that a port declares itself
    are that port's.
    """

    async def snapshot(self) -> Any:
        """Return the state: None, bool, int, float, str, bytes, and lists, tuples, sets and dicts of these."""

    async def restore(self, state: Any, from_version: str) -> None:
        """Go on from ``state``, a copy of what a generation of ``from_version`` returned; raise if that cannot be."""
