"""The catalog: every plugin that was found, by id and version. Reading it imports no plugin."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import frozen

from hotswap.catalog_cache import CatalogCache, Entry, cache_file
from hotswap.discovery import DOORS, MANIFEST, Problem, Sighting, scan
from hotswap.errors import HotswapError, ManifestInvalid, PluginConflict, PluginNotFound
from hotswap.found import Found
from hotswap.manifest.model import Manifest
from hotswap.trust import Trust, default_trust

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from hotswap.settings import Settings


@frozen
class Shadowed:
    """A plugin that is not used, because an earlier door has its id."""

    found: Found
    by: Found


class Catalog:
    """What was found, what was not usable, and what is hidden behind something else.

    An id belongs to the first door that has it, also when that door's versions of it turn out unusable: another door's
    plugin must not slip into the place of one that the user put in front.
    """

    def __init__(
        self,
        found: Iterable[Found] = (),
        problems: Iterable[Problem] = (),
        roots: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.roots = roots
        """Folders that plugins' folders were looked for in, each with its time (``discovery.root_times``)."""
        self._versions: dict[str, tuple[Found, ...]] = {}
        self._problems = list(problems)
        self._shadowed: list[Shadowed] = []
        self._offered: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None
        in_order = sorted(found, key=_door_rank)
        if len({each.id for each in in_order}) == len(in_order):  # as it nearly always is
            self._versions = {each.id: (each,) for each in sorted(in_order, key=_id)}
            return
        by_id: dict[str, list[Found]] = {each.id: [] for each in in_order}
        for each in in_order:
            group = by_id[each.id]
            if group and group[0].door != each.door:
                self._shadowed.append(Shadowed(each, group[0]))
            else:
                group.append(each)
        for plugin in sorted(by_id):
            if usable := self._without_twins(by_id[plugin]):
                self._versions[plugin] = usable

    def _without_twins(self, group: list[Found]) -> tuple[Found, ...]:
        if len(group) == 1:
            return tuple(group)
        versions: dict[Version, list[Found]] = {}
        for each in group:
            versions.setdefault(each.version, []).append(each)
        for version, twins in versions.items():
            if len(twins) > 1:
                error = PluginConflict(twins[0].id, str(version), [str(each.path) for each in twins])
                self._problems.append(Problem(twins[0].path, error))
        return tuple(versions[each][0] for each in sorted(versions, reverse=True) if len(versions[each]) == 1)

    def renewed(self, plugin: str, versions: Iterable[Found]) -> Catalog:
        """Return the catalog with what was read anew of one plugin, in the place of what was in the same folders."""
        read = {each.path: each for each in versions}
        kept = [each for each in self._versions.get(plugin, ()) if each.path not in read]
        found = sorted((*kept, *read.values()), key=lambda each: each.version, reverse=True)
        after = copy(self)
        after._versions = {**self._versions, plugin: tuple(found)}
        after._offered = None
        return after

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found and cannot be used, each with its path and its error."""
        return tuple(self._problems)

    @property
    def shadowed(self) -> tuple[Shadowed, ...]:
        """What is hidden, each with what hides it."""
        return tuple(self._shadowed)

    def ids(self) -> tuple[str, ...]:
        """Return every id, sorted."""
        return tuple(self._versions)

    def versions(self, plugin: str) -> tuple[Found, ...]:
        """Return every version of a plugin, newest first; nothing for an unknown id."""
        return self._versions.get(plugin, ())

    def get(self, plugin: str, version: Version | str | None = None) -> Found:
        """Return a version of a plugin, the newest unless one is named.

        Raises PluginNotFound with the nearest names, or with what keeps the plugin from being used.
        """
        found = self.versions(plugin)
        if not found:
            error = PluginNotFound(plugin, self._versions, looked_in=DOORS)
            error.hint = self._what_keeps(plugin) or error.hint
            raise error
        if version is None:
            return found[0]
        for each in found:
            if each.version is version or str(version) in {str(each.version), each.raw_version}:
                return each
        raise PluginNotFound(f"{plugin} {version}", [f"{plugin} {each.version}" for each in found])

    def _what_keeps(self, plugin: str) -> str:
        """Return a hint about the problem that is a plugin's: of its id, or in a folder of that name."""
        for each in self._problems:
            if isinstance(each.error, PluginConflict) and each.error.plugin == plugin:
                return f"{each.error} {each.error.hint}"
            if isinstance(each.error, ManifestInvalid) and each.path.parent.name == plugin:
                return f"{each.path} is not valid: `hotswap plugin validate {each.path}` says why."
        return ""

    def manifests(self) -> Mapping[str, tuple[Manifest, ...]]:
        """Return the manifests by id, newest first; each is decoded when it is looked up."""
        return _Manifests(self._versions)

    def providers_of(self, port: str) -> tuple[str, ...]:
        """Return the ids of plugins of which any version provides a port, sorted."""
        return tuple(sorted({each for plugins in self._names_of(port).values() for each in plugins}))

    def provider(self, port: str, name: str) -> tuple[str, ...]:
        """Return the ids of plugins that call a provider of ``port`` by that name, sorted."""
        return self._names_of(port).get(name, ())

    def _names_of(self, port: str) -> Mapping[str, tuple[str, ...]]:
        """Return the names of all providers of a port, each with the plugins that call one so, sorted."""
        if self._offered is None:
            offered: dict[str, dict[str, tuple[str, ...]]] = {}
            for plugin, versions in self._versions.items():
                for of, name in dict.fromkeys(pair for each in versions for pair in each.provides):
                    names = offered.setdefault(of, {})
                    names[name] = (*names.get(name, ()), plugin)
            self._offered = offered
        return self._offered.get(port, {})

    def identity(self) -> str | None:
        """Return a digest of which manifests there are and what they say; None where one may change unseen."""
        from hashlib import sha256  # listing plugins needs none

        founds = list(chain.from_iterable(self._versions.values()))
        signatures = [each.signature for each in founds if each.signature is not None]
        if len(signatures) < len(founds):
            return None
        folders = "\0".join([os.fspath(each.folder) for each in founds])
        try:
            numbers = struct.pack(f"{3 * len(founds)}q", *chain.from_iterable(signatures))
        except struct.error:  # times of another age
            return None
        return sha256(folders.encode("utf-8", "surrogateescape") + numbers).hexdigest()

    def __iter__(self) -> Iterator[Found]:
        return chain.from_iterable(self._versions.values())

    def __len__(self) -> int:
        return sum(map(len, self._versions.values()))

    def __contains__(self, plugin: object) -> bool:
        return plugin in self._versions


