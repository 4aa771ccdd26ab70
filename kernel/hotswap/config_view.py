"""A plugin's settings as the plugin sees them, through every change."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from loguru import logger

Watcher = Callable[[Mapping[str, Any]], None]


class LiveConfig:
    """Settings with defaults filled in; ``replace`` puts others in their place and tells who watches.

    The plugin gets copies: nothing it does to them reaches the host. No value shows in ``repr``.
    """

    def __init__(self, plugin: str, values: Mapping[str, Any]) -> None:
        self._plugin = plugin
        self._values: dict[str, Any] = deepcopy(dict(values))
        self._watchers: dict[object, Watcher] = {}

    def __repr__(self) -> str:
        return f"<settings of {self._plugin}: {', '.join(sorted(self._values)) or 'none'}>"

    def get(self, key: str, default: Any = None) -> Any:
        """Return a setting by its dotted name; a key that itself has dots is found as well."""
        found = _find(self._values, key)
        return default if found is _NOTHING else deepcopy(found)

    @property
    def watched(self) -> bool:
        """Return whether anybody follows changes."""
        return bool(self._watchers)

    def watch(self, callback: Watcher) -> Callable[[], None]:
        """Call ``callback`` with all settings after each change, in the order of registration; returns what ends it.

        Raises:
            TypeError: it is a coroutine function: a change is told within one step, and nobody would await it.
        """
        if inspect.iscoroutinefunction(callback):
            raise TypeError("A watcher of settings is a plain function; have it start a task if it must wait.")
        token = object()
        self._watchers[token] = callback

        def end() -> None:
            self._watchers.pop(token, None)

        return end

    def replace(self, values: Mapping[str, Any]) -> tuple[BaseException, ...]:
        """Put other settings in force; return what watchers raised, which is logged and stops no other watcher.

        Settings equal to those before are no change. Nothing is raised, whatever a watcher does.
        """
        if values == self._values:
            return ()
        self._values = deepcopy(dict(values))
        errors: list[BaseException] = []
        for callback in tuple(self._watchers.values()):
            try:
                callback(deepcopy(self._values))
            except BaseException as error:  # noqa: BLE001 - logged and returned: it must not keep others away, or end a switch
                errors.append(error)
                log = logger.bind(plugin=self._plugin)
                log.warning("A watcher of the settings of {!r} failed: {}", self._plugin, type(error).__name__)
                log.opt(exception=error).debug("Where the watcher failed")
        return tuple(errors)

    def close(self) -> None:
        """End every watch."""
        self._watchers.clear()


_NOTHING: Any = object()


def _find(values: Any, key: str) -> Any:
    if not isinstance(values, Mapping):
        return _NOTHING
    if key in values:
        return values[key]
    head, dot, rest = key.partition(".")
    while dot:
        if head in values:
            found = _find(values[head], rest)
            if found is not _NOTHING:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return _NOTHING
