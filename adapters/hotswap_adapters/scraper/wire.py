"""The wire: one request out, one response in. The only file that knows httpx2."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import anyio
import httpx2
from attrs import Factory, define

from hotswap_adapters.scraper.address import Address
from hotswap_adapters.scraper.retry import Transient
from hotswap_ports.errors import InvalidContent, InvalidRequest, Refused, Unavailable


@define
class Session:
    """The cookies of one call: kept from hop to hop, so that consent pages let it through, and then forgotten."""

    cookies: httpx2.Cookies = Factory(httpx2.Cookies)


class Wire:
    """A pool of connections. Follows no redirect, tries nothing twice, keeps no cookies.

    ``block_private`` refuses hosts that resolve to anything but public addresses, and connects to the very address
    that was looked at; proxies of the environment are then not used, for they would resolve the name themselves.
    """

    def __init__(self, user_agent: str, connect_timeout: float, block_private: bool) -> None:
        self._block_private = block_private
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": user_agent, "Accept": "text/html,text/markdown,text/plain,*/*;q=0.5"},
            timeout=httpx2.Timeout(None, connect=connect_timeout),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=15.0),
            trust_env=not block_private,
            verify=httpx2.create_ssl_context(),  # SSL_CERT_FILE counts also where the environment's proxies do not
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def send(
        self, address: Address, headers: Mapping[str, str], session: Session
    ) -> AsyncIterator[httpx2.Response]:
        """Send a GET and give its response, the body not yet read; leaving the ``async with`` ends it.

        Raises:
            Transient: the connection failed, also while the body was read.
            Unavailable: it will fail again (a certificate).
            Refused: a private address, and ``block_private``.
            InvalidContent: the body cannot be decompressed.
            InvalidRequest: the request cannot be sent as it is.
        """
        with _explained(address):
            url, extensions = await self._pinned(address)
            request = self._client.build_request(
                "GET", url, headers={**headers, "Host": _host_header(address)}, extensions=extensions
            )
            session.cookies.set_cookie_header(request)
            response = await self._client.send(request, stream=True, auth=address.credentials, follow_redirects=False)
            try:
                session.cookies.extract_cookies(response)
                yield response
            finally:
                await response.aclose()

    async def _pinned(self, address: Address) -> tuple[str, dict[str, object]]:
        if not self._block_private:
            return str(address), {}
        found = await anyio.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(each[4][0]) for each in found]
        for each in addresses:
            if not _is_public(each):
                raise Refused(
                    f"{address.host} is at the private address {each}, and block_private is set.",
                    "Set block_private = false in the scraper's settings to read it.",
                )
        host = f"[{addresses[0]}]" if addresses[0].version == 6 else str(addresses[0])
        url = f"{address.scheme}://{host}:{address.port}{address.target}"
        return url, {"sni_hostname": address.host}


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def _host_header(address: Address) -> str:
    return address.origin.partition("://")[2]


@contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Turn what httpx2 raises into what the port promises."""
    try:
        yield
    except httpx2.DecodingError as error:
        raise InvalidContent(f"{address} sent a body that cannot be decompressed: {error}.") from error
    except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError) as error:
        raise InvalidRequest(f"{address} cannot be asked for: {error}.") from error
    except (httpx2.TransportError, OSError) as error:
        if _is_certificate(error):
            raise Unavailable(
                f"{address.origin} has no certificate to be trusted: {error}.",
                "Check the address and this machine's clock; SSL_CERT_FILE names a certificate authority of your own.",
            ) from error
        reason = str(error) or type(error).__name__
        raise Transient(
            Unavailable(f"{address} cannot be read: {reason}.", "Check the address and the network, and try again.")
        ) from error


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
