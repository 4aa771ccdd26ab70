"""Who needs whom among the active plugins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from hotswap.manifest import Manifest


def dependants_of(
    plugins: Collection[str], active: Mapping[str, Manifest], asked: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    """Return the active plugins that cannot go on without ``plugins``, the farthest first: in this order they stop.

    Args:
        active: id -> manifest.
        asked: plugin -> plugins of which it was given a provider by name.
    """
    if not plugins:
        return []
    by_name = asked or {}
    gone = set(plugins)
    found: list[str] = []
    while True:
        left = {key: each for key, each in active.items() if key not in gone}
        providers: dict[str, set[str]] = {}
        for key, each in left.items():
            for provide in each.provides:
                providers.setdefault(provide.port, set()).add(key)
        next_ones = sorted(
            key
            for key, each in left.items()
            if any(_broken(each, left, active, providers)) or not gone.isdisjoint(by_name.get(key, ()))
        )
        if not next_ones:
            return found[::-1]
        gone.update(next_ones)
        found += next_ones


def _broken(
    manifest: Manifest, left: Mapping[str, Manifest], active: Mapping[str, Manifest], providers: Mapping[str, set[str]]
) -> Iterator[bool]:
    """Yield whether each requirement that holds among all active plugins no longer holds among those left."""
    for dependency in manifest.dependencies:
        yield not dependency.optional and dependency.id in active and dependency.id not in left
    for require in manifest.requires:
        if not require.optional:
            yield not (providers.get(require.port, set()) - {manifest.id})
