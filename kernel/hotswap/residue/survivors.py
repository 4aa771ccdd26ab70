"""What of a closed plugin is still alive: its adapters, its plugin object, their classes, its modules."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator

from hotswap.residue.finding import Finding, Kind, Place
from hotswap.residue.holders import Held, Search
from hotswap.residue.load import LOADED, Kept
from hotswap.residue.owners import Owners, defined

_MOST_SEARCHES = 20
"""For how many objects the holders are looked for: each search walks through all objects a few times."""


def left_modules(before: Collection[str], owners: Owners) -> Iterator[Finding]:
    """Yield the modules that are still imported: of a load that is closed, or files of it under a name of their own.

    Args:
        before: the names of what was imported when the watch began.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith(f"{LOADED}."):
            load = owners.closed_module(name)
        elif name not in before and isinstance(file, str):
            load = owners.closed_folder(file)
        else:
            continue
        if load is not None:
            yield Finding(Kind.MODULE, load.plugin, name, Place(file, 1) if isinstance(file, str) else None)


def left_alive(owners: Owners, known: Collection[int]) -> Iterator[Finding]:
    """Yield the objects that something keeps alive, unless that is the thing with one of the ids in ``known``.

    Of a class and its instance the instance alone is named, and of two that hold each other the one that is held from
    outside: the others go with it.
    """
    kept = [(load, each) for load in owners.left for each in load.kept if each.reference() is not None]
    objects = [each.reference() for _, each in kept]
    search = Search(known, frozenset(map(id, objects)), frozenset((id(objects),)))
    found: dict[int, Held] = {}
    for number in range(len(objects)):
        load, each = kept[number]
        if _is_first(each, [other for owner, other in kept if owner is load]):
            found[number] = search.holders(objects[number]) if len(found) < _MOST_SEARCHES else Held()
    told = [number for number, held in found.items() if held.reason and not held.dependent]
    explained = any(not held.reason for held in found.values())
    if not told and not explained:
        told = list(found)[:1]  # they hold each other, and nothing that can be seen holds them
    for number in told:
        load, each = kept[number]
        yield Finding(Kind.OBJECT, load.plugin, each.name, defined(objects[number]), found[number].chain)


def _is_first(each: Kept, others: Collection[Kept]) -> bool:
    """Return whether nothing of the same load says more: an instance more than its class, a class than its module."""
    return each.rank == min(other.rank for other in others)
