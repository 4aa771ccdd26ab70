"""``FileScraper``: files and folders by ``file:`` URLs."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

import anyio
from attrs import evolve, frozen

from hotswap_adapters.scraper import content, media
from hotswap_adapters.scraper.address import scheme_of, shown
from hotswap_adapters.scraper.readers import Readers
from hotswap_ports.errors import (
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    NotFound,
    Refused,
    TimedOut,
    TooLarge,
    Unavailable,
)
from hotswap_ports.scraper import Fingerprint, Link, Page, Scraper, ScrapeRequest, ScraperFeatures

FOLDER = "inode/directory"
SCHEMES = frozenset({"file"})
LINKED = frozenset({"file", "http", "https"})

_NAME = "file-scraper"
_PIECE = 1 << 20
_SETTLED = 2_000_000_000  # ns; file systems keep times as coarsely as FAT's 2 s, and a file may change within one tick
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@frozen
class FileScraperConfig:
    """Settings of the file scraper; the schema in the plugin's manifest says the same."""

    roots: tuple[str, ...] = ()
    """Folders that files must be in, symbolic links resolved; none for anywhere."""
    skip: tuple[str, ...] = ("__pycache__", "node_modules")
    """Names left out of a folder's entries; those that begin with a dot always are."""


DEFAULTS = FileScraperConfig()


