"""Where the plugin lies that somebody works on, and how its code is imported there."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import field, frozen

from hotswap.catalog import discover
from hotswap.discovery import ENTRY_POINTS, MANIFEST
from hotswap.errors import PluginAmbiguous, PluginNotFound
from hotswap.found import Found
from hotswap.manifest.reader import read_manifest
from hotswap.settings import Settings

PROJECT = "pyproject.toml"
_UP = 4
"""Folders above a plugin in which its distribution's root is looked for."""

_HIDDEN = (".", "__")


@frozen
class Location:
    """A plugin's folder; where a distribution names it, what it is imported as besides."""

    folder: Path
    package: str | None = None
    """Import name of the folder."""
    source: Path | None = None
    """What has to stand on the search path, first, for that name to lead there; None where it leads there anyway."""
    project: Path = field(kw_only=True)
    """Where its tests run: the root of its distribution, or its own folder."""

    @property
    def manifest(self) -> Path:
        """Return its ``plugin.toml``."""
        return self.folder / MANIFEST

    def found(self) -> Found:
        """Return it as if it had come in by its door.

        Raises:
            ManifestInvalid: it is not valid.
        """
        door = "path" if self.package is None else "distribution"
        return Found(read_manifest(self.manifest), door, self.folder, self.package)

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let its import name lead to its folder in this process."""
        places = [] if self.source is None else [str(self.source)]
        sys.path[:0] = places
        try:
            yield
        finally:
            for each in places:
                with suppress(ValueError):  # the code that was imported may have rearranged the search path
                    sys.path.remove(each)


def is_path(text: str | os.PathLike[str]) -> bool:
    """Return whether a text means a path, there or not, and no id."""
    return isinstance(text, os.PathLike) or os.path.exists(text) or any(each in text for each in (os.sep, "/", "."))


def locate(plugin: str | os.PathLike[str]) -> Location:
    """Return where a plugin is.

    Args:
        plugin: its folder, its ``plugin.toml``, a folder that holds it alone, the root of the distribution whose entry
            points name it, or its id.

    Raises:
        PluginNotFound: it is not there.
        PluginAmbiguous: there is more than one.
    """
    if not is_path(plugin):
        return _installed(str(plugin))
    path = Path(plugin).absolute()
    folders = list(dict.fromkeys(_folders(path.parent if path.name == MANIFEST else path)))
    if len(folders) > 1:
        raise PluginAmbiguous(str(path), {str(each): _id(each) for each in folders})
    if not folders:
        error = PluginNotFound(str(path))
        error.hint = (
            f"Neither it nor a folder in it has a {MANIFEST}, "
            f"nor does a {PROJECT} there name a package under entry-points.{ENTRY_POINTS!r} that has one."
        )
        raise error
    return _at(folders[0])


def find_plugin(plugin: str | os.PathLike[str]) -> Found:
    """Return a plugin as a kernel would find it: through its distribution, where that is what is installed.

    Raises:
        PluginNotFound, PluginAmbiguous: as ``locate``.
        ManifestInvalid: it is not valid.
    """
    if not is_path(plugin):
        return _catalogued(str(plugin))
    location = locate(plugin)
    found = Found(read_manifest(location.manifest), "path", location.folder)
    return _twin(found) or found


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders of the plugins that a path means."""
    if (path / MANIFEST).is_file():
        yield path
        return
    for package in entry_points(path):
        for each, _ in _places(path, package):
            yield from (folder for folder in (each, *_inner(each)) if (folder / MANIFEST).is_file())
    yield from _inner(path)


def _inner(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [
        each for each in sorted(folder.iterdir()) if not each.name.startswith(_HIDDEN) and (each / MANIFEST).is_file()
    ]


def entry_points(root: Path) -> list[str]:
    """Return the packages that the project in a folder names as its plugins'."""
    try:
        table = tomllib.loads((root / PROJECT).read_text("utf-8")).get("project", {})
        named = table.get("entry-points", {}).get(ENTRY_POINTS, {})
        return [str(each).strip() for each in named.values()]
    except (OSError, ValueError, AttributeError):  # no project, or one whose mistakes are told by those who build it
        return []


def _places(root: Path, package: str) -> Iterator[tuple[Path, Path]]:
    """Yield the folders of a package in a project, each with the folder on the search path that it lies in."""
    parts = package.split(".")
    sources = [root, *(each for each in sorted(root.iterdir()) if each.is_dir() and not each.name.startswith(_HIDDEN))]
    for source in sources:
        if source.joinpath(*parts).is_dir():
            yield source.joinpath(*parts), source


def _at(folder: Path) -> Location:
    for root in [*folder.parents][:_UP]:
        for package in entry_points(root):
            for place, source in _places(root, package):
                if folder == place:
                    return Location(folder, package, source, project=root)
                if folder.parent == place and folder.name.isidentifier():
                    return Location(folder, f"{package}.{folder.name}", source, project=root)
    return Location(folder, project=folder)


def _installed(plugin: str) -> Location:
    found = _catalogued(plugin)
    location = _at(found.path)
    if found.package is None or location.package is not None:
        return location
    return Location(found.path, found.package, project=Path.cwd())


def _catalogued(plugin: str) -> Found:
    return discover(Settings(enabled=()), environ=_environ()).get(plugin)


def _twin(found: Found) -> Found | None:
    """Return the same folder as an installed distribution's."""
    catalog = discover(Settings(enabled=()), environ=_environ())
    same = [each for each in catalog.versions(found.id) if each.path.resolve() == found.path.resolve()]
    return next((each for each in same if each.door == "distribution"), None)


def _environ() -> Mapping[str, str]:
    return {**os.environ, "HOTSWAP_CACHE": "off"}


def _id(folder: Path) -> str:
    try:
        return str(tomllib.loads((folder / MANIFEST).read_text("utf-8"))["plugin"]["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name
