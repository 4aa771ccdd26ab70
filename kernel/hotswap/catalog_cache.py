"""What was read from manifests, kept in one file, so that a thousand plugins need not be parsed at every start.

The index holds what every start needs of each plugin (id, version, providers, whether it may rest); then follows,
packed, the data of each manifest, which is decoded only when somebody asks for that plugin. An entry is good while its
``plugin.toml`` has the size and the times it had.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from hotswap.cache_file import RACY_NS, CacheFile, cache_path, program
from hotswap.manifest.model import Manifest

FORMAT = 2
KEPT_UNSEEN = 1_000
"""Entries of plugins not seen this time (those of other projects) that are kept when the file is written anew."""


Signature: TypeAlias = tuple[int, int, int]
Row: TypeAlias = tuple[Signature, str, str, Sequence[tuple[str, str]], bool, int, int]
"""A line of the index: what an entry says, and where its data begins and ends."""
_MOST_DATA = 256 * 1024 * 1024


class Data:
    """The data of all manifests, unpacked when the first of them is asked for."""

    def __init__(self, packed: bytes | memoryview = b"") -> None:
        self._packed = packed
        self._all: bytes | None = None

    def part(self, start: int, end: int) -> bytes:
        """Return the data of one manifest; ``zlib.error`` where nothing can be unpacked."""
        if self._all is None:
            self._all = zlib.decompressobj().decompress(self._packed, _MOST_DATA) if self._packed else b""
            self._packed = b""
        return self._all[start:end]


class Entry(NamedTuple):
    """What is known of one ``plugin.toml``: a manifest, or the problems that make it none."""

    signature: Signature
    id: str
    """Empty for a file that is no manifest."""
    version: str
    """As its manifest writes it; for a file that is no manifest its problems, a list in JSON."""
    provides: Sequence[tuple[str, str]]
    """Port and provider name of each provider."""
    rests: bool
    """Whether the plugin may be opened by the first call that needs it."""
    data: bytes
    """The manifest's data in JSON."""

    @classmethod
    def of(cls, signature: Signature, manifest: Manifest) -> Entry:
        """Make the entry of a manifest that was just read."""
        from hotswap.manifest.codec import to_data

        provides = tuple((each.port, each.name) for each in manifest.provides)
        data = json.dumps(to_data(manifest), separators=(",", ":")).encode()
        return cls(signature, manifest.id, manifest.raw_version, provides, manifest.may_rest, data)

    @classmethod
    def of_problems(cls, signature: Signature, problems: Sequence[str]) -> Entry:
        """Make the entry of a file that is no manifest, so that it is not parsed again until it changes."""
        return cls(signature, "", json.dumps(list(problems)), (), False, b"")


class CatalogCache:
    """The cache file; ``None`` in its place remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = CacheFile(path, [FORMAT, sys.byteorder, *program(Manifest.__module__)])
        self._rows: dict[str, Row] = {}
        self.data = Data()
        self._read_at = time.time_ns()

    def load(self) -> None:
        """Read the file."""
        content = self._file.read()
        try:
            if content is not None:
                self._rows, self.data = _read(*content)
        except (TypeError, ValueError, RecursionError) as error:
            self._file.log("it has another shape", error)

    def get(self, folder: str, signature: Signature) -> Row | None:
        """Return what is known of a ``plugin.toml`` that has not changed since."""
        row = self._rows.get(folder)
        return row if row is not None and row[0] == signature else None

    def save(self, read: Mapping[str, Entry], seen: Iterable[str]) -> None:
        """Write the file anew: what was read, by folder, what was ``seen`` and known, and some of what was not seen."""
        folders = dict.fromkeys(seen)
        others = [each for each in self._rows if each not in folders][:KEPT_UNSEEN]
        try:
            known = {each: self._entry(each) for each in (*folders, *others) if each in self._rows and each not in read}
        except zlib.error as error:
            self._file.log("its data cannot be unpacked", error)
            known = {}
        known = {each: known.get(each) or read[each] for each in (*folders, *others) if each in known or each in read}
        kept = {folder: each for folder, each in known.items() if self._can_keep(each.signature)}
        rows = kept.values()
        pairs = [pair for each in rows for pair in each.provides]
        numbers = array("q", chain.from_iterable(zip(*(each.signature for each in rows), strict=True)))
        numbers.extend(accumulate(len(each.data) for each in rows))
        columns = [
            list(kept),
            [each.id for each in rows],
            [each.version for each in rows],
            [port for port, _ in pairs],
            [name for _, name in pairs],
            [len(each.provides) for each in rows],
            [each.rests for each in rows],
        ]
        self._file.write(columns, numbers.tobytes() + zlib.compress(b"".join(each.data for each in rows), 1))

    def _can_keep(self, signature: Signature) -> bool:
        return not self.is_racy(signature) and all(abs(each) < 2**63 for each in signature)  # as 64 bits

    def _entry(self, folder: str) -> Entry:
        signature, plugin, version, provides, rests, start, end = self._rows[folder]
        return Entry(signature, plugin, version, provides, rests, self.data.part(start, end))

    def is_racy(self, signature: Signature) -> bool:
        """Return whether a file may have changed since it was read, and look as it did."""
        return self._read_at - signature[1] < RACY_NS


def _read(columns: list[list[Any]], body: memoryview) -> tuple[dict[str, Row], Data]:
    """Return the rows by folder, and the data; TypeError or ValueError for what was not written here.

    They are kept as columns: a thousand are then read and checked in a few steps. The body begins with those of
    numbers: signatures, and where the data of each ends.
    """
    folders, ids, versions, ports, names, counts, rests = columns
    "".join(chain(folders, ids, versions, ports, names))  # a TypeError for any that is no text
    pairs = list(zip(ports, names, strict=True))
    if not set(map(type, rests)) <= {bool} or not set(map(type, counts)) <= {int}:
        raise TypeError("its columns are of other types")
    if sum(counts) != len(pairs) or min(counts, default=0) < 0:
        raise ValueError("its columns do not fit together")
    pair = iter(pairs)
    provides = [(next(pair),) if each == 1 else tuple(islice(pair, each)) for each in counts]
    for plugin, text in zip(ids, versions, strict=True) if "" in ids else ():
        if not plugin:
            "".join(json.loads(text))
    number = len(folders)
    numbers = array("q", body[: 4 * 8 * number].tobytes()).tolist()
    sizes, modified, changed, ends = (numbers[number * each : number * (each + 1)] for each in range(4))
    signatures = zip(sizes, modified, changed, strict=True)
    rows = zip(signatures, ids, versions, provides, rests, [0, *ends[:-1]], ends, strict=True)
    return dict(zip(folders, rows, strict=True)), Data(body[4 * 8 * number :])


def cache_file(environ: Mapping[str, str]) -> Path | None:
    """Return where the cache is; None for nowhere."""
    return cache_path(environ, "catalog")
