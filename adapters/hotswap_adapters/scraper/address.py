"""Addresses: a URL taken apart, its credentials apart from what may be shown."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

from attrs import field, frozen

from hotswap_ports.errors import InvalidRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:(?!\d))")  # localhost:8000 has none
_BAD = re.compile(r"[\x00-\x20\x7f\\]")
_REMOVED = re.compile(r"[\t\r\n]")
_SAFE = "%/:=&?~#+!$,;'@()*[]|"


@frozen
class Address:
    """Where a page is; ``str()`` of it never shows a user name or password."""

    scheme: str
    host: str
    """Lower case, IPv6 without brackets."""
    port: int
    target: str
    """Path and query, percent-encoded."""
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password of the URL, decoded."""

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the scheme's own, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def __str__(self) -> str:
        return self.origin + self.target


def scheme_of(url: str) -> str:
    """Return the scheme of ``url`` in lower case, empty where it has none."""
    found = _SCHEME.match(url)
    return found[0].lower() if found else ""


def shown(url: str) -> str:
    """Return ``url`` as it may appear in an error: without credentials, and not longer than a line or two."""
    bare = re.sub(r"//[^/?#]*@", "//", url)
    return bare if len(bare) <= 200 else f"{bare[:200]}..."


def parse(url: str) -> Address:
    """Return the address of an http or https ``url``.

    Raises:
        InvalidRequest: it is malformed.
    """
    try:
        cleaned = quote(_REMOVED.sub("", url.strip()), safe=_SAFE)
        parts = urlsplit(cleaned)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        host = _ascii_host(unquote(host))
    except ValueError as error:  # UnicodeEncodeError is one: half of a surrogate pair has no bytes
        raise InvalidRequest(f"The URL {shown(url)!r} is malformed: {error}.") from error
    if not host or port == 0:
        raise InvalidRequest(f"The URL {shown(url)!r} is malformed: it names no host and port.")
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    target = _without_dots(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(scheme, host, port or _DEFAULT_PORTS.get(scheme, 0), target, credentials)


def _without_dots(path: str) -> str:
    """Resolve ``..``, as the server will: robots.txt is asked about the path that is meant."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    if segments[-1].lower().replace("%2e", ".") in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _ascii_host(host: str) -> str:
    if _BAD.search(host) or len(host) > 253:
        raise ValueError("the host name is impossible")
    if host.isascii():
        return host.lower()
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(str(error)) from error


def absolute(base: str, link: str, schemes: Collection[str]) -> str | None:
    """Return ``link``, found on the page ``base``, as an absolute URL without a fragment; None for no such URL.

    A user name or password in the link is dropped, and so is a link of a scheme that is not in ``schemes``.
    """
    try:
        joined = urldefrag(urljoin(base, _REMOVED.sub("", link.strip()))).url
        parts = urlsplit(joined)
        scheme = parts.scheme.lower()
        if scheme not in schemes:
            return None
        if scheme == "file":
            return urlunsplit(("file", parts.netloc, quote(parts.path, safe=_SAFE), "", ""))
        if not parts.hostname:
            return None
        return str(parse(joined))
    except (ValueError, InvalidRequest):
        return None
