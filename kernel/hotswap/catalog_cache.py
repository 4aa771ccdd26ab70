"""What was read from manifests, kept in one file, so that a thousand plugins need not be parsed at every start.

The file is a line of JSON (the light index: id, version and providers of each plugin, and where its data lies), then
the data of each manifest, which is decoded only when somebody asks for that plugin. An entry is good while its
``plugin.toml`` has the size and the times it had. A cache decides which code is loaded, so one that another user could
have written is not read, and it holds JSON alone. A cache that cannot be used is never an error: it is logged at debug
level.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from hotswap.discovery import MANIFEST, RACY_NS, Sighting
from hotswap.errors import ManifestInvalid
from hotswap.manifest.model import Manifest

FORMAT = 1
KEPT_UNSEEN = 1_000
"""Entries of plugins not seen this time (those of other projects) that are kept when the file is written anew."""
_MAX_BYTES = 64 * 1024 * 1024


class Stored:
    """A manifest in the cache: its index at hand, the rest decoded on demand."""

    __slots__ = ("_data", "_path", "id", "provides", "version")

    def __init__(
        self, plugin: str, version: str, provides: tuple[tuple[str, str], ...], data: bytes, path: str
    ) -> None:
        self.id = plugin
        self.version = version
        self.provides = provides
        """Port and provider name of each provider."""
        self._data = data
        self._path = path

    def read(self) -> Manifest:
        """Decode it; data that cannot be decoded is replaced by the file, which may raise ManifestInvalid."""
        from hotswap.manifest.codec import from_data

        try:
            return from_data(json.loads(self._data))
        except Exception as error:  # noqa: BLE001 - logged: whatever is wrong with the cache, the file is still there
            _log("an entry cannot be decoded", self._path, error)
            from hotswap.manifest.reader import read_manifest

            return read_manifest(Path(self._path))


@frozen
class Entry:
    """What is known of one ``plugin.toml``: a manifest, or the problems that make it none."""

    signature: tuple[int, int, int]
    id: str
    version: str
    provides: tuple[tuple[str, str], ...]
    data: bytes
    """The manifest's data in JSON; for a file that is no manifest (then ``id`` is empty) the list of its problems."""

    @classmethod
    def of(cls, sighting: Sighting, manifest: Manifest) -> Entry:
        """Make the entry of a manifest that was just read."""
        from hotswap.manifest.codec import to_data

        provides = tuple((each.port, each.name) for each in manifest.provides)
        data = json.dumps(to_data(manifest), separators=(",", ":")).encode()
        return cls(sighting.signature, manifest.id, str(manifest.version), provides, data)

    @classmethod
    def of_problems(cls, sighting: Sighting, problems: Sequence[str]) -> Entry:
        """Make the entry of a file that is no manifest, so that it is not parsed again until it changes."""
        return cls(sighting.signature, "", "", (), json.dumps(list(problems)).encode())

    @classmethod
    def of_row(cls, row: Any, body: bytes) -> Entry:
        """Make the entry that a line of the index describes. ValueError or TypeError when it is none."""
        size, modified, changed, plugin, version, provides, start, end = row
        if not (isinstance(plugin, str) and isinstance(version, str)):
            raise TypeError("its id and version must be text")
        data = body[start:end]
        if not plugin and not all(isinstance(each, str) for each in json.loads(data)):
            raise TypeError("its problems must be texts")
        return cls((size, modified, changed), plugin, version, tuple(map(tuple, provides)), data)

    def result(self, sighting: Sighting) -> Stored | ManifestInvalid:
        """Return what reading the file would have: a manifest, or the error to report."""
        path = os.path.join(sighting.folder, MANIFEST)
        if self.id:
            return Stored(self.id, self.version, self.provides, self.data, path)
        return ManifestInvalid(path, json.loads(self.data))


