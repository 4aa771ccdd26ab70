"""Cassettes: what a real adapter answered once, for tests that run without it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, cast

from hotswap_ports.errors import InvalidRequest
from hotswap_ports.port import Port, is_port
from hotswap_ports.testing.masking import Masking, same
from hotswap_ports.testing.mock import mock_of
from hotswap_ports.testing.plain import Plain
from hotswap_ports.testing.player import NotRecorded, Player
from hotswap_ports.testing.recorder import NotRecordable, Recorder, Tape

__all__ = ["NotRecordable", "NotRecorded", "record", "replay"]

P = TypeVar("P", bound=Port)


@asynccontextmanager
async def record(
    port: Callable[..., P],
    adapter: Port,
    path: str | os.PathLike[str],
    *,
    scrub: Callable[[str], str] = same,
    keep: Collection[str] = (),
) -> AsyncIterator[P]:
    """Lend a stand-in for ``adapter``, and write what was asked of it and answered to ``path`` at the end.

    What ends with an error is written too, in order to be replayed as that error. A call that has not ended is not.
    Where the block itself fails, nothing is written, but for ``NotRecordable``: then what was recorded before it.

    Secrets are masked: what stands under a name such as ``Authorization``, ``api_key``, ``token`` or ``password``, in
    arguments, fields, mappings and pairs of a list, and in URLs. Whatever else must not be kept is for ``scrub``.

    Args:
        port: the port, as a class.
        adapter: open already, and left open.
        path: in a folder that is there.
        scrub: told every text before it is written, keys and bytes included: takes out what must not be kept. Bytes
            that are no UTF-8 are told with lone surrogates for what does not belong (``surrogateescape``).
        keep: names that are no secrets, although they say so.

    Raises:
        InvalidRequest: the adapter is none of the port, or nothing can be written there; before anything is asked.
        NotRecordable: from a call with an argument or a result of a type that no port uses.
    """
    asked, file = _port(port), _writable(Path(path))
    if not isinstance(adapter, asked):
        kind = type(adapter).__name__
        raise InvalidRequest(f"{kind} is no {asked.__name__}, and so no adapter of the port {asked.PORT}.")
    tape = Tape(asked, Plain(asked, Masking(scrub, keep)))
    try:
        yield cast("P", mock_of(asked, Recorder(asked, adapter, tape)))
    except BaseException:
        if tape.stopped:
            tape.save(file, getattr(adapter, "features", None))
        raise
    tape.save(file, getattr(adapter, "features", None))


def replay(
    port: Callable[..., P],
    path: str | os.PathLike[str],
    *,
    scrub: Callable[[str], str] = same,
    keep: Collection[str] = (),
) -> P:
    """Return an adapter that answers as it stands on a cassette: the same call, the same answer, in the same order.

    A call that was made more than once is answered in turn, and the last answer stays. ``scrub`` and ``keep`` have to
    be those that it was recorded with. It is a mock too: ``replay(...).on("complete").fail(...)``.

    Raises:
        InvalidContent: it is no cassette, or one of another port or of another major version of it.
        NotRecorded: there is no such file; later, for a call that is not on it.
    """
    asked, file = _port(port), Path(path)
    return cast("P", mock_of(asked, Player(asked, file, Plain(asked, Masking(scrub, keep)))))


def _port(port: Callable[..., P]) -> type[Port]:
    if not is_port(port):
        raise InvalidRequest(f"{port!r} is no port: name the class of one, such as Storage.")
    return cast("type[Port]", port)


def _writable(path: Path) -> Path:
    if not path.parent.is_dir():
        raise InvalidRequest(f"The folder {path.parent} is not there: make it before {path.name} is recorded.")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InvalidRequest(f"{path} cannot be written.")
    return path
