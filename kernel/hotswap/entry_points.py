"""Entry points of installed distributions, read when something was installed and remembered until then.

``importlib.metadata`` opens a file of every distribution each time it is asked. Whatever installs, upgrades or removes
one changes its folder on ``sys.path``: as long as those folders have the times that they had, nothing is read.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, field, frozen

from hotswap.cache_file import RACY_NS, CacheFile, cache_path, program

if TYPE_CHECKING:
    from importlib import metadata

GROUPS = ("hotswap.plugins", "hotswap.ports")
_KEPT = 8
"""Environments (different contents of ``sys.path``) whose entry points the cache file keeps."""


@frozen
class EntryPoint:
    """One entry point."""

    name: str
    value: str
    """``package``, or ``module:attribute``."""
    where: str
    """The folder that its distribution lies in."""

    def load(self) -> object:
        """Import what it names; that may raise anything."""
        from importlib.metadata import EntryPoint as Standard

        return Standard(self.name, self.value, "").load()


@frozen
class Installed:
    """What the distributions on ``sys.path`` name."""

    groups: Mapping[str, tuple[EntryPoint, ...]] = field(factory=dict)
    broken: tuple[tuple[str, Exception], ...] = ()
    """Where a distribution lies whose entry points cannot be read, and the error; the others are there."""


Signature: TypeAlias = list[Any]
"""The path of a file or folder, its times, size and identity (none where it is not there), and what lies in it."""


@frozen
class _Look:
    """What was read, and what has to be as it was for that to hold."""

    places: list[Signature]
    """The entries of ``sys.path``."""
    watched: list[Signature]
    """Files that are written anew where they are."""
    installed: Installed

    def now(self, paths: list[str]) -> _Look | None:
        """Return it with the times of now; None where other places are looked in, or something there has changed."""
        if [each[0] for each in self.places] != paths:
            return None
        settled = time.time_ns() - RACY_NS
        places = [now for each in self.places if (now := _now(each, settled)) is not None]
        if len(places) < len(paths) or None in [_now(each, settled) for each in self.watched]:
            return None
        return self if places == self.places else evolve(self, places=places)

    @property
    def is_young(self) -> bool:
        """Return whether a place had been changed so shortly before that its times said nothing."""
        return any(facts is None for _, facts, _ in self.places)


_latest: _Look | None = None


def installed(environ: Mapping[str, str], *, refresh: bool = False) -> Installed:
    """Return the entry points of ``GROUPS``; ``refresh`` reads them whatever is remembered."""
    global _latest
    if not _is_plain():
        return _read([])
    paths = list(map(os.path.abspath, sys.path))
    known = None if refresh or _latest is None else _latest.now(paths)
    if known is None:
        known, settled = _look(paths, _Cached(environ), refresh)
        if not settled:
            return known.installed
    _latest = known
    return known.installed


def _look(paths: list[str], cached: _Cached, refresh: bool) -> tuple[_Look, bool]:
    """Return what the file knows, or read all; and whether what comes later would be noticed."""
    looks = cached.looks()
    for each in () if refresh else looks:
        if (known := each.now(paths)) is not None:
            if each.is_young and not known.is_young:
                cached.write(looks, known)
            return known, True
    known, settled = _looked(paths)
    if settled:
        cached.write(looks, known)
    return known, settled


def _looked(paths: list[str]) -> tuple[_Look, bool]:
    """Read all; return whether what comes later would be noticed."""
    settled = time.time_ns() - RACY_NS
    before = [_signature(each, settled) for each in paths]
    watched: list[str] = []
    found = _read(watched)
    look = _Look([_signature(each, settled) for each in paths], [_signature(each, settled) for each in watched], found)
    return look, not found.broken and look.places == before and all(each[-1] != _FRESH for each in look.places)


_FRESH = "fresh"


def _signature(path: str, settled: int) -> Signature:
    """Return what changes with a file or a folder; where it was changed after ``settled``, its times say nothing."""
    facts = _facts(path)
    return [path, facts if not facts or facts[0] < settled else None, _metadata(path, settled) if facts else ""]


def _now(signature: Signature, settled: int) -> Signature | None:
    """Return the signature with the times of now; None where what it stands for has changed."""
    path, facts, metadata = signature
    now = _facts(path)
    if now == facts:
        return signature
    if not now or not metadata or metadata != _metadata(path):
        return None
    return [path, now if now[0] < settled else None, metadata]


def _facts(path: str) -> list[int]:
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_dev, found.st_ino]


def _metadata(folder: str, settled: int | None = None) -> str:
    """Return what changes with the distributions in a folder of which other things change too: a project's own."""
    try:
        names = sorted(
            each for each in os.listdir(folder) if each.lower().endswith((".dist-info", ".egg-info", ".egg"))
        )
    except OSError:
        return ""
    if not names:
        return "none"
    from hashlib import sha256  # needed only where distributions and other things lie side by side

    paths = [os.path.join(folder, each, *inner) for each in names for inner in ((), ("entry_points.txt",))]
    found = [(each, _facts(each)) for each in paths]
    if settled is not None and any(facts[0] >= settled for _, facts in found if facts):
        return _FRESH
    return sha256(repr(found).encode()).hexdigest()


