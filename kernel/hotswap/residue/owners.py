"""Whose a thing is: which opening of which plugin made it, or wrote its code."""

from __future__ import annotations

import asyncio
import linecache
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import _lru_cache_wrapper, cached_property, partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from hotswap.residue.finding import Place
from hotswap.residue.load import LOADED, Code, Host, Load, is_of, opened_in
from hotswap.residue.trace import IMPORT, Made, Spot, module_of

_FEW = 64
"""How many openings are remembered before it is worth looking which of them are wholly gone."""


class Owners:
    """The openings of plugins that were seen, in every kernel of the process.

    Args:
        host: the kernel that is watched.
        plugins: ids to look at; empty: all.
        outside: files that are nobody's of these, though they may lie in a plugin's folder: its tests.
    """

    def __init__(self, host: Host, plugins: Collection[str] = (), outside: Collection[str] = ()) -> None:
        self.host = host
        self._outside = outside
        self._plugins = frozenset(plugins)
        self.loads: list[Load] = []
        self._last: dict[str, Load] = {}
        self._most = _FEW
        self._roots: dict[str, list[Code]] = {}
        self._files: dict[str, list[Code]] = {}
        for instance, task in opened_in(host):
            self.born(instance, task, object())
        for load in self.loads:
            load.early = True

    def born(self, instance: Any, task: asyncio.Task[Any], token: object) -> None:
        """Note that a plugin is being opened; what is closed and wholly gone is forgotten, every now and then."""
        if len(self.loads) >= self._most:
            self.forget()
            self._most = 2 * len(self.loads) + _FEW
        load = Load(instance, task, token, ours=is_of(self.host, instance))
        self.loads.append(load)
        if load.ours and self.looks_at(load.plugin):
            self._last[load.plugin] = load
        self._roots.clear()
        self._files.clear()

    def let_go(self) -> None:
        """Do not look any more what is closed."""
        for each in self.loads:
            each.let_go()

    def forget(self) -> None:
        """Let go of what is wholly gone, but for the last load of each plugin: it stands for those before it."""
        last = self._last.values()
        self.loads = [each for each in self.loads if not each.forgotten or each in last]
        self._roots.clear()
        self._files.clear()

    def _index(self) -> None:
        for each in self.loads:
            if each.root:
                self._roots.setdefault(each.root, []).append(each)
            for path in (str(each.folder), *each.files):
                self._files.setdefault(path, []).append(each)

    @property
    def left(self) -> list[Load]:
        """Return what was opened in this kernel, is looked at, and is closed."""
        return [each for each in self.loads if self.is_left(each)]

    @property
    def alive(self) -> bool:
        """Return whether anything of what is closed is still alive."""
        return any(each.reference() is not None for load in self.left for each in load.kept)

    @property
    def closed(self) -> list[Load]:
        """Return the last load of each plugin that is looked at and is closed."""
        return [each for each in self._last.values() if self.is_left(each)]

    def looks_at(self, plugin: str) -> bool:
        """Return whether a plugin is to be looked at."""
        return not self._plugins or plugin in self._plugins

    def is_left(self, load: Code) -> bool:
        """Return whether a load is one of this kernel's that is looked at and is closed."""
        return load.ours and self.looks_at(load.plugin) and not load.is_open(self.host)

    def maker(self, made: Made | None) -> Code | None:
        """Return the closed load that made something; None where that was somebody else, or nobody can tell."""
        return self._closed(self._makers(made)) if made is not None else None

    def _makers(self, made: Made) -> list[Code]:
        """Return the loads that may have made something: the innermost call into a plugin's code decides."""
        found: list[Code] = []
        for spot in made.spots:
            found = self._writers(spot.module, spot.file)
            if found:
                break
            if spot.function == IMPORT:
                return []  # a library's own doing while it was imported: its code stays, and so may what it has made
        behalf: list[Code] = [each for each in self.loads if each.stands_for(made.origin)]
        return behalf if not found or (behalf and behalf[0] in found) else found

    def _writers(self, module: str, file: str = "") -> list[Code]:
        """Return the loads whose own a module, or else a file, is."""
        if not self._files:
            self._index()
        for name in _outwards(module, "."):
            if name in self._roots:
                return self._roots[name]
        if module.startswith(f"{LOADED}."):
            return [Code.of(module)]
        for path in _outwards(file, os.sep):
            if path in self._files:
                return [each for each in self._files[path] if each.early or file not in self._outside]
        return []

    def author(self, value: object) -> Code | None:
        """Return the closed load whose code a function, a class or an object of one is."""
        module = home(value)
        return self._closed(self._writers(module)) if module else None

    @property
    def have_written(self) -> bool:
        """Return whether there is code of any plugin's in the process, so that a value may be one's."""
        return bool(self.loads) or any(name.startswith(f"{LOADED}.") for name in list(sys.modules))

    def written(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names of those ``values`` that plugins wrote, or that are objects of what they wrote.

        Code of an importable package is anybody's to import, so having it says nothing.
        """
        prefix = f"{LOADED}."
        for name, value in values.items():
            module = home(value)
            if module.startswith(prefix) or (not is_code(value) and self._writers(module)):
                yield name

    def runs(self, frames: Iterable[Any], made: Made | None, *, shared: bool = False) -> tuple[Code, Place] | None:
        """Return the closed load whose own code runs in one of ``frames`` (innermost first), and where.

        What no plugin ``made`` may be in its code all the same. What was made before the watch began can only be in
        the code of a plugin that was open then, or that is opened while the watch is on, where it is ``shared``.
        """
        if made is not None and self._makers(made):
            return None
        for frame in frames:
            load = self._closed(self._writers(module_of(frame.f_globals), frame.f_code.co_filename))
            if load is not None and (made is not None or load.early or (shared and isinstance(load, Load))):
                code = frame.f_code
                return load, Place(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_qualname)
        return None

    def closed_module(self, module: str) -> Code | None:
        """Return the closed load that a module belongs to."""
        return self._closed(self._writers(module))

    def closed_folder(self, file: str) -> Code | None:
        """Return the closed load in whose plain folder a file is, unless that folder is in use by another one."""
        load = self._closed(self._writers("", file))
        if load is None or load.folder is None or not load.code_leaves:
            return None
        packages = [each for name, each in list(sys.modules.items()) if name.startswith(f"{LOADED}.")]
        in_use = any(str(load.folder) in getattr(each, "__path__", ()) for each in packages)
        return None if in_use or not file.startswith(f"{load.folder}{os.sep}") else load

    def _closed(self, loads: Collection[Code]) -> Code | None:
        """Return the load that stands for those that share their code: an open one first, since it may be that one."""
        load = min(loads, key=lambda each: (not each.is_open(self.host), not each.ours), default=None)
        return load if load is not None and self.is_left(load) else None

    def place(self, made: Made, load: Code) -> Place | None:
        """Return the innermost line of a plugin's own code; without one, of code that is not Python's."""
        for spot in made.spots:
            if load.owns_module(spot.module) or load.owns_file(spot.file):
                return spot.place
        return next((each.place for each in made.spots if not _is_python(each)), None)


def _is_python(spot: Spot) -> bool:
    return spot.module.partition(".")[0] in sys.stdlib_module_names


def _outwards(name: str, separator: str) -> Iterator[str]:
    """Yield ``a.b.c``, ``a.b`` and ``a``."""
    while name:
        yield name
        name = name.rpartition(separator)[0]


def home(value: object) -> str:
    """Return the module whose code a value is; ``builtins`` for plain data."""
    inner = _inside(value)
    if type(inner) is MethodType:
        inner = inner.__self__  # the method may be inherited
    if type(inner) is FunctionType:
        return module_of(inner.__globals__)
    if issubclass(type(inner), ModuleType):
        return str(object.__getattribute__(inner, "__name__"))
    if type(inner) is BuiltinFunctionType:
        return inner.__module__ or ""
    name = (inner if issubclass(type(inner), type) else type(inner)).__module__
    return name if isinstance(name, str) else ""


def is_code(value: object) -> bool:
    """Return whether a value is a function, a class or a module."""
    kind = type(value)
    return kind in (FunctionType, BuiltinFunctionType, MethodType) or issubclass(kind, type | ModuleType)


def _inside(value: Any) -> Any:
    """Return the function, class or object that a wrapper of Python's own is around."""
    while True:
        kind = type(value)
        if kind in (staticmethod, classmethod):
            value = value.__func__
        elif kind in (partial, cached_property):
            value = value.func
        elif kind is property:
            value = value.fget
        elif kind is _lru_cache_wrapper:
            value = value.__wrapped__
        else:
            return value


def defined(value: object) -> Place | None:
    """Return where a function or class was written; for an object, its class."""
    inner = _inside(value)
    if type(inner) is MethodType:
        inner = inner.__func__
    if type(inner) is FunctionType:
        code = inner.__code__
        return Place(code.co_filename, code.co_firstlineno, code.co_qualname)
    cls = inner if issubclass(type(inner), type) else type(inner)
    return _defined_class(cls)


def _defined_class(cls: type) -> Place | None:
    """Return where a class begins: above its first method. Its module may be gone, and with it what inspect reads."""
    codes = [each.__code__ for each in vars(cls).values() if isinstance(each, FunctionType)]
    first = min(codes, key=lambda each: each.co_firstlineno, default=None)
    if first is None:
        return None
    above = linecache.getlines(first.co_filename)[: first.co_firstlineno]
    begins = re.compile(rf"\s*class\s+{cls.__name__}\b")
    lines = [number for number, line in enumerate(above, 1) if begins.match(line)]
    return Place(first.co_filename, lines[-1] if lines else first.co_firstlineno, cls.__qualname__)
