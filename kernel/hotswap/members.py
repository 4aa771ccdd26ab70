"""The manifests of the plugins that are in force, open or waiting for their first call: a view, never a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hotswap.manifest.model import Manifest


class Described(Protocol):
    """Something with a manifest."""

    @property
    def manifest(self) -> Manifest:
        """Return it."""


class Members(Mapping[str, Manifest]):
    """Manifests by id, as they are at the moment of looking."""

    def __init__(self, awake: Mapping[str, Described], dormant: Mapping[str, Described]) -> None:
        self._awake = awake
        self._dormant = dormant

    def __getitem__(self, plugin: str) -> Manifest:
        found = self._dormant.get(plugin)
        return (self._awake[plugin] if found is None else found).manifest

    def __contains__(self, plugin: object) -> bool:
        return plugin in self._awake or plugin in self._dormant

    def __iter__(self) -> Iterator[str]:
        yield from self._awake
        yield from self._dormant

    def __len__(self) -> int:
        return len(self._awake) + len(self._dormant)
