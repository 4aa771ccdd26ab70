"""The doors by which plugins are found. Nothing is imported, no manifest opened: folders are listed, files stat'ed.

================  ====================================================================================================
door              where
================  ====================================================================================================
``path``          ``--plugin PATH`` and ``[plugins] paths``: a plugin's folder, its ``plugin.toml``, or a folder of
                  plugin folders
``project``       ``plugins/`` and ``.hotswap/plugins/`` in the project's folder
``user``          ``hotswap/plugins`` in the user's data folder, or ``plugins/`` in ``HOTSWAP_HOME``
``system``        ``hotswap/plugins`` in the system's data folders
``distribution``  entry points in the group ``hotswap.plugins``: each names a package that is a plugin, or holds plugin
                  folders
================  ====================================================================================================
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attrs import field, frozen

from hotswap.cache_file import RACY_NS
from hotswap.entry_points import EntryPoint, installed
from hotswap.errors import HotswapError, ManifestInvalid, PluginLoadFailed, PluginNotFound
from hotswap.trust import OWN_PACKAGE

if TYPE_CHECKING:
    from hotswap.settings import Settings

DOORS: tuple[str, ...] = ("path", "project", "user", "system", "distribution")
"""In order: an id belongs to the first door that has it."""
MANIFEST = "plugin.toml"
ENTRY_POINTS = "hotswap.plugins"
_new = tuple.__new__  # what the class of a named tuple calls: there may be thousands
_facts = attrgetter("st_mode", "st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


class Sighting(NamedTuple):
    """A ``plugin.toml`` that is there, unread."""

    door: str
    folder: str
    """Absolute path of the folder around it."""
    signature: tuple[int, int, int]
    """Size in bytes, modification and change time in nanoseconds: while they stay, the content stays."""
    package: str | None = None
    """Import name of the folder, when it lies in an importable package."""


@frozen
class Problem:
    """Something behind a door that is no usable plugin; the others went on without it."""

    path: Path
    error: HotswapError


@frozen
class Scan:
    """What stands behind the doors, in their order."""

    sightings: list[Sighting] = field(factory=list)
    problems: list[Problem] = field(factory=list)
    roots: dict[str, int] = field(factory=dict)
    """Folders that plugins' folders were looked for in -> when what is in them last changed, as ``root_times`` says."""


def scan(settings: Settings, environ: Mapping[str, str] | None = None, *, refresh: bool = False) -> Scan:
    """Look behind every door (in safe mode only for hotswap's own package); ``refresh`` trusts nothing remembered."""
    environ = os.environ if environ is None else environ
    look = _Look()
    if not settings.safe_mode:
        for path in settings.paths:
            look.at_path(os.path.abspath(path))
        folder = os.path.abspath(settings.folder)
        for plugins in (os.path.join(folder, "plugins"), os.path.join(folder, ".hotswap", "plugins")):
            look.into("project", plugins)
        look.into("user", user_folder(environ))
        for plugins in system_folders():
            look.into("system", plugins)
    found = installed(environ, refresh=refresh)
    for where, error in found.broken:
        look.broken(Path(where), error)
    for entry in found.groups[ENTRY_POINTS]:
        if not settings.safe_mode or entry.value == OWN_PACKAGE:
            look.at_entry_point(entry)
    return look.result


