"""What is kept of a page between runs, and where: JSON in the storage, under the page's key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from attrs import asdict, field, frozen

from hotswap_ports import Conflict, Fingerprint, Storage

FORMAT = 1
"""Grows when a field changes its meaning; a record of another format is as good as none."""
_PAGES = "research/pages/"
_TEXTS = "research/texts/"


def digest(*texts: str) -> str:
    """Return a SHA-256 over texts, 64 hex digits; the bounds between them count."""
    sha = hashlib.sha256()
    for each in texts:
        data = each.encode("utf-8", "surrogatepass")
        sha.update(b"%d:" % len(data) + data)
    return sha.hexdigest()


@frozen
class Sentence:
    """A sentence of a page's summary."""

    text: str
    score: float


@frozen
class Record:
    """A page as it was last worked on. It is written after its passages were indexed, never before."""

    url: str
    """Where the content was found, secrets masked."""
    title: str = ""
    fingerprint: Fingerprint = field(factory=Fingerprint)
    digest: str = ""
    """Of the text; empty for a folder."""
    made_with: str = ""
    """Digest of what the AI is."""
    index: str = ""
    """Token of the index that holds the passages."""
    settings: str = ""
    """Digest of the settings that shape a summary."""
    passages: tuple[str, ...] = ()
    """Ids in the index, in the order of the text."""
    cut: bool = False
    """Whether the text has more passages than are indexed, or is longer than what its summary was made from."""
    sentences: tuple[Sentence, ...] = ()
    phrases: tuple[str, ...] = ()
    generative: bool = False
    model: str = ""
    links: tuple[str, ...] = field(default=(), repr=False)
    """On the same site; the entries of a folder."""
    folder: bool = False


@frozen
class Stored:
    """A record with its version in the storage; 0 and None where there is none."""

    record: Record | None = None
    version: int = 0


class Records:
    """Records and texts of pages, over any storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def load(self, key: str) -> Stored:
        """Return a page's record; a broken one, or one of another format, counts as none and is overwritten."""
        stored = await self._storage.read(_PAGES + key)
        return Stored() if stored is None else Stored(_decode(stored.value), stored.version)

    async def save(self, key: str, record: Record, version: int) -> bool:
        """Store a record; False when another run stored one since ``version`` was read, and that one stays."""
        try:
            await self._storage.put_json(_PAGES + key, {"format": FORMAT, **asdict(record)}, expect=version)
        except Conflict:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Forget a page."""
        await self._storage.delete(_PAGES + key)
        await self._storage.delete(_TEXTS + key)

    async def text(self, key: str, expected: str) -> str | None:
        """Return a page's text if it is the one whose digest is ``expected``."""
        value = await self._storage.get(_TEXTS + key)
        text = None if value is None else value.decode("utf-8", "replace")
        return text if text is not None and digest(text) == expected else None

    async def save_text(self, key: str, text: str) -> None:
        """Keep a page's text, so that another AI can work on it without fetching it again."""
        await self._storage.put(_TEXTS + key, text.encode("utf-8", "replace"))


def _decode(value: bytes) -> Record | None:
    try:
        raw = json.loads(value)
        return _record(raw) if raw.pop("format") == FORMAT else None
    except (ValueError, KeyError, TypeError, AttributeError):  # whatever else lies there, a page can be read again
        return None


def _record(raw: dict[str, Any]) -> Record:
    raw["fingerprint"] = Fingerprint(**{name: _optional(value) for name, value in raw["fingerprint"].items()})
    raw["sentences"] = tuple(Sentence(_text(each["text"]), float(each["score"])) for each in raw["sentences"])
    for name in ("passages", "phrases", "links"):
        raw[name] = tuple(_text(each) for each in raw[name])
    for name in ("url", "title", "digest", "made_with", "index", "settings", "model"):
        _text(raw[name])
    for name in ("cut", "generative", "folder"):
        raw[name] = bool(raw[name])
    return Record(**raw)


def _optional(value: object) -> str | None:
    return None if value is None else _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
