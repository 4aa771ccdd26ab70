"""From what a person names to addresses that a scraper reads, and the bounds within which links are followed."""

from __future__ import annotations

import hashlib
import os
import re
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import field, frozen

from hotswap_plugins.research.secrets import masked
from hotswap_ports import InvalidRequest, NotFound, PortError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?!\d+(/|$))")  # C: is a drive, and localhost:8000 names no scheme
_HOST = re.compile(r"[\w-]+((\.[\w-]+)+|(?=:))(?P<port>:\d+)?(/\S*)?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_NAMES = 1000


@frozen
class Target:
    """One address to read."""

    url: str = field(repr=False)
    """Canonical, secrets included."""
    shown: str
    """What stands for the address wherever somebody may read it: a file's path, any other without its secrets."""

    @classmethod
    def of(cls, url: str) -> Target:
        """Make a target of an address.

        Raises:
            InvalidRequest: it is malformed.
        """
        address = canonical(url)
        return cls(address, by_path(masked(address)))

    @property
    def key(self) -> str:
        """Return what the page is stored under: the SHA-256 of the address, 64 hex digits."""
        return hashlib.sha256(self.url.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def scheme(self) -> str:
        """Return the scheme, in lower case."""
        return self.url.partition(":")[0]


@frozen
class Given:
    """What was named, and where it leads; with an ``error`` it leads nowhere, and ``target`` is what was there."""

    name: str
    target: Target | None = None
    error: PortError | None = None


def locate(name: str) -> Given:
    """Find what a person means: an address, or a file or folder (relative to the working directory, ``~`` is home)."""
    try:
        if _URL.match(name):
            target = Target.of(name)
            return Given(masked(readable(name)), target)
        path = Path(os.path.abspath(os.path.expanduser(name)))
        name = readable(name)
        if path.exists():
            return Given(name, Target.of(path.as_uri()))
        if _SCHEME.match(name):
            return Given(masked(name), Target.of(name))
        return Given(name, Target.of(path.as_uri()), _not_there(name, path))
    except InvalidRequest as error:
        return Given(name.rpartition("@")[2], error=error)
    except (OSError, ValueError) as error:  # a NUL in the name, or a name that is too long
        reason = InvalidRequest(f"{name!r} cannot be the name of a file: {error}.", "Name a page, a file or a folder.")
        return Given(name, error=reason)


def readable(name: str) -> str:
    """Return a file's name as text that can be stored: bytes that belong to no character are marked as such."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def by_path(url: str) -> str:
    """Return a file's address as its path, and any other as it is."""
    return unquote(url.removeprefix("file://"), errors="replace") if url.startswith("file:///") else url


def canonical(url: str) -> str:
    """Return the one spelling of an address: no fragment, no default port, scheme and host in lower case.

    Raises:
        InvalidRequest: it is malformed.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidRequest(f"The address {url.rpartition('@')[2]!r} is malformed: {error}.") from error
    if not host and (parts.netloc or scheme in _DEFAULT_PORTS):
        raise InvalidRequest(f"The address {url.rpartition('@')[2]!r} names no host.")
    userinfo = parts.netloc.rpartition("@")[0]
    netloc = f"[{host}]" if ":" in host else host
    netloc = f"{userinfo}@{netloc}" if userinfo else netloc
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        netloc = f"{netloc}:{port}"
    path = parts.path or ("/" if netloc else "")
    if scheme == "file":
        path = path.rstrip("/") or "/"
    address = urlunsplit((scheme, netloc, path, parts.query, ""))
    return f"{scheme}://{address.partition(':')[2]}" if scheme == "file" and "://" not in address else address


def site(url: str) -> str:
    """Return the site an address belongs to, scheme, host and port; empty for one without a host: a file."""
    parts = urlsplit(canonical(url))
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if host else ""


def inside(url: str, folder: str) -> bool:
    """Return whether ``url`` (canonical) lies below ``folder`` (canonical), so that no entry leads out of it."""
    return url.startswith(f"{folder.rstrip('/')}/") and ".." not in unquote(urlsplit(url).path).split("/")


def anonymous(url: str) -> str:
    """Return an address without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def signed_in(url: str, given: str) -> str:
    """Return ``url`` (anonymous) with the user name and password of ``given`` where both are on one site."""
    userinfo = urlsplit(given).netloc.rpartition("@")[0]
    if not userinfo or site(url) != site(given):
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def _not_there(name: str, path: Path) -> NotFound:
    parent = path.parent
    missing = path.name
    while not parent.exists() and parent != parent.parent:
        missing, parent = parent.name, parent.parent
    close = get_close_matches(missing, _names(parent), n=3, cutoff=0.6)
    if close:
        hint = f"Did you mean {' or '.join(repr(readable(str(parent / each))) for each in close)}?"
    elif host := _HOST.fullmatch(name):
        address = f"{'http' if host['port'] else 'https'}://{name}"
        hint = f"Relative names start in the working directory; a web page is written {address}"
    else:
        hint = "Relative names start in the working directory; web pages start with https://."
    return NotFound(f"There is no file or folder {name!r}.", hint)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:_MOST_NAMES]
    except OSError:  # a folder that may not be listed has no names to suggest
        return []