class CatalogCache:
    """One cache file; ``None`` in its place remembers nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._index: Mapping[str, Any] = {}
        self._body = b""
        self._made_for = _made_for()
        self._read_at = time.time_ns()

    def load(self) -> None:
        """Read the file, if it is there, is ours, and was made by this very program."""
        if self._file is None:
            return
        try:
            head, _, body = _own_bytes(self._file).partition(b"\n")
            header = json.loads(head)
            if header["made_for"] != self._made_for:
                return
            if header["crc"] != zlib.crc32(body):
                raise ValueError("its data is damaged")
            self._index, self._body = dict(header["entries"]), body
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            _log("it is not used", str(self._file), error)

    def get(self, sighting: Sighting) -> Entry | None:
        """Return what is known of a ``plugin.toml`` that has not changed since."""
        entry = self._entry(sighting.folder)
        return entry if entry is not None and entry.signature == sighting.signature else None

    def _entry(self, folder: str) -> Entry | None:
        row = self._index.get(folder)
        if row is None:
            return None
        try:
            return Entry.of_row(row, self._body)
        except (ValueError, TypeError) as error:
            _log("an entry has another shape", folder, error)
            return None

    def save(self, entries: Mapping[str, Entry]) -> None:
        """Write the file anew, in one step, with these entries by folder and some of those that were not seen."""
        if self._file is None:
            return
        kept = {folder: each for folder, each in entries.items() if not self._is_racy(each)}
        rows: dict[str, list[Any]] = {}
        parts: list[bytes] = []
        end = 0
        for folder, entry in [*kept.items(), *self._unseen(entries)]:
            start, end = end, end + len(entry.data)
            rows[folder] = [*entry.signature, entry.id, entry.version, entry.provides, start, end]
            parts.append(entry.data)
        body = b"".join(parts)
        header = {"made_for": self._made_for, "crc": zlib.crc32(body), "entries": rows}
        try:
            _write(self._file, json.dumps(header, separators=(",", ":")).encode() + b"\n" + body)
        except OSError as error:
            _log("it cannot be written", str(self._file), error)

    def _is_racy(self, entry: Entry) -> bool:
        return self._read_at - entry.signature[1] < RACY_NS

    def _unseen(self, entries: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
        others = [folder for folder in self._index if folder not in entries][:KEPT_UNSEEN]
        return [(folder, entry) for folder in others if (entry := self._entry(folder)) is not None]


def cache_file(environ: Mapping[str, str]) -> Path | None:
    """Return where the cache is: ``HOTSWAP_CACHE`` (a folder, or ``off``), else the user's cache folder."""
    folder = environ.get("HOTSWAP_CACHE")
    if folder is None:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("hotswap", appauthor=False)
    elif folder.strip().lower() in {"", "0", "off", "no", "false"}:
        return None
    return Path(os.path.expanduser(folder)).absolute() / f"catalog-{sys.version_info[0]}.{sys.version_info[1]}.cache"


def _made_for() -> list[Any]:
    # Another version of the code that reads manifests may judge them differently: the cache then starts afresh.
    code = os.path.dirname(sys.modules[Manifest.__module__].__file__ or "")
    try:
        with os.scandir(code) as files:
            stats = sorted((each.name, each.stat()) for each in files if each.name.endswith(".py"))
    except OSError:  # from a zip file
        stats = []
    return [FORMAT, sys.version, code, [[name, found.st_size, found.st_mtime_ns] for name, found in stats]]


def _own_bytes(file: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(file, flags), "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
            raise ValueError("it is not a file of sane size")
        if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            raise ValueError("others could have written it")
        return opened.read()


def _write(file: Path, content: bytes) -> None:
    from tempfile import mkstemp

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = mkstemp(prefix=f"{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        os.replace(temporary, file)
    except OSError:
        os.unlink(temporary)
        raise


def _log(what: str, where: str, error: Exception) -> None:
    import logging  # only a cache that is out of order pays for it

    logging.getLogger("hotswap.catalog").debug("catalog cache: %s: %s: %s", what, where, error)
