"""Settings with something else asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from hotswap.entries import Entries
from hotswap.errors import PluginNotFound
from hotswap.settings import Settings
from hotswap.settings_tables import split_requirement


def id_of(entry: str) -> str:
    """Return the id of ``"id"`` or ``"id>=1.2"``.

    Raises:
        PluginNotFound: it is neither.
    """
    try:
        return split_requirement(entry)[0]
    except ValueError as error:
        raise PluginNotFound(entry) from error


def adjusted(
    settings: Settings,
    enable: Mapping[str, str],
    gone: set[str],
    select: Mapping[str, tuple[str, ...]],
    configure: Mapping[str, Mapping[str, Any]],
) -> Settings:
    """Return the settings with plugins enabled (id -> entry), disabled, selected and configured."""
    changes: dict[str, Any] = {}
    if select or not all(settings.ports.values()):
        changes["ports"] = {port: names for port, names in {**settings.ports, **select}.items() if names}
    if configure:
        config = {key: {**settings.config.get(key, {}), **configure[key]} for key in configure}
        changes["config"] = {**settings.config, **config}
    entries = Entries.of(settings.enabled)
    enabled, disabled = entries.changed(settings.disabled, enable, gone - enable.keys())
    return evolve(settings, enabled=enabled, disabled=disabled, **changes)