class _Look:
    """One look behind the doors: every manifest is taken once, however many paths and links lead to it."""

    def __init__(self) -> None:
        self.result = Scan()
        self._seen: dict[tuple[int, int], str] = {}
        self._packages: set[str] = set()

    def at_path(self, path: str) -> None:
        """Take an explicit path: here, unlike elsewhere, it is a problem when nothing is there."""
        if os.path.isdir(path):
            if not self.take("path", [(path, None)]) and not self.into("path", path):
                self._missing(path, f"Neither the folder nor one in it has a {MANIFEST}.")
        elif not os.path.lexists(path):
            self._missing(path, "There is no such path. Name a plugin's folder, or a folder of plugins' folders.")
        elif os.path.basename(path) != MANIFEST or not self.take("path", [(os.path.dirname(path), None)]):
            self._refuse(path, "it is neither a folder nor a plugin.toml")

    def _missing(self, path: str, why: str) -> None:
        error = PluginNotFound(path)
        error.hint = why
        self.result.problems.append(Problem(Path(path), error))

    def into(self, door: str, folder: str, package: str | None = None) -> bool:
        """Take every plugin folder in ``folder``, which need not be there; False when it held none.

        One level deep, so that no link can loop.
        """
        self.result.roots.update(root_times([folder], settled=True))
        try:
            names = sorted([each for each in os.listdir(folder) if not each.startswith((".", "__"))])
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            self._refuse(folder, f"the folder cannot be read: {error.strerror}")
            return True
        inside = os.path.join(folder, "")
        if package is None:
            return self.take(door, zip(map(inside.__add__, names), repeat(None)))
        inner = [f"{package}.{name}" if name.isidentifier() else None for name in names]
        return self.take(door, [(inside + name, each) for name, each in zip(names, inner, strict=True)])

    def take(self, door: str, folders: Iterable[tuple[str, str | None]]) -> bool:
        """Take the plugins in some folders, each with its import name; False when there is none in any of them."""
        held, seen, take, look, suffix = False, self._seen, self.result.sightings.append, os.stat, os.sep + MANIFEST
        for folder, package in folders:
            path = folder + suffix
            try:
                mode, device, number, size, modified, changed = _facts(look(path))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._refuse(path, f"it cannot be read: {error.strerror}")
                held = True
                continue
            held = True
            if not stat.S_ISREG(mode):  # opening a named pipe would wait for ever
                self._refuse(path, "it is not an ordinary file")
                continue
            first = seen.setdefault((device, number), folder)
            # Installers hard-link equal files: only the same real path is the same plugin.
            if first is folder or os.path.realpath(first + suffix) != os.path.realpath(path):
                take(_new(Sighting, (door, folder, (size, modified, changed), package)))
        return held

    def at_entry_point(self, entry: EntryPoint) -> None:
        """Take the plugins in the package that an entry point names."""
        name = entry.value.strip()
        if name in self._packages:
            return
        self._packages.add(name)
        try:
            folders = package_folders(name)
        except ImportError as error:
            reason = f"its entry point in the group {ENTRY_POINTS!r} is wrong: {error}"
            self.result.problems.append(Problem(Path(entry.where), PluginLoadFailed(entry.name, reason)))
            return
        for folder in folders:
            self.take("distribution", [(folder, name)])
            self.into("distribution", folder, name)

    def broken(self, where: Path, error: Exception) -> None:
        """Report a distribution whose entry points cannot be read."""
        reason = f"the entry points of a distribution there cannot be read: {error}"
        self.result.problems.append(Problem(where, PluginLoadFailed(where.name, reason)))

    def _refuse(self, path: str, reason: str) -> None:
        self.result.problems.append(Problem(Path(path), ManifestInvalid(path, [reason])))


def root_times(folders: Iterable[str], *, settled: bool = False) -> dict[str, int]:
    """Return when each folder last got or lost something, in nanoseconds; 0 for one that is not there.

    ``settled`` is for a first look: one that changed a moment ago may change again within one tick of its clock, so it
    gets a time that no later look will find.
    """
    times: dict[str, int] = {}
    for each in folders:
        try:
            times[each] = os.stat(each).st_mtime_ns
        except OSError:
            times[each] = 0
        if settled and time.time_ns() - times[each] < RACY_NS:
            times[each] = -1
    return times


def package_folders(name: str) -> list[str]:
    """Return the folders of a package without importing it or anything around it; ImportError when there is none.

    ``importlib.util.find_spec("a.b")`` imports ``a``; so only ``a`` is asked for, and the rest is walked.
    """
    from importlib.util import find_spec

    top, *inner = name.split(".")
    if not all(each.isidentifier() for each in (top, *inner)):
        raise ImportError(f"{name!r} is not the name of a package")
    try:
        spec = find_spec(top)
    except Exception as error:  # finders are anybody's code; what they raise becomes the reason
        raise ImportError(f"{name!r} cannot be located: {error}") from error
    if spec is None:
        raise ImportError(f"there is no package {top!r}")
    if spec.submodule_search_locations is None:
        raise ImportError(f"{top!r} is a module, not a package")
    folders = [os.path.abspath(os.path.join(each, *inner)) for each in spec.submodule_search_locations]
    if existing := [each for each in folders if os.path.isdir(each)]:
        return existing
    raise ImportError(f"{name!r} is no folder on disk")


def user_folder(environ: Mapping[str, str]) -> str:
    """Return where the user's own plugins are looked for."""
    if home := environ.get("HOTSWAP_HOME"):
        return os.path.abspath(os.path.join(os.path.expanduser(home), "plugins"))
    from platformdirs import user_data_dir

    return os.path.join(user_data_dir("hotswap", appauthor=False), "plugins")


def system_folders() -> list[str]:
    """Return where the plugins of all users of the machine are looked for."""
    from platformdirs import site_data_dir

    folders = site_data_dir("hotswap", appauthor=False, multipath=True).split(os.pathsep)
    return [os.path.join(each, "plugins") for each in folders]