def _is_plain() -> bool:
    """Return whether distributions are looked for on ``sys.path`` alone: other finders may answer as they like."""
    finders = [each for each in sys.meta_path if hasattr(each, "find_distributions")]
    return all(each is PathFinder or type(each).__module__ == "importlib_metadata" for each in finders)


def _read(watched: list[str]) -> Installed:
    """Read all, and add the files to watch: those of ours, and those that setuptools writes anew where they are."""
    from importlib import metadata

    groups: dict[str, tuple[EntryPoint, ...]] = {}
    try:
        for group in GROUPS:
            groups[group] = tuple(_ours(metadata.entry_points(group=group), watched))
        distributions = list(metadata.distributions())
    except Exception:  # noqa: BLE001 - one broken distribution must not hide the others: they are asked one by one
        return _one_by_one()
    watched += [file for each in distributions if os.path.dirname(file := _file_of(each)).endswith(".egg-info")]
    return Installed(groups)


def _ours(points: Iterable[metadata.EntryPoint], watched: list[str]) -> Iterator[EntryPoint]:
    for each in points:
        distribution = each.dist
        yield EntryPoint(each.name, each.value, "" if distribution is None else _folder_of(distribution))
        if distribution is not None and (file := _file_of(distribution)):
            watched.append(file)


def _folder_of(distribution: metadata.Distribution) -> str:
    return str(distribution.locate_file(""))


def _file_of(distribution: metadata.Distribution) -> str:
    """Return where the entry points of a distribution are, or would be; empty where that is not known."""
    folder = getattr(distribution, "_path", None)  # the one thing that importlib.metadata knows and does not tell
    return "" if folder is None else os.path.abspath(os.path.join(str(folder), "entry_points.txt"))


def _one_by_one() -> Installed:
    from importlib import metadata

    found: dict[str, list[EntryPoint]] = {group: [] for group in GROUPS}
    broken: list[tuple[str, Exception]] = []
    for each in metadata.distributions():
        try:
            points = each.entry_points
            for group in GROUPS:
                found[group] += _ours(points.select(group=group), [])
        except Exception as error:  # noqa: BLE001 - reported, and the next distribution is asked
            broken.append((_folder_of(each), error))
    return Installed({group: tuple(points) for group, points in found.items()}, tuple(broken))


class _Cached:
    """The cache file: for each of some contents of ``sys.path`` what was found there, the latest last."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._file = CacheFile(cache_path(environ, "entry-points"), program(__name__)[:1])

    def looks(self) -> list[_Look]:
        """Return what was written that still has the right shape."""
        content = self._file.read()
        try:
            return [_decoded(*each) for each in content[0]] if content is not None else []
        except (TypeError, ValueError, KeyError) as error:
            self._file.log("it has another shape", error)
            return []

    def write(self, looks: Iterable[_Look], latest: _Look) -> None:
        """Write the latest, and the others of ``looks``."""
        paths = [each[0] for each in latest.places]
        others = [each for each in looks if [one[0] for one in each.places] != paths]
        self._file.write([_encoded(each) for each in (*others[1 - _KEPT :], latest)])


def _encoded(look: _Look) -> list[Any]:
    points = [[group, e.name, e.value, e.where] for group, found in look.installed.groups.items() for e in found]
    return [look.places, look.watched, points]


def _decoded(places: list[Signature], watched: list[Signature], points: Iterable[list[str]]) -> _Look:
    """Return what was encoded; TypeError, ValueError or KeyError for anything else."""
    for path, _, metadata in [*places, *watched]:
        os.path.join(path, metadata)
    groups: dict[str, list[EntryPoint]] = {group: [] for group in GROUPS}
    for group, name, value, where in points:
        os.path.join(name, value, where)
        groups[group].append(EntryPoint(name, value, where))
    return _Look(places, watched, Installed({group: tuple(found) for group, found in groups.items()}))
