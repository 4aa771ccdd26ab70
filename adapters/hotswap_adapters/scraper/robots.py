"""robots.txt, as RFC 9309 has it: asked once for each origin, and obeyed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
from attrs import frozen
from protego import Protego

from hotswap_adapters.scraper.address import Address
from hotswap_adapters.scraper.fetch import Errand, Fetched
from hotswap_adapters.scraper.politeness import Lanes
from hotswap_ports.errors import InvalidContent, NotFound, PortError, RateLimited, Refused, TimedOut, Unavailable

_MAX_BYTES = 500 * 1024  # RFC 9309, section 2.5: a parser must read at least 500 KiB
_MAX_REDIRECTS = 5  # section 2.3.1.2
_ORIGINS = 512
_ALLOW_ALL = ""


@frozen
class _Rules:
    """What an origin said; ``failure`` instead where it could not be asked."""

    parsed: Protego
    expires: float
    failure: str = ""


class Robots:
    """The rules of every origin asked so far, for one user agent.

    No robots.txt (4xx) allows everything; one that cannot be had (5xx, no connection) forbids everything, and is asked
    for again after ``failure_ttl`` seconds (section 2.3.1).
    """

    def __init__(
        self,
        fetch: Callable[[Errand], Awaitable[Fetched]],
        lanes: Lanes,
        agent: str,
        *,
        ttl: float = 3600.0,
        failure_ttl: float = 60.0,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._lanes = lanes
        self._agent = agent
        self._ttl = ttl
        self._failure_ttl = failure_ttl
        self._timeout = timeout
        self._clock = clock
        self._rules: dict[str, _Rules] = {}
        self._asking: dict[str, anyio.Lock] = {}

    async def permit(self, address: Address, errand: Errand) -> None:
        """Return where ``address`` may be read.

        Raises:
            Refused: its robots.txt forbids it.
            Unavailable: its robots.txt cannot be had.
        """
        rules = self._fresh(address.origin) or await self._ask(address, errand)
        if rules.failure:
            raise Unavailable(
                f"{address} is not read, for its site's rules cannot be had: {rules.failure}",
                "Try again later.",
            )
        if not rules.parsed.can_fetch(str(address), self._agent):
            raise Refused(
                f"robots.txt of {address.origin} forbids {self._agent} to read {address}.",
                "Ask the site's owner; for a site of your own set obey_robots = false in the scraper's settings.",
            )
        delay = rules.parsed.crawl_delay(self._agent)
        if delay is not None:
            self._lanes.of(address.host).slow_down(float(delay))

    def _fresh(self, origin: str) -> _Rules | None:
        rules = self._rules.get(origin)
        return rules if rules is not None and rules.expires > self._clock() else None

    async def _ask(self, address: Address, errand: Errand) -> _Rules:
        """Ask once, however many wait for the answer; who is cancelled leaves it to the next."""
        origin = address.origin
        lock = self._asking.setdefault(origin, anyio.Lock())
        async with lock:
            rules = self._fresh(origin)
            if rules is None:
                rules = await self._read(address, errand)
                self._rules.pop(origin, None)
                self._rules[origin] = rules
                if len(self._rules) > _ORIGINS:
                    self._rules.pop(next(iter(self._rules)))
        self._asking.pop(origin, None)
        return rules

    async def _read(self, address: Address, errand: Errand) -> _Rules:
        errand.doing = f"Reading {address.origin}/robots.txt"
        own = Errand(
            address=Address(address.scheme, address.host, address.port, "/robots.txt", address.credentials),
            deadline=min(errand.deadline, anyio.current_time() + self._timeout),
            max_bytes=_MAX_BYTES,
            max_redirects=_MAX_REDIRECTS,
            cut=True,
            polite=False,
        )
        try:
            with anyio.fail_after(self._timeout):
                text = (await self._fetch(own)).body.decode("utf-8-sig", errors="replace")
        except (NotFound, Refused, InvalidContent):
            text = _ALLOW_ALL
        except (Unavailable, RateLimited) as error:  # 429 is a 4xx, but says of the host what a 503 does
            return self._unreachable(error)
        except TimeoutError:
            return self._unreachable(TimedOut("It", self._timeout))
        parsed = await anyio.to_thread.run_sync(Protego.parse, text)  # half a second for 500 KiB of rules
        return _Rules(parsed, self._clock() + self._ttl)

    def _unreachable(self, error: PortError) -> _Rules:
        return _Rules(Protego.parse(_ALLOW_ALL), self._clock() + self._failure_ttl, str(error))
