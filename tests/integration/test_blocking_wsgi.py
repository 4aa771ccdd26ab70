"""A synchronous web application: a real WSGI server with threads, a real SQLite file, swapped while it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from hotswap import BlockingKernel, Kernel, Settings
from hotswap.blocking_ports import BlockingStorage
from hotswap.hooks import surroundings
from hotswap_ports import Conflict, HookContext, HookEvent, Storage

CALLERS = 16
SWAPS = 20


class Notes:
    """The application: what is put is kept, and each put is counted."""

    def __init__(self, storage: BlockingStorage) -> None:
        self._storage = storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        surroundings.set(HookContext(request_id=environ["HTTP_X_REQUEST"]))
        key = environ["PATH_INFO"].lstrip("/")
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
        self._storage.put(key, body, expect=0)
        counted = self._count(environ["QUERY_STRING"])
        found = self._storage.get(key)
        start_response("200 OK" if found == body else "500 Lost", [("Content-Type", "text/plain")])
        return [str(counted).encode()]

    def _count(self, counter: str) -> int:
        """Add one to a counter that all requests share, by comparing versions: a lost write would show."""
        while True:
            stored = self._storage.read(counter)
            number = 1 + (0 if stored is None else int(stored.value))
            try:
                self._storage.put(counter, b"%d" % number, expect=0 if stored is None else stored.version)
                return number
            except Conflict:
                continue


class Server(ThreadingMixIn, WSGIServer):
    """A thread a request."""

    daemon_threads = False
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(application: Notes) -> Iterator[int]:
    """Serve an application; give the port."""
    with Server(("127.0.0.1", 0), Quiet) as server:
        server.set_app(application)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def settings(root: Path) -> Settings:
    """Return settings for storage in one file."""
    return Settings(
        folder=root, enabled=("sqlite-storage",), config={"sqlite-storage": {"path": str(root / "data.db")}}
    )


def client(port: int, caller: int, over: threading.Event) -> list[tuple[int, int]]:
    """Put one note after the other; return the answers: status, and how many there were at the time."""
    answers: list[tuple[int, int]] = []
    for number in count():
        if over.is_set():
            return answers
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        name = f"{caller}-{number}"
        connection.request("PUT", f"/note/{name}?count", name.encode(), {"X-Request": name})
        response = connection.getresponse()
        answers.append((response.status, int(response.read())))
        connection.close()
    raise AssertionError


def configure(kernel: BlockingKernel, number: int) -> None:
    """Open the file anew, with another time to wait for writers."""
    kernel.configure("sqlite-storage", {"busy_timeout": 10.0 + number})


def reload(kernel: BlockingKernel, number: int) -> None:
    """Open the file anew, with the code on disk."""
    kernel.reload("sqlite-storage")


@pytest.mark.parametrize("swap", [configure, reload])
def test_nothing_is_lost(tmp_path: Path, swap: Callable[[BlockingKernel, int], None]) -> None:
    """16 clients write while the storage is swapped 20 times: all are answered, and what was acknowledged is there."""
    over, seen = threading.Event(), set()

    async def see(event: HookEvent) -> None:
        seen.add(event.context.request_id)

    with (
        BlockingKernel(settings(tmp_path), environ={}) as kernel,
        serving(kernel.build(Notes)) as port,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        kernel.on("pre_storage_write", see)
        before = kernel.run(generation)
        clients = [pool.submit(client, port, caller, over) for caller in range(CALLERS)]
        for number in range(SWAPS):
            swap(kernel, number)
        over.set()
        answers = [each.result(60) for each in clients]
        number, leases = kernel.run(generation)
    assert number - before[0] >= SWAPS
    assert leases == 0
    given = [status for each in answers for status, _ in each]
    assert given == [200] * len(given)
    assert all(answers)
    names = {f"{caller}-{number}" for caller, each in enumerate(answers) for number in range(len(each))}
    assert seen == names
    with BlockingKernel(settings(tmp_path), environ={}) as kernel:
        storage = kernel.get(Storage)
        assert {name for name in names if storage.get(f"note/{name}") == name.encode()} == names
        assert storage.get("count") == b"%d" % len(names)
    assert sorted(counted for each in answers for _, counted in each) == list(range(1, len(names) + 1))


async def generation(kernel: Kernel) -> tuple[int, int]:
    """Return the number of the storage's generation, and how many calls are inside it."""
    handle: Any = kernel.get(Storage)
    found = handle._slot.generation
    return found.number, found.leases
