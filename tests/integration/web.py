"""A web server on loopback for tests: polite where nothing else is said, and as rude as a test wants it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from attrs import Factory, define, frozen


@frozen
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    at: float
    """Seconds on the event loop's clock."""


@frozen
class Reply:
    """A response with a body of known length."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = Factory(dict)

    def encoded(self) -> bytes:
        """Return it as it goes over the wire."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{name}: {value}" for name, value in headers.items() if value)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if self.status == 304 else body)


Rude = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]
"""Writes whatever it likes; the connection is closed after it."""
Route = Reply | Rude | Callable[[Asked], Reply]


@define
class Web:
    """What is served, and what was asked for; 404 for everything without a route, robots.txt included."""

    base: str = ""
    """``http://127.0.0.1:<port>``."""
    routes: dict[str, Route] = Factory(dict)
    asked: list[Asked] = Factory(list)
    connections: set[asyncio.Task[None]] = Factory(set)
    most: int = 0
    """Most requests that were being answered at the same time."""
    busy: int = 0

    def targets(self) -> list[str]:
        """Return what was asked for, without robots.txt."""
        return [each.target for each in self.asked if each.target != "/robots.txt"]

    def sequence(self, path: str, *replies: Reply) -> None:
        """Serve the replies one after the other, the last for ever."""
        left = list(replies)
        self.routes[path] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    async def until_closed(self) -> None:
        """Return when no connection is open any more."""
        if self.connections:
            await asyncio.wait(self.connections, timeout=5)
        assert not self.connections, "a connection stayed open"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            self.connections.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        asked = Asked(method, target, headers, asyncio.get_running_loop().time())
        self.asked.append(asked)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            return await self._route(asked, writer)
        finally:
            self.busy -= 1

    async def _route(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        route = self.routes.get(asked.target.partition("?")[0]) or Reply("Nothing here.", 404)
        if callable(route):
            made = route(asked, writer) if asyncio.iscoroutinefunction(route) else route(asked)  # type: ignore[call-arg]
            if not isinstance(made, Reply):
                await made
                return False
            route = made
        writer.write(route.encoded())
        await writer.drain()
        return True


@asynccontextmanager
async def serving(
    routes: Mapping[str, Route] | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Web]:
    """Serve on a free port of 127.0.0.1 for as long as the ``async with`` lasts."""
    web = Web(routes=dict(routes or {}))
    server = await asyncio.start_server(web._connected, "127.0.0.1", 0, ssl=tls)
    web.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield web
    finally:
        server.close()
        for task in list(web.connections):
            task.cancel()
        await asyncio.gather(*web.connections, return_exceptions=True)
