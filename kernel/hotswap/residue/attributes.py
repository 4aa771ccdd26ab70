"""Attributes of modules and classes that were patched: what they were before, and what they are now.

Modules fill things in lazily all the time. So a change counts where the new value is a plugin's own code, where a
plugin's source makes it, and where code of a module was replaced by code from somewhere else, or taken away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from operator import is_
from types import BuiltinFunctionType, ModuleType
from typing import Any

from attrs import frozen

from hotswap.residue.finding import Finding, Kind
from hotswap.residue.load import LOADED, Code
from hotswap.residue.owners import Owners, defined, home, is_code
from hotswap.residue.sources import Sources

_HEAP_TYPE = 1 << 9
_IMMUTABLE_TYPE = 1 << 8
_NOTHING: Any = object()
_UNKNOWN: Any = object()
_vars_of_class: Any = type.__dict__["__dict__"]


@frozen(eq=False)
class Space:
    """A module or a class that may be patched, and its attributes as they are now."""

    name: str
    module: str
    owner: Any
    attributes: Mapping[str, Any]


def spaces() -> Iterator[Space]:
    """Yield every module that is imported and the classes it defines, those of plugins in plain folders left out."""
    for name, module in list(sys.modules.items()):
        if not issubclass(type(module), ModuleType) or name == LOADED or name.startswith(f"{LOADED}."):
            continue
        # not ``vars(module)``: a module that is loaded lazily would be loaded
        attributes = object.__getattribute__(module, "__dict__")
        yield Space(name, name, module, attributes)
        for each in list(attributes.values()):
            if issubclass(type(each), type) and each.__module__ == name and _may_be_patched(each):
                yield Space(f"{name}.{each.__qualname__}", name, each, _vars_of_class.__get__(each))


def _may_be_patched(cls: Any) -> bool:
    return bool(cls.__flags__ & _HEAP_TYPE) and not cls.__flags__ & _IMMUTABLE_TYPE


@frozen(eq=False)
class Change:
    """An attribute that is not what it was, or that nobody saw before a plugin had it."""

    space: Space
    name: str
    before: Any
    now: Any

    @property
    def label(self) -> str:
        """Return its full name, and what happened to it."""
        how = " (added)" if self.before is _NOTHING else " (removed)" if self.now is _NOTHING else ""
        return f"{self.space.name}.{self.name}{how}"

    @property
    def called(self) -> str:
        """Return how a line of source would name it: ``json.dumps``."""
        return f"{self.space.name.rpartition('.')[2]}.{self.name}"

    @property
    def puts_code(self) -> bool:
        """Return whether the new value is code, or stands where something was."""
        return is_code(self.now) or not any(self.before is each for each in (None, _NOTHING, _UNKNOWN))

    @property
    def is_telling(self) -> bool:
        """Return whether code of this module was replaced by code from somewhere else, or taken away."""
        here = self.space.module.partition(".")[0]
        if not is_code(self.before) or issubclass(type(self.before), ModuleType):
            return False
        if type(self.before) is not BuiltinFunctionType and home(self.before).partition(".")[0] != here:
            return False
        return self.now is _NOTHING or home(self.now).partition(".")[0] != here


class Attributes:
    """What every attribute was when this was made. All of it is held until ``changes`` is called, except what is a
    plugin's: that must not live longer because it is looked at.
    """

    def __init__(self, owners: Owners) -> None:
        self._before: dict[int, tuple[Any, dict[str, Any]]] = {}
        may_be_theirs = owners.have_written
        for each in spaces():
            before = dict(each.attributes)
            if may_be_theirs:
                before.update((name, _UNKNOWN) for name in [*owners.written(before)])
            self._before[id(each.owner)] = (each.owner, before)

    def changes(self, owners: Owners) -> list[Change]:
        """Return what is not what it was, and may be a plugin's doing; let go of what was remembered."""
        found = [change for space in spaces() for change in self._in(space, owners)]
        self._before.clear()
        return found

    def _in(self, space: Space, owners: Owners) -> Iterator[Change]:
        before = self._before.get(id(space.owner), (None, None))[1]
        now = dict(space.attributes)
        if before is None:  # imported meanwhile
            yield from (Change(space, name, _NOTHING, now[name]) for name in owners.written(now))
            return
        if len(before) == len(now) and all(map(is_, before.values(), now.values())):
            return
        for name, value in now.items():
            was = before.get(name, _NOTHING)
            if was is not value:
                yield Change(space, name, was, value)
        for name in before.keys() - now.keys():
            yield Change(space, name, before[name], _NOTHING)


def patched(
    changes: list[Change], owners: Owners, sources: Sources, nobodys: str | None
) -> Iterator[tuple[Finding, Any]]:
    """Yield the changes that plugins made, each with its new value.

    Args:
        nobodys: the plugin of those that nothing ties to one; None leaves them out.
    """
    for each in changes:
        author = None if each.now is _NOTHING else owners.author(each.now)
        found = _foreign(each, owners, sources, nobodys) if author is None else _own(each, author, sources)
        if found is not None:
            yield found, each.now


def _own(change: Change, author: Code, sources: Sources) -> Finding | None:
    """Return a change to a value that is a plugin's own, unless that is in its own module, or mere importing.

    An object of a plugin's where nothing was is left by whoever keeps it, unless the plugin's source puts it there.
    """
    if author.owns_module(change.space.module) or issubclass(type(change.now), ModuleType):
        return None
    if change.before is _UNKNOWN and not author.early:
        return None
    place = sources.sets(author.folder, change.called) or sources.sets(author.folder, change.name)
    if place is None and not change.puts_code:
        return None
    return Finding(Kind.ATTRIBUTE, author.plugin, change.label, place or defined(change.now))


def _foreign(change: Change, owners: Owners, sources: Sources, nobodys: str | None) -> Finding | None:
    """Return a change to a value that is not a plugin's own, if a plugin made it.

    Where nothing was, only a line that names the very attribute tells: modules add to themselves as they are used.
    """
    if change.before is _UNKNOWN:
        return None
    for load in owners.closed:
        place = sources.sets(load.folder, change.called)
        place = place or (sources.sets(load.folder, change.name) if change.is_telling else None)
        if place is not None:
            return Finding(Kind.ATTRIBUTE, load.plugin, change.label, place)
    if change.is_telling and nobodys is not None:
        return Finding(Kind.ATTRIBUTE, nobodys, change.label, defined(change.now))
    return None
