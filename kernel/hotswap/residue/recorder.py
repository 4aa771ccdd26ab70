"""Sees things being made while at least one watch is on.

An audit hook cannot be taken out again, so there is at most one, and it does nothing while no watch is on.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from hotswap.residue.records import Records
from hotswap.residue.trace import Made, made_at

SHARED = ("asyncio_", "AnyIO worker thread")
"""How the names of threads begin that work for everybody: who started one says nothing of its later work."""

_THREADS_ARE_SILENT = sys.version_info < (3, 12)
"""Whether starting a thread raises no audit event: then the function that ``threading`` uses is stood in for."""


class Recorder:
    """Tells every watch that is on of what is made."""

    def __init__(self) -> None:
        self.listening: list[Records] = []
        self._hooked = False
        self._start_thread: Any = None

    def start(self, records: Records) -> None:
        """Begin to fill ``records``."""
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._hear)
        if not self.listening and _THREADS_ARE_SILENT:
            self._start_thread = threading._start_new_thread  # type: ignore[attr-defined]
            threading._start_new_thread = self._thread_starts  # type: ignore[attr-defined]
        self.listening.append(records)

    def stop(self, records: Records) -> None:
        """Leave ``records`` as they are."""
        self.listening.remove(records)
        ours = _THREADS_ARE_SILENT and threading._start_new_thread == self._thread_starts  # type: ignore[attr-defined]
        if not self.listening and ours:
            threading._start_new_thread = self._start_thread  # type: ignore[attr-defined]

    def _thread_starts(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> object:
        frame = sys._getframe(1)
        _thread(tuple(self.listening), (function,), frame, self.made(frame))
        return self._start_thread(function, arguments)

    def made(self, frame: FrameType | None) -> Made:
        """Return how what is made in ``frame`` comes to be."""
        return made_at(frame, self._starter)

    def _starter(self) -> object:
        # ``current_thread`` would make an object, for good, for a thread that Python did not start
        thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
        if thread is None or thread.name.startswith(SHARED):
            return None
        found = (records.threads.get(thread) for records in self.listening)
        return next((made.origin for made in found if made is not None), None)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        # What is raised in here would be raised by what the program was doing: it must not.
        if not self.listening or (note := _NOTES.get(event)) is None:
            return
        frame = sys._getframe(1)
        note(tuple(self.listening), arguments, frame, self.made(frame))


recorder = Recorder()
"""The one there is: audit events belong to the process."""


def _opened(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    path = _path(arguments[0])
    if path is not None:
        _opening(listening, path, made)


def _connected(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    path = _path(arguments[0])
    _opening(listening, None if path is None or "file:" in path else path, made)


def _opening(listening: tuple[Records, ...], path: str | None, made: Made) -> None:
    descriptor = _next_descriptor()
    for records in listening:
        records.opening(descriptor, path, made)


def _path(given: Any) -> str | None:
    """Return what is opened, as an absolute path; None for a descriptor, which was opened before."""
    with suppress(TypeError, ValueError, OSError):
        return os.path.abspath(os.fsdecode(given))
    return None


def _next_descriptor() -> int:
    """Return the descriptor that the next file gets: the system gives out the lowest one that is free."""
    with suppress(OSError):
        reader, writer = os.pipe()
        os.close(reader)
        os.close(writer)
        return min(reader, writer)
    return -1


def _thread(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    thread = getattr(arguments[0], "__self__", None)
    if isinstance(thread, threading.Thread):
        for records in listening:
            records.threads.add(thread, made)


def _socket(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    for records in listening:
        records.sockets.add(arguments[0], made)


def _process(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    process: Any = frame.f_locals.get("self")  # the event does not say which one, and is raised by a method of it
    for records in listening:
        records.processes.add(process, made)


def _fork(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    if frame.f_globals.get("__name__") != "subprocess":  # it has said so itself
        for records in listening:
            records.forks.append(made)


def _variable(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    for records in listening:
        records.environment[os.fsdecode(arguments[0])] = made


def _folder(listening: tuple[Records, ...], arguments: tuple[Any, ...], frame: FrameType, made: Made) -> None:
    for records in listening:
        records.environment["."] = made


_Note = Callable[[tuple[Records, ...], tuple[Any, ...], FrameType, Made], None]
_NOTES: Mapping[str, _Note] = {
    "open": _opened,
    "sqlite3.connect": _connected,
    "_thread.start_new_thread": _thread,
    "_thread.start_joinable_thread": _thread,
    "socket.__new__": _socket,
    "subprocess.Popen": _process,
    "os.fork": _fork,
    "os.forkpty": _fork,
    "os.posix_spawn": _fork,
    "os.putenv": _variable,
    "os.unsetenv": _variable,
    "os.chdir": _folder,
}