class _Manifests(Mapping[str, tuple[Manifest, ...]]):
    def __init__(self, versions: Mapping[str, tuple[Found, ...]]) -> None:
        self._versions = versions

    def __getitem__(self, plugin: str) -> tuple[Manifest, ...]:
        return tuple(each.manifest for each in self._versions[plugin])

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)


def discover(
    settings: Settings, *, refresh: bool | Collection[str] = False, environ: Mapping[str, str] | None = None
) -> Catalog:
    """Look behind every door and return what is there; no plugin is imported, and no bad one is an error.

    ``refresh`` reads every manifest anew, whatever the cache says, or those in the folders that it names. ``environ``
    stands for ``os.environ`` (``HOTSWAP_HOME``, ``HOTSWAP_CACHE``).
    """
    environ = os.environ if environ is None else environ
    cache = CatalogCache(cache_file(environ))
    if refresh is not True:
        cache.load()
    anew = set() if isinstance(refresh, bool) else set(refresh)
    seen = scan(settings, environ, refresh=refresh is True)
    found: list[Found] = []
    problems = list(seen.problems)
    read: dict[str, Entry] = {}
    fresh = bool(refresh)
    for sighting in seen.sightings:
        door, folder, signature, package = sighting
        row = cache.get(folder, signature)
        if row is not None and folder not in anew:
            if row[1]:
                found.append(Found.of_row(row, cache.data, door, package, folder))
            else:
                problems.append(_problem(folder, json.loads(row[2])))
            continue
        fresh = True
        result = _read(sighting, read)
        if isinstance(result, Manifest):
            found.append(Found(result, door, folder, package))
            found[-1].signature = None if cache.is_racy(signature) else signature
        else:
            problems.append(Problem(Path(folder, MANIFEST), result))
    if fresh:
        cache.save(read, [each.folder for each in seen.sightings])
    return Catalog(found, problems, seen.roots)


def _problem(folder: str, problems: Sequence[str]) -> Problem:
    path = Path(folder, MANIFEST)
    return Problem(path, ManifestInvalid(str(path), problems))


def wanted(settings: Settings, catalog: Catalog) -> dict[str, SpecifierSet]:
    """Return the ids to open, with the versions asked for: what is enabled, and what ``[ports]`` names.

    A name under ``[ports]`` that is a plugin's id, or the name of a provider that exactly one plugin has, makes that
    plugin wanted unless it is disabled. A name that leads nowhere is left to whoever wires the ports.
    """
    from packaging.specifiers import SpecifierSet

    ids = settings.wanted.to_dict()
    for port, names in settings.ports.items():
        for name in names:
            plugins = (name,) if name in catalog else catalog.provider(port, name)
            if len(plugins) == 1 and plugins[0] not in settings.disabled:
                ids.setdefault(plugins[0], SpecifierSet())
    return ids


def trust_of(found: Found, settings: Settings) -> Trust:
    """Return how far a plugin is trusted: as ``[trust]`` says, else as its door does."""
    return settings.trust.get(found.id, default_trust(found.door, found.package))


def _read(sighting: Sighting, entries: dict[str, Entry]) -> Manifest | HotswapError:
    from hotswap.manifest.reader import read_manifest

    path = Path(sighting.folder, MANIFEST)
    try:
        manifest = read_manifest(path)
    except ManifestInvalid as error:
        if error.__cause__ is None:  # a file that could not be read now may be readable next time
            entries[sighting.folder] = Entry.of_problems(sighting.signature, error.problems)
        return error
    except Exception as error:  # noqa: BLE001 - one manifest never stops the others: reported as its problem
        return ManifestInvalid(str(path), [f"it cannot be read: {type(error).__name__}: {error}"])
    entries[sighting.folder] = Entry.of(sighting.signature, manifest)
    return manifest


_id = attrgetter("id")
_RANKS = {door: number for number, door in enumerate(DOORS)}


def _door_rank(found: Found) -> int:
    return _RANKS.get(found.door, len(DOORS))
