"""A disk that keeps no promise but fsync's, to see what a power cut could leave.

What a block of code does to files under a folder is recorded while it is done. ``cuts`` then yields every state that
the disk could be in if the power had failed after any step: the content of a file is there when it was synced, and may
be empty otherwise; a change of a folder (a name that came, went or moved) is there when the folder was synced, and
otherwise may be missing, each by itself, in any combination.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, frozen

FOLDER = -1


@define
class _Inode:
    content: bytes = b""
    synced: bytes = b""


@frozen
class _Move:
    """One change of names: what is at ``gone`` any more is nothing, at ``name`` is ``inode`` (FOLDER: a folder)."""

    folder: str
    gone: str | None
    name: str | None
    inode: int


class PowerCut:
    """Records inside ``with``; see ``cuts``."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._inodes: list[_Inode] = []
        self._names: dict[str, int] = {}
        self._durable: dict[str, int] = {}
        self._pending: list[_Move] = []
        self._opened: dict[int, int | str] = {}
        self._seen: list[Mapping[str, bytes | None]] = []
        self._patch = pytest.MonkeyPatch()
        for folder, folders, files in os.walk(root):
            for name in folders:
                self._names[os.path.join(folder, name)] = FOLDER
            for name in files:
                content = Path(folder, name).read_bytes()
                self._inodes.append(_Inode(content, content))
                self._names[os.path.join(folder, name)] = len(self._inodes) - 1
        self._durable = dict(self._names)

    def __enter__(self) -> PowerCut:
        for name in ("open", "write", "fsync", "replace", "unlink", "mkdir"):
            self._patch.setattr(os, name, self._wrapped(getattr(os, name), getattr(self, f"_{name}")))
        self._cut()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._patch.undo()

    def cuts(self) -> Iterator[Mapping[str, bytes | None]]:
        """Yield each state once: the content by path relative to the root, None for a folder."""
        yield from self._seen

    def _wrapped(self, real: Any, record: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            record(result, *args)
            self._cut()
            return result

        return call

    def _open(self, descriptor: int, path: Any, flags: int, *rest: Any) -> None:
        name = os.fspath(path)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._opened[descriptor] = name
        elif flags & os.O_CREAT:
            if name not in self._names:
                self._inodes.append(_Inode())
                self._move(None, name, len(self._inodes) - 1)
            self._opened[descriptor] = self._names[name]

    def _write(self, count: int, descriptor: int, data: Any) -> None:
        inode = self._opened[descriptor]
        assert isinstance(inode, int)
        self._inodes[inode].content += bytes(data[:count])

    def _fsync(self, _: None, descriptor: int) -> None:
        what = self._opened[descriptor]
        if isinstance(what, int):
            self._inodes[what].synced = self._inodes[what].content
            return
        for each in [each for each in self._pending if each.folder == what]:
            self._pending.remove(each)
            _carry_out(each, self._durable)

    def _replace(self, _: None, source: Any, target: Any) -> None:
        self._move(os.fspath(source), os.fspath(target), self._names[os.fspath(source)])

    def _unlink(self, _: None, path: Any, **rest: Any) -> None:
        self._move(os.fspath(path), None, 0)

    def _mkdir(self, _: None, path: Any, *rest: Any) -> None:
        self._move(None, os.fspath(path), FOLDER)

    def _move(self, gone: str | None, name: str | None, inode: int) -> None:
        move = _Move(os.path.dirname(name or str(gone)), gone, name, inode)
        _carry_out(move, self._names)
        self._pending.append(move)

    def _cut(self) -> None:
        for count in range(len(self._pending) + 1):
            for kept in itertools.combinations(self._pending, count):
                names = dict(self._durable)
                for each in kept:
                    _carry_out(each, names)
                for only_synced in (True, False):
                    state = self._state(names, only_synced)
                    if state not in self._seen:
                        self._seen.append(state)

    def _state(self, names: Mapping[str, int], only_synced: bool) -> Mapping[str, bytes | None]:
        state: dict[str, bytes | None] = {}
        for name in sorted(names):
            parent = os.path.dirname(name)
            if parent != self._root and os.path.relpath(parent, self._root) not in state:
                continue  # its folder is not there
            inode = names[name]
            here = None if inode == FOLDER else self._inodes[inode]
            content = None if here is None else here.synced if only_synced else here.content
            state[os.path.relpath(name, self._root)] = content
        return state


def _carry_out(move: _Move, names: dict[str, int]) -> None:
    if move.gone is not None:
        names.pop(move.gone, None)
    if move.name is not None:
        names[move.name] = move.inode


def laid_out(state: Mapping[str, bytes | None], root: Path) -> Path:
    """Make the files of a state under ``root``; return it."""
    root.mkdir()
    for name, content in state.items():
        if content is None:
            (root / name).mkdir()
        else:
            (root / name).write_bytes(content)
    return root