class FileScraper(Scraper):
    """Reads text, Markdown and HTML files; a folder's page has its entries as links, sorted by name.

    ``Page.url`` and the links of a folder have symbolic links resolved, so that who follows them never runs in a
    circle. A file's fingerprint has as ``etag`` its size and mtime, so that an unchanged one is not even opened; both
    are left out for a file changed within the last two seconds. A folder has no fingerprint: its entries are listed
    each time, for they may have changed where it has not.

    Args:
        may_read: asked with each path, symbolic links resolved, before it is read or listed.
    """

    features = ScraperFeatures(schemes=SCHEMES)

    def __init__(
        self,
        config: FileScraperConfig = DEFAULTS,
        *,
        may_read: Callable[[str], bool] = lambda _: True,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._may_read = may_read
        self._skip = frozenset(config.skip)
        self._roots = tuple(Path(os.path.realpath(os.path.expanduser(root))) for root in config.roots)
        self._clock = clock
        self._readers = Readers()

    async def scrape(self, request: ScrapeRequest) -> Page:
        """Read one file or folder, as the port says."""
        path = _path(request)
        try:
            with anyio.fail_after(request.timeout):
                return await self._readers.run(partial(self._read, path, request))
        except TimeoutError as error:
            raise TimedOut(
                f"Reading {_text(path)}", request.timeout, "Raise the timeout, or give a smaller file."
            ) from error

    def _read(self, asked: str, request: ScrapeRequest) -> Page:
        try:
            path = Path(os.path.realpath(asked))
            self._confine(path, asked)
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                return self._folder(path)
            _regular(found, path)
            return self._file(path, request)
        except OSError as error:
            raise _explain(error, asked) from error

    def _confine(self, path: Path, asked: str) -> None:
        if self._roots and not any(path.is_relative_to(root) for root in self._roots):
            raise Refused(
                f"{_text(asked)} is outside of the folders that may be read.",
                "Add its folder to roots in the file scraper's settings.",
            )
        if not self._may_read(str(path)):
            raise Refused(
                f"{asked} may not be read.", "See file_system_read under [grants.file-scraper] in hotswap.toml."
            )

    def _folder(self, path: Path) -> Page:
        return Page(
            url=_url(path, folder=True),
            text="",
            title=_text(path.name),
            links=tuple(self._entries(path)),
            media_type=FOLDER,
            fetched_at=datetime.now(UTC),
        )

    def _entries(self, folder: Path) -> Iterator[Link]:
        """Yield what may be read: no link that leads nowhere, out of the roots, or back up; no pipe and no device."""
        seen = {folder, *folder.parents}
        for name in sorted(os.listdir(folder)):
            if name.startswith(".") or name in self._skip:
                continue
            target = Path(os.path.realpath(folder / name))
            try:
                mode = target.stat().st_mode
                self._confine(target, name)
            except (OSError, Refused):
                continue
            if target in seen or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                continue
            seen.add(target)
            yield Link(_url(target, folder=stat.S_ISDIR(mode)), _text(name))

    def _file(self, path: Path, request: ScrapeRequest) -> Page:
        descriptor = os.open(path, _OPEN)
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            _regular(found, path)
            etag, mtime = self._stamp(found)
            page = Page(
                url=_url(path),
                text="",
                title=_text(path.name),
                media_type=media.by_name(path.name) or "text/plain",
                fetched_at=datetime.now(UTC),
                size=found.st_size,
                fingerprint=Fingerprint(etag, mtime, request.known.sha256 if request.known else None),
            )
            if request.known is not None and etag is not None and _same(request.known, page.fingerprint):
                return evolve(page, unchanged=True)
            body = b"".join(_pieces(file.read, found.st_size, path, request.max_bytes))
        media_type = _settle(path, body)
        sha256 = hashlib.sha256(body).hexdigest()
        page = evolve(page, media_type=media_type, size=len(body), fingerprint=Fingerprint(etag, mtime, sha256))
        if request.known is not None and request.known.sha256 == sha256:
            return evolve(page, unchanged=True)
        return content.read(body, media_type, None, page.url, LINKED).into(page)

    def _stamp(self, found: os.stat_result) -> tuple[str | None, str | None]:
        if abs(self._clock() - found.st_mtime_ns) < _SETTLED:
            return None, None
        return f'"{found.st_size:x}-{found.st_mtime_ns:x}"', str(found.st_mtime_ns)


def _path(request: ScrapeRequest) -> str:
    """Return the path that the request's URL names; raise for what no file needs to be looked at."""
    scheme = scheme_of(request.url)
    if not scheme:
        raise InvalidRequest(f"{shown(request.url)!r} is no URL: it has no scheme.", "Write file:///path/of/the/file.")
    if scheme not in SCHEMES:
        raise FeatureUnsupported(
            _NAME, f"the URL scheme {scheme!r}", "Enable a scraper for it: http-scraper reads http: and https: URLs."
        )
    if request.javascript:
        raise FeatureUnsupported(
            _NAME, "running a page's scripts", "Ask without javascript, or enable a scraper whose features have it."
        )
    if not request.timeout > 0 or not request.max_bytes > 0:
        raise InvalidRequest("timeout and max_bytes of a scrape must be above zero.")
    try:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        # A file's name is bytes on POSIX, not always UTF-8's, and not always in what the locale takes for text.
        path = url2pathname(parts.path) if os.name == "nt" else os.fsdecode(unquote_to_bytes(parts.path))
    except ValueError as error:  # UnicodeEncodeError is one: half of a surrogate pair has no bytes
        raise InvalidRequest(f"The URL {shown(request.url)!r} is malformed: {error}.") from error
    if host not in ("", "localhost") or not os.path.isabs(path) or "\0" in path:
        raise InvalidRequest(
            f"The URL {shown(request.url)!r} names no absolute path on this machine.", "Write file:///path/of/the/file."
        )
    return path


def _url(path: Path, *, folder: bool = False) -> str:
    url = path.as_uri()
    return f"{url}/" if folder and not url.endswith("/") else url


def _text(path: str | Path) -> str:
    """Return a path as text that can be stored and shown: bytes that belong to no character are marked as such."""
    return os.fsencode(path).decode("utf-8", "replace")


def _regular(found: os.stat_result, path: Path) -> None:
    """Raise unless it is a regular file: reading a pipe or a device might never end."""
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a special file")
        raise InvalidContent(f"{_text(path)} is {kind}, which has no text that could be read.")


def _same(known: Fingerprint, now: Fingerprint) -> bool:
    return known.etag == now.etag and known.last_modified == now.last_modified and known.sha256 is not None


def _pieces(read: Callable[[int], bytes | None], size: int, path: Path, limit: int) -> Iterator[bytes]:
    """Yield what is read; its length is counted, for a size can be wrong: /proc says 0, a log grows."""
    total = 0
    while size <= limit:
        piece = read(min(_PIECE, limit + 1 - total))
        if not piece:
            return
        total += len(piece)
        if total > limit:
            break
        yield piece
    raise TooLarge(_text(path), limit, "Raise max_bytes to read it.")


def _settle(path: Path, body: bytes) -> str:
    """Return the media type: the name's where that is a text's, otherwise what the bytes look like."""
    named = media.by_name(path.name)
    if named == "image/svg+xml":
        media.check(named, _text(path))
    return media.settle(named if media.is_textual(named) else "", body, _text(path))


def _explain(error: OSError, path: str) -> Exception:
    reason = (error.strerror or type(error).__name__).lower()
    path = _text(path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) or isinstance(error, FileNotFoundError):
        return NotFound(f"There is no {path}: {reason}.", "Check the path.")
    if isinstance(error, PermissionError):
        return Refused(f"{path} may not be read: {reason}.", "Check its permissions.")
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL) and sys.platform != "win32":
        return InvalidRequest(f"{path[:200]} is no possible path: {reason}.")
    return Unavailable(f"{path} cannot be read: {reason}.", "Check the disk, and try again.")
