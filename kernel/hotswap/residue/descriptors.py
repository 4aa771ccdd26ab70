"""Open files and sockets, as the system lists them."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress

from attrs import field, frozen

from hotswap.residue.finding import Finding, Kind
from hotswap.residue.owners import Owners
from hotswap.residue.records import Records

_LISTS = ("/proc/self/fd", "/dev/fd")
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite opens beside a database: it comes and goes with that."""


@frozen
class Descriptor:
    """An open file descriptor."""

    number: int
    target: str = field(eq=False)
    """The path of a file, or what else the system calls it: ``socket:[7]``. It changes when the file is renamed."""
    inode: tuple[int, int] = (0, 0)
    """Device and number: tells a descriptor that was given out anew from what was behind it before."""
    is_socket: bool = False


def descriptors() -> frozenset[Descriptor]:
    """Return what is open; nothing where the system does not say (Windows)."""
    listing = next((each for each in _LISTS if os.path.isdir(each)), None)
    found = map(_describe, os.listdir(listing)) if listing is not None else ()
    return frozenset(each for each in found if each is not None)


def _describe(name: str) -> Descriptor | None:
    with suppress(OSError, ValueError):  # it was open for the listing alone, or another thread has closed it
        status = os.fstat(int(name))
        target = f"descriptor {name}"
        with suppress(OSError):  # no /proc
            target = os.readlink(f"{_LISTS[0]}/{name}")
        return Descriptor(int(name), target, (status.st_dev, status.st_ino), stat.S_ISSOCK(status.st_mode))
    return None


def left_open(
    before: Collection[Descriptor], owners: Owners, records: Records, nobodys: str | None
) -> Iterator[Finding]:
    """Yield the files and sockets that plugins left open.

    Args:
        before: what was open when the watch began.
        nobodys: the plugin of those that nobody was seen to open; None leaves them out.
    """
    sockets = {each.fileno(): made for each, made in records.sockets.items()}
    for each in sorted(descriptors() - frozenset(before), key=lambda each: each.number):
        if each.target.endswith(_BESIDE):
            continue
        kind = Kind.SOCKET if each.is_socket else Kind.FILE
        name = _address(each) if each.is_socket else each.target
        made = sockets.get(each.number) if each.is_socket else records.opened(each.number, each.target)
        load = owners.maker(made)
        if load is not None and made is not None:
            yield Finding(kind, load.plugin, name, owners.place(made, load))
        elif made is None and nobodys is not None:
            yield Finding(kind, nobodys, name)


def _address(descriptor: Descriptor) -> str:
    """Return where a socket is bound; its name where it is not, or has gone."""
    with suppress(OSError):
        copy = socket.socket(fileno=os.dup(descriptor.number))
        with copy:
            address = copy.getsockname()
            return ":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address) or descriptor.target
    return descriptor.target
