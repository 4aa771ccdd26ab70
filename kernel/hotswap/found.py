"""One version of one plugin, as it was found. Reading it imports no plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hotswap.cache_file import CacheFile
from hotswap.catalog_cache import Data, Row
from hotswap.discovery import MANIFEST
from hotswap.manifest.model import Manifest
from hotswap.manifest.versions import version_of

if TYPE_CHECKING:
    from packaging.version import Version

_NOTHING = Data()


class Found:
    """One version of one plugin, and where it was found. Its manifest is decoded when it is first asked for."""

    __slots__ = (
        "_data", "_end", "_manifest", "_start", "door", "folder", "id", "package", "provides", "raw_version", "rests",
        "signature",
    )  # fmt: skip

    def __init__(self, manifest: Manifest, door: str, path: Path | str, package: str | None = None) -> None:
        self.door = door
        """The door it came in by: one of ``discovery.DOORS``."""
        self.folder = path
        """The folder around its ``plugin.toml``, as it was found."""
        self.package = package
        """Import name of its folder, when that lies in an importable package: ``hotswap_plugins.http_scraper``."""
        self.signature: tuple[int, int, int] | None = None
        """That of its ``plugin.toml`` (see :class:`Sighting`); None where that may change unseen, or there is none."""
        self.id = manifest.id
        self.raw_version = manifest.raw_version
        """The version as the manifest writes it."""
        self.provides: Sequence[tuple[str, str]] = [(each.port, each.name) for each in manifest.provides]
        """Port and name of each provider."""
        self.rests = manifest.may_rest
        """Whether it may be opened by the first call that needs it."""
        self._manifest: Manifest | None = manifest
        self._data = _NOTHING
        self._start = self._end = 0

    @classmethod
    def of_row(cls, row: Row, data: Data, door: str, package: str | None, folder: str) -> Found:
        """Return what the cache knows of a manifest that was seen."""
        found = cls.__new__(cls)
        found.door, found.package, found.folder = door, package, folder
        found.signature, found.id, found.raw_version, found.provides, found.rests, found._start, found._end = row
        found._manifest, found._data = None, data
        return found

    @property
    def manifest(self) -> Manifest:
        """The whole manifest. ManifestInvalid, when the file had to be read again and is no longer sound."""
        if self._manifest is None:
            self._manifest = self._read()
        return self._manifest

    def _read(self) -> Manifest:
        from hotswap.manifest.codec import from_data

        try:
            return from_data(json.loads(self._data.part(self._start, self._end)))
        except Exception as error:  # noqa: BLE001 - logged: whatever is wrong with the cache, the file is still there
            from hotswap.manifest.reader import read_manifest

            path = os.path.join(self.folder, MANIFEST)
            CacheFile(None, []).log("an entry cannot be decoded", error, path)
            self.signature = None
            return read_manifest(Path(path))

    @property
    def version(self) -> Version:
        """The version, without the manifest being decoded."""
        return version_of(self.raw_version)

    @property
    def path(self) -> Path:
        """The folder around its ``plugin.toml``."""
        return Path(self.folder)

    def __repr__(self) -> str:
        return f"Found({self.id} {self.version}, door={self.door!r}, path={str(self.folder)!r})"
