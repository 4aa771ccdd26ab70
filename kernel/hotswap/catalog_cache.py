"""What was read from manifests, kept in one file, so that a thousand plugins need not be parsed at every start.

The index holds what every start needs of each plugin (id, version, providers, whether it may rest); then follows the
data of each manifest, which is decoded only when somebody asks for that plugin. An entry is good while its
``plugin.toml`` has the size and the times it had.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hotswap.cache_file import RACY_NS, CacheFile, cache_path, program
from hotswap.discovery import Sighting
from hotswap.errors import ManifestInvalid
from hotswap.manifest.model import Manifest

FORMAT = 2
KEPT_UNSEEN = 1_000
"""Entries of plugins not seen this time (those of other projects) that are kept when the file is written anew."""


class Entry(NamedTuple):
    """What is known of one ``plugin.toml``: a manifest, or the problems that make it none."""

    signature: tuple[int, int, int]
    id: str
    """Empty for a file that is no manifest."""
    version: str
    """As its manifest writes it."""
    provides: Sequence[Sequence[str]]
    """Port and provider name of each provider."""
    rests: bool
    """Whether the plugin may be opened by the first call that needs it."""
    data: bytes
    """The manifest's data in JSON; for a file that is no manifest the list of its problems."""

    @classmethod
    def of(cls, sighting: Sighting, manifest: Manifest) -> Entry:
        """Make the entry of a manifest that was just read."""
        from hotswap.manifest.codec import to_data

        provides = tuple((each.port, each.name) for each in manifest.provides)
        data = json.dumps(to_data(manifest), separators=(",", ":")).encode()
        return cls(sighting.signature, manifest.id, manifest.raw_version, provides, manifest.may_rest, data)

    @classmethod
    def of_problems(cls, sighting: Sighting, problems: Sequence[str]) -> Entry:
        """Make the entry of a file that is no manifest, so that it is not parsed again until it changes."""
        return cls(sighting.signature, "", "", (), False, json.dumps(list(problems)).encode())

    def problem(self, path: str) -> ManifestInvalid:
        """Return the error to report of a file that is no manifest."""
        return ManifestInvalid(path, json.loads(self.data))

    def manifest(self, path: str) -> Manifest:
        """Decode it; data that cannot be decoded is replaced by the file, which may raise ManifestInvalid."""
        from hotswap.manifest.codec import from_data

        try:
            return from_data(json.loads(self.data))
        except Exception as error:  # noqa: BLE001 - logged: whatever is wrong with the cache, the file is still there
            CacheFile(None, []).log("an entry cannot be decoded", error, path)
            from hotswap.manifest.reader import read_manifest

            return read_manifest(Path(path))


class CatalogCache:
    """The cache file; ``None`` in its place remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = CacheFile(path, [FORMAT, *program(Manifest.__module__)])
        self._entries: dict[str, Entry] = {}
        self._read_at = time.time_ns()

    def load(self) -> None:
        """Read the file."""
        content = self._file.read()
        try:
            self._entries = {} if content is None else _entries(*content)
        except (TypeError, ValueError, RecursionError) as error:
            self._file.log("it has another shape", error)

    def get(self, sighting: Sighting) -> Entry | None:
        """Return what is known of a ``plugin.toml`` that has not changed since."""
        entry = self._entries.get(sighting.folder)
        return entry if entry is not None and entry.signature == sighting.signature else None

    def save(self, entries: Mapping[str, Entry]) -> None:
        """Write the file anew with these entries by folder and some of those that were not seen."""
        kept = {folder: each for folder, each in entries.items() if not self.is_racy(each.signature)}
        others = [folder for folder in self._entries if folder not in entries]
        kept.update((folder, self._entries[folder]) for folder in others[:KEPT_UNSEEN])
        rows = kept.values()
        columns = [
            list(kept),
            *([each.signature[number] for each in rows] for number in range(3)),
            *([each[number] for each in rows] for number in range(1, 5)),
            list(accumulate(len(each.data) for each in rows)),
        ]
        self._file.write(columns, b"".join(each.data for each in rows))

    def is_racy(self, signature: tuple[int, int, int]) -> bool:
        """Return whether a file may have changed since it was read, and look as it did."""
        return self._read_at - signature[1] < RACY_NS


def _entries(columns: list[list[Any]], body: bytes) -> dict[str, Entry]:
    """Return the entries by folder; TypeError or ValueError for what was not written here.

    Columns, and not a row each: a thousand entries are then read and checked in a few steps.
    """
    folders, sizes, modified, changed, ids, versions, provides, rests, ends = columns
    pairs = list(chain.from_iterable(provides))
    "".join(chain(folders, ids, versions, chain.from_iterable(pairs)))  # a TypeError for any that is no text
    if (
        set(map(len, columns)) != {len(folders)}
        or not set(map(len, pairs)) <= {2}
        or not set(map(type, rests)) <= {bool}
    ):
        raise ValueError("its columns do not fit together")
    data = [body[start:end] for start, end in pairwise([0, *ends])]
    signatures = zip(sizes, modified, changed, strict=True)
    rows = map(Entry._make, zip(signatures, ids, versions, provides, rests, data, strict=True))
    entries = dict(zip(folders, rows, strict=True))
    for each in entries.values():
        if not each.id:
            "".join(json.loads(each.data))
    return entries


def cache_file(environ: Mapping[str, str]) -> Path | None:
    """Return where the cache is; None for nowhere."""
    return cache_path(environ, "catalog")
