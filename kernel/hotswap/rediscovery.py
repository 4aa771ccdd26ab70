"""One plugin read anew from disk, without a look at the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from hotswap.catalog import Catalog, discover
from hotswap.discovery import MANIFEST, root_times
from hotswap.errors import ManifestInvalid
from hotswap.found import Found
from hotswap.manifest import Manifest
from hotswap.settings import Settings


def discover_again(
    plugin: str,
    catalog: Catalog,
    settings: Settings,
    environ: Mapping[str, str] | None = None,
    opened: Path | None = None,
) -> tuple[Found, ...] | Catalog:
    """Return the versions of a plugin as they are on disk now, or the whole catalog where more than they may be other.

    While no folder of a door has changed no plugin has come or gone, and what a plugin's own folders hold is all there
    is to read.

    Args:
        opened: the folder of the version that is open; None where none is.

    Raises:
        ManifestInvalid: that of the version that is open is not valid now, or no version is left with one that is.
    """
    versions = catalog.versions(plugin)
    folders = [str(each.path) for each in versions]
    is_installed = any(each.door == "distribution" for each in versions)  # by whom is in no folder of a door
    if folders and not is_installed and not catalog.problems and catalog.roots == root_times(catalog.roots):
        read = [_manifest(each) for each in folders]
        known = [each for each in read if each is not None and each.id == plugin]
        if len({each.version for each in known}) == len(folders):
            return tuple(
                Found(manifest, each.door, each.path, each.package)
                for manifest, each in zip(known, versions, strict=True)
            )
    after = discover(settings, refresh=folders or True, environ=environ)
    _check(plugin, after, [str(opened)] if opened is not None else [] if plugin in after else folders)
    return after


def _check(plugin: str, after: Catalog, folders: Collection[str]) -> None:
    """Raise the error of a manifest in these folders; where none is known, of the one in a folder of that name."""
    for each in after.problems:
        folder = each.path.parent
        is_its_own = str(folder) in folders or (not folders and plugin not in after and folder.name == plugin)
        if is_its_own and isinstance(each.error, ManifestInvalid):
            raise each.error


def _manifest(folder: str) -> Manifest | None:
    from hotswap.manifest.reader import read_manifest

    try:
        return read_manifest(Path(folder, MANIFEST))
    except Exception:  # noqa: BLE001 - discover reads it again, and reports it
        return None
