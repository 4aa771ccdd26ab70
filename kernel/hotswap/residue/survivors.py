"""What of a closed plugin is still alive: its adapters, its plugin object, their classes, its modules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from hotswap.residue.finding import Finding, Kind, Place
from hotswap.residue.holders import Search
from hotswap.residue.load import LOADED, Code
from hotswap.residue.owners import Owners, defined

_MOST = 40
"""Of how many objects the holders are looked for: each search walks through all there are a few times."""


def left_modules(before: Collection[str], owners: Owners) -> Iterator[tuple[Finding, Any]]:
    """Yield the modules that are still imported: of a load that is closed, or files of it under a name of their own.

    With each comes the dictionary of its attributes, which holds what is in it.

    Args:
        before: the names of what was imported when the watch began.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        load: Code | None = None
        if name.startswith(f"{LOADED}."):
            load = owners.closed_module(name)
        elif isinstance(file, str):
            load = owners.closed_folder(file)
        if name in before and not (load is not None and load.early):
            continue
        if load is not None:
            place = Place(file, 1) if isinstance(file, str) else None
            yield Finding(Kind.MODULE, load.plugin, name, place), getattr(module, "__dict__", None)


def left_alive(owners: Owners, known: Collection[int], excused: Callable[[object], bool]) -> Iterator[Finding]:
    """Yield the objects that something keeps alive, unless that is ``excused`` or has one of the ids in ``known``.

    Of those that hold each other the one that is held from outside is named, and of an instance, its class and its
    module the first: the others go with it.
    """
    kept = [(load, each) for load in owners.left for each in load.kept if each.reference() is not None]
    objects = [each.reference() for _, each in kept]
    search = Search(known, frozenset(map(id, objects)), frozenset((id(objects),)), excused)
    settled: dict[int, int] = {}
    told: dict[int, tuple[str, ...]] = {}
    for number in sorted(range(len(objects)), key=lambda number: kept[number][1].rank)[:_MOST]:
        load, each = kept[number]
        if settled.get(id(load), each.rank) < each.rank:
            continue
        held = search.holders(objects[number])
        if not held.dependent:
            settled[id(load)] = each.rank
        if held.reason and not held.dependent:
            told[number] = held.chain
    if objects and not settled:  # they hold each other, and nothing that is seen holds them
        told[0] = ()
    for number, chain in told.items():
        load, each = kept[number]
        yield Finding(Kind.OBJECT, load.plugin, each.name, defined(objects[number]), chain)
