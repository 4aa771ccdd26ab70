"""Loads modules so that what runs is what stands in the file.

CPython trusts a ``.pyc`` by its source's size and modification time in whole seconds: an edit of the same length within
that second stays unseen, now and at every later start. So bytecode is trusted here by git's rule for its index: only if
it was written safely after the source, or if it carries the source's hash (PEP 552). What is compiled too soon after an
edit is written with the hash, which CPython checks as well.
"""

from __future__ import annotations

import linecache
import marshal
import os
import struct
import sys
import time
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from types import CodeType, ModuleType
from typing import Any

SAFE = 2
"""Seconds after the second of an edit in which no other edit can carry the same time: FAT counts in steps of two."""
_HASH, _HASH_CHECKED = 0b01, 0b11
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)


class SourceLoader(SourceFileLoader):
    """CPython's loader, with builtins of the load's own.

    Args:
        namespace: what ``__builtins__`` is in the modules; None for everybody's.
        cached: where the bytecode is kept; None where that is to be looked up.
    """

    def __init__(
        self, name: str, path: str, namespace: dict[str, Any] | None = None, cached: str | None = None
    ) -> None:
        super().__init__(name, path)
        self._namespace = namespace
        self._cache = cached

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module, empty but for what ``__builtins__`` says."""
        if self._namespace is None:
            return None
        module = ModuleType(spec.name)
        module.__dict__["__builtins__"] = self._namespace
        return module


class CheckedLoader(SourceLoader):
    """A loader that does not believe stale bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the source as it is now."""
        asked = time.time()
        source = os.stat(self.path)
        cached = self._cache or cache_of(self.path)
        code = self._cached(cached, source) if cached else None
        return code or self._compiled(cached, source, asked)

    def _cached(self, cached: str, source: os.stat_result) -> CodeType | None:
        try:
            written, data = _contents(cached)
        except OSError:
            return None
        if data[:4] != MAGIC_NUMBER:
            return None
        if int.from_bytes(data[4:8], "little") & _HASH:
            trusted = data[8:16] == source_hash(self.get_data(self.path))
        else:
            trusted = data[8:16] == _stamp(source) and written >= int(source.st_mtime) + SAFE
        return self._read(data) if trusted else None

    def _read(self, data: bytes) -> CodeType | None:
        try:
            code = marshal.loads(memoryview(data)[16:])  # noqa: S302 - bytecode that lies beside its source
        except (EOFError, TypeError, ValueError):  # cut short or damaged: the source is there
            return None
        if not isinstance(code, CodeType):
            return None
        return code if code.co_filename == self.path else _moved(code, self.path)

    def _compiled(self, cached: str | None, source: os.stat_result, asked: float) -> CodeType:
        text = self.get_data(self.path)
        linecache.cache.pop(self.path, None)
        code = self.source_to_code(text, self.path)
        if cached is not None and not sys.dont_write_bytecode:
            racy = asked < int(source.st_mtime) + SAFE
            head = _flags(_HASH_CHECKED) + source_hash(text) if racy else _flags(0) + _stamp(source)
            # Not written where that cannot be, as by CPython; readable for whoever may read the source.
            self.set_data(cached, MAGIC_NUMBER + head + marshal.dumps(code), _mode=source.st_mode & 0o666 | 0o200)
        return code


class FreshLoader(CheckedLoader):
    """A loader that compiles in any case, for code that somebody asked to be loaded anew."""

    def _cached(self, cached: str, source: os.stat_result) -> None:
        return None


def cache_of(path: str) -> str | None:
    """Return where the bytecode of a source is kept; None for nowhere."""
    try:
        return cache_from_source(path)
    except NotImplementedError:  # an interpreter that keeps no bytecode
        return None


def _contents(path: str) -> tuple[float, bytes]:
    """Return when a file was written, and what is in it."""
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        return found.st_mtime, os.read(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _moved(code: CodeType, path: str) -> CodeType:
    """Return code that was compiled elsewhere as that of the file which it was found beside."""
    parts = (_moved(each, path) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=path, co_consts=tuple(parts))


def _flags(flags: int) -> bytes:
    return flags.to_bytes(4, "little")


def _stamp(source: os.stat_result) -> bytes:
    """Return what CPython keeps of a source in a ``.pyc``."""
    return struct.pack("<II", int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
