"""Fetching: an address to its bytes, through retries and redirects, within limits, politely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin

import anyio
from attrs import define, field, frozen

from hotswap_adapters.scraper import media
from hotswap_adapters.scraper.address import Address, parse, scheme_of, shown
from hotswap_adapters.scraper.politeness import Lanes
from hotswap_adapters.scraper.retry import Backoff, Transient, seconds_of
from hotswap_adapters.scraper.wire import Session, Wire
from hotswap_ports.errors import InvalidContent, NotFound, RateLimited, Refused, TooLarge, Unavailable

if TYPE_CHECKING:
    from httpx2 import Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAY_PASS = frozenset({408, 425, 502, 503, 504})  # RFC 9110: a timeout or a gateway's trouble; 500 is a defect

SCHEMES = frozenset({"http", "https"})


class Permit(Protocol):
    """What is asked before each request, redirects included: robots.txt."""

    async def __call__(self, address: Address, errand: Errand) -> None:
        """Raise where ``address`` must not be read."""


@frozen
class Fetched:
    """A response, its body read."""

    address: Address
    status: int
    media_type: str
    charset: str | None
    etag: str | None
    last_modified: str | None
    body: bytes


async def _anything(address: Address, errand: Errand) -> None:
    """Permit every address."""


@define
class Errand:
    """One address to be fetched, with everything that bounds it."""

    address: Address
    deadline: float
    """On the event loop's clock, as ``anyio.current_time()`` gives it."""
    max_bytes: int
    headers: Mapping[str, str] = field(factory=dict)
    permit: Permit = _anything
    max_redirects: int = 10
    cut: bool = False
    """Keep the first ``max_bytes`` of a larger body, of whatever type, where otherwise it is refused."""
    polite: bool = True
    """Wait for a turn in the host's lane."""
    doing: str = ""
    """What it waits for now, for the message when time runs out."""

    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - anyio.current_time()


class Fetcher:
    """Runs errands."""

    def __init__(self, wire: Wire, lanes: Lanes, backoff: Backoff, may_reach: Callable[[str], bool]) -> None:
        self._wire = wire
        self._lanes = lanes
        self._backoff = backoff
        self._may_reach = may_reach

    async def fetch(self, errand: Errand) -> Fetched:
        """Return what is at the errand's address, or where its redirects lead. Raises what ``Scraper.scrape`` does."""
        session = Session()
        for _ in range(errand.max_redirects + 1):
            errand.doing = f"Reading {errand.address}"
            if not self._may_reach(errand.address.host):
                raise Refused(
                    f"{errand.address} is not read: the host {errand.address.host} may not be reached.",
                    "See network under [grants.http-scraper] in hotswap.toml.",
                )
            await errand.permit(errand.address, errand)
            found = await self._insist(errand, session)
            if isinstance(found, Fetched):
                return found
            errand.address = found
        raise InvalidContent(f"{errand.address} redirects on and on: {errand.max_redirects} redirects were followed.")

    async def _insist(self, errand: Errand, session: Session) -> Fetched | Address:
        try:
            async for attempt in self._backoff.tries(errand.remaining):
                with attempt:
                    return await self._try(errand, session)
        except Transient as failure:
            raise failure.error from failure.__cause__
        raise AssertionError("stamina makes at least one attempt")

    async def _try(self, errand: Errand, session: Session) -> Fetched | Address:
        address = errand.address
        if not errand.polite:
            return await self._ask(errand, session)
        errand.doing = f"Waiting for a turn at {address.host}"
        async with self._lanes.turn(address.host, errand.remaining) as lane:
            errand.doing = f"Reading {address}"
            try:
                return await self._ask(errand, session)
            except Transient as failure:
                errand.doing = f"Trying {address} again, which failed ({failure}),"
                if failure.retry_after:
                    lane.hold(failure.retry_after)
                raise

    async def _ask(self, errand: Errand, session: Session) -> Fetched | Address:
        address = errand.address
        async with self._wire.send(address, errand.headers, session) as response:
            if response.status_code in _REDIRECTS:
                return _target(address, response)
            _check_status(address, response)
            media_type, charset = media.parse_header(response.headers.get("Content-Type", ""))
            unchanged = response.status_code == 304
            if not errand.cut and not unchanged:
                media.check(media_type, address)
            return Fetched(
                address=address,
                status=response.status_code,
                media_type=media_type,
                charset=charset,
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
                body=b"" if unchanged else await _read(errand, response),
            )


async def _read(errand: Errand, response: Response) -> bytes:
    """Read a body, and stop at the first byte too many: httpx2 unpacks a bomb in pieces of 1 MiB at most."""
    limit = errand.max_bytes
    length = response.headers.get("Content-Length", "")
    too_large = TooLarge(str(errand.address), limit, "Raise max_bytes to read it.")
    if not errand.cut and length.isdigit() and int(length[:18]) > limit:
        raise too_large
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > limit:
                if errand.cut:
                    return bytes(body[:limit])
                raise too_large
    return bytes(body)


def _target(address: Address, response: Response) -> Address:
    location = response.headers.get("Location", "").strip()
    if not location:
        raise InvalidContent(f"{address} answered {response.status_code}, a redirect, without saying where to.")
    try:
        url = urljoin(str(address), location)
    except ValueError as error:
        raise InvalidContent(f"{address} redirects to a malformed URL, {shown(location)!r}.") from error
    if scheme_of(url) not in SCHEMES:
        raise Refused(f"{address} redirects to {shown(url)!r}, which is not followed: only http and https are.")
    target = parse(url)
    return Address(target.scheme, target.host, target.port, target.target)  # credentials stay behind


def _check_status(address: Address, response: Response) -> None:
    """Raise unless the response has the page, or says that it is unchanged."""
    status = response.status_code
    if 200 <= status < 300 or status == 304:
        return
    answered = f"{address} answered {status} {response.reason_phrase}".rstrip() + "."
    retry_after = seconds_of(response.headers.get("Retry-After"))
    if status == 429:
        raise Transient(RateLimited(answered, retry_after), retry_after)
    if status in _MAY_PASS:
        raise Transient(Unavailable(answered, "Try again later."), retry_after)
    if status >= 500:
        raise Unavailable(answered, "Try again later.")
    if status in (404, 410):
        raise NotFound(answered, "Check the address.")
    hint = "Give credentials in the URL, or another page." if status in (401, 403) else ""
    raise Refused(answered, hint)
