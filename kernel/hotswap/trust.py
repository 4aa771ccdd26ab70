"""Trust levels, and what a plugin is granted: decided by the host, never by the plugin.

Three things stay apart. *Requested* is what the manifest asks for. *Level* is what the plugin's trust allows by itself.
*Grants* are what ``[grants.<id>]`` in ``hotswap.toml`` says, and they have the last word:

=============  =============================================================================================
in [grants]    the plugin gets
=============  =============================================================================================
nothing        what it asks for, as far as its level allows
``false``      nothing (also ``[]``); a denial beats everything else
``true``       what it asks for, whatever the level; where it asks for nothing, everything
a list         exactly the hosts or paths in it, whatever was asked for
=============  =============================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
from attrs import frozen

from hotswap.errors import CapabilityDenied, nearest
from hotswap.manifest.model import Capabilities, Limits, Manifest

Grant: TypeAlias = bool | float | tuple[str, ...]
"""One value under ``[grants.<id>]``: for a capability true, false or a list of names; for a limit a number."""

CAPABILITIES: tuple[str, ...] = tuple(each.name for each in attrs.fields(Capabilities))
LIMITS: tuple[str, ...] = tuple(each.name for each in attrs.fields(Limits))
LISTABLE: frozenset[str] = frozenset({"network", "file_system_read", "file_system_write"})
"""Capabilities that may be narrowed to a list: of host names for ``network``, of folders and files for the others."""

OWN_PACKAGE = "hotswap_plugins"
"""The package that carries hotswap's own plugins: the only one that is official without anybody saying so."""


class Trust(IntEnum):
    """How far the host trusts a plugin; a higher level may do more. Its meaning stands in ``meaning``."""

    UNTRUSTED = 0
    COMMUNITY = 1
    VERIFIED = 2
    OFFICIAL = 3

    @property
    def label(self) -> str:
        """The word for it in ``hotswap.toml``, in tables and in errors."""
        return self.name.lower()

    @property
    def meaning(self) -> str:
        """One sentence for people: who stands behind such a plugin, and where it runs."""
        return _MEANING[self]

    @classmethod
    def parse(cls, text: str) -> Trust:
        """Return the level of that name; ValueError, with the nearest names, when there is none."""
        for level in cls:
            if level.label == text:
                return level
        labels = [each.label for each in cls]
        hint = nearest(text, labels) or f"Levels: {', '.join(labels)}."
        raise ValueError(f"{text!r} is no trust level. {hint}")


_MEANING = {
    Trust.UNTRUSTED: "nobody vouches for it: confined to a worker process, with its settings and the AI port only",
    Trust.COMMUNITY: "published by someone: confined to a worker process, also reads files and keeps its own storage",
    Trust.VERIFIED: "somebody you trust put it here: runs in the host process, with everything it asks for",
    Trust.OFFICIAL: "part of hotswap: runs in the host process, with everything it asks for",
}

_CONFINED = frozenset({"config_access", "llm_access"})
LEVEL_GIVES: Mapping[Trust, frozenset[str]] = {
    Trust.UNTRUSTED: _CONFINED,
    # Storage is the plugin's own prefix, so it reveals nothing; files are read through the host's broker.
    Trust.COMMUNITY: _CONFINED | {"storage_access", "file_system_read"},
    Trust.VERIFIED: frozenset(CAPABILITIES),
    Trust.OFFICIAL: frozenset(CAPABILITIES),
}
"""What a plugin may get of what it asks for, by its trust level alone."""


@lru_cache(1_024)
def default_trust(door: str, package: str | None = None) -> Trust:
    """Return the trust that comes with the door, before ``[trust]`` is asked.

    ``package`` is the import name of the plugin's folder when it lies in an importable package. Installed
    distributions, explicit paths and the project's own folders are verified, because who put them there can run code
    here anyway.
    """
    if door == "distribution" and package is not None and package.partition(".")[0] == OWN_PACKAGE:
        return Trust.OFFICIAL
    if door in {"distribution", "path", "project"}:
        return Trust.VERIFIED
    return Trust.COMMUNITY if door in {"user", "system"} else Trust.UNTRUSTED


def in_process(trust: Trust) -> bool:
    """Return whether such a plugin may run in the host process; any other needs a confined worker process."""
    return trust >= Trust.VERIFIED


@frozen
class Grants:
    """What one plugin asked for, and what it got."""

    plugin: str
    trust: Trust
    requested: Capabilities
    granted: Capabilities
    limits: Limits
    """The manifest's limits, with those that ``[grants.<id>]`` names put in their place."""

    def allows(self, capability: str, item: str | None = None) -> bool:
        """Return whether ``capability`` is granted, and for ``item`` when one is given.

        An item of ``network`` is a host (``example.org``, ``example.org:8080``); ``*.example.org`` in a grant means
        every host below it. An item of a file system capability is a path, followed through its symbolic links;
        relative paths count from the working directory. ValueError for a capability that does not exist.
        """
        if capability not in CAPABILITIES:
            raise ValueError(f"There is no capability {capability!r}. {nearest(capability, CAPABILITIES)}".rstrip())
        granted = getattr(self.granted, capability)
        if item is None or isinstance(granted, bool):
            return bool(granted)
        within = _host_matches if capability == "network" else _path_within
        return any(within(item, each) for each in granted)

    def require(self, capability: str, used: str, item: str | None = None) -> None:
        """Raise CapabilityDenied, naming what was ``used``, unless :meth:`allows` does."""
        if not self.allows(capability, item):
            raise CapabilityDenied(self.plugin, capability, used, requested=bool(getattr(self.requested, capability)))


def grants_for(manifest: Manifest, trust: Trust, explicit: Mapping[str, Grant] | None = None) -> Grants:
    """Weigh a manifest's requests against its trust level and the user's explicit grants (the table above)."""
    said = explicit or {}
    limits: dict[str, Any] = {name: said[name] for name in LIMITS if name in said} if said else {}
    return Grants(
        plugin=manifest.id,
        trust=trust,
        requested=manifest.capabilities,
        granted=_capabilities(manifest.capabilities, LEVEL_GIVES[trust], said),
        limits=attrs.evolve(manifest.limits, **limits) if limits else manifest.limits,
    )


def _capabilities(requested: Capabilities, by_level: Collection[str], said: Mapping[str, Grant]) -> Capabilities:
    if not said and len(by_level) == len(CAPABILITIES):
        return requested
    granted = {name: _granted(getattr(requested, name), name in by_level, said.get(name)) for name in CAPABILITIES}
    return Capabilities(**granted)  # type: ignore[arg-type]  # LISTABLE keeps lists away from plain booleans


def _granted(requested: bool | tuple[str, ...], by_level: bool, said: Grant | None) -> bool | tuple[str, ...]:
    if isinstance(said, tuple):
        return said or False
    if said is None:
        return requested if by_level else False
    return (requested or True) if said else False


def _host_matches(item: str, pattern: str) -> bool:
    host, wanted = _host_of(item), pattern.lower().rstrip(".")
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1
    return bool(host) and host == wanted


def _host_of(item: str) -> str:
    if item.count(":") > 1 and "[" not in item:  # a bare IPv6 address
        return item.lower()
    try:
        return (urlsplit(f"//{item}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _path_within(item: str, root: str) -> bool:
    # Resolved on both sides: a link below a granted folder must not lead out of it. Only a grant may say "~".
    return Path(os.path.realpath(item)).is_relative_to(os.path.realpath(os.path.expanduser(root)))
