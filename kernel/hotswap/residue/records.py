"""What was made during one watch, and how. It is kept by identity, for as long as the thing itself lives."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar
from weakref import ref

from attrs import frozen

from hotswap.residue.trace import Made

T = TypeVar("T")
_FORKS = 256
"""How many forks are remembered: more than that many children are not left by accident."""


class Remembered(Generic[T]):
    """Things, each with how it came to be, by identity: equality is theirs to define, and may run their code."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[ref[Any], Made]] = {}

    def add(self, thing: T, made: Made) -> None:
        """Remember a thing until it is gone; one that cannot be referred to weakly is passed over."""
        key = id(thing)
        with suppress(TypeError):
            self._entries[key] = (ref(thing, lambda gone: self._forget(key, gone)), made)

    def _forget(self, key: int, gone: ref[Any]) -> None:
        if self._entries.get(key, (None,))[0] is gone:
            del self._entries[key]

    def get(self, thing: object) -> Made | None:
        """Return how a thing came to be."""
        reference, made = self._entries.get(id(thing), (None, None))
        return made if reference is not None and reference() is thing else None

    def items(self) -> list[tuple[T, Made]]:
        """Return the things that are still there."""
        there = [(reference(), made) for reference, made in list(self._entries.values())]
        return [(thing, made) for thing, made in there if thing is not None]


@frozen
class Opening:
    """A file that was about to be opened."""

    path: str | None
    """As it was asked for, made absolute; None where it says nothing (a URI)."""
    made: Made


class Records:
    """What was made during one watch.

    Args:
        born: called with an opening of a plugin as it begins, the task in which it runs, and what stands for it in
            ``Made.origin``.
    """

    def __init__(self, born: Callable[[Any, asyncio.Task[Any], object], object]) -> None:
        self.born = born
        self.tasks: Remembered[asyncio.Task[Any]] = Remembered()
        self.timers: Remembered[asyncio.TimerHandle] = Remembered()
        self.threads: Remembered[threading.Thread] = Remembered()
        self.sockets: Remembered[socket.socket] = Remembered()
        self.processes: Remembered[subprocess.Popen[Any]] = Remembered()
        self.forks: deque[Made] = deque(maxlen=_FORKS)
        self.files: dict[int, tuple[Opening, ...]] = {}
        """The openings that got, or were about to get, a file descriptor; the last one first."""
        self.environment: dict[str, Made] = {}
        """Who changed a variable last; the working folder is ``.``."""

    def opening(self, descriptor: int, path: str | None, made: Made) -> None:
        """Remember who opens a file. Of two threads that open at once, both are kept: either may get it."""
        before = self.files.get(descriptor, ())
        self.files[descriptor] = (Opening(path, made), *before[:1])

    def opened(self, descriptor: int, target: str) -> Made | None:
        """Return who opened what is behind a descriptor now."""
        mine = self.files.get(descriptor, ())
        others = [each for key, found in list(self.files.items()) if key != descriptor for each in found]
        for each in (*mine, *others):
            if each.path is not None and _is(target, each.path):
                return each.made
        return next((each.made for each in mine if each.path is None), None)


def _is(target: str, path: str) -> bool:
    """Return whether ``target``, as the system names an open file, was opened as ``path``."""
    target = target.removesuffix(" (deleted)")
    real = os.path.realpath(path)
    return target == real or os.path.dirname(target) == real  # the latter: a temporary file that never had a name
