"""Which load's modules a name leads to: the one finder that hotswap puts on ``sys.meta_path``.

It answers for the names of loads and for no others. It stands before the search of ``sys.path`` and after everything
that others have put in front of it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from hotswap.loader.module_set import ModuleSet, bind
from hotswap.loader.names import names_with
from hotswap.loader.traces import forget


class ModuleFinder:
    """The sets of modules of this process, by root; the last of those with the same root is in force."""

    def __init__(self) -> None:
        self._sets: dict[str, tuple[ModuleSet, ...]] = {}  # tuples, since other threads' imports read them
        self._lock = threading.RLock()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of a load; called by the import system."""
        name = fullname
        while name:
            modules = self.in_force(name)
            if modules is not None:
                return modules.find_spec(fullname, path)
            name = name.rpartition(".")[0]
        return None

    def invalidate_caches(self) -> None:
        """Look into all folders anew; called by ``importlib.invalidate_caches``."""
        for sets in list(self._sets.values()):
            for each in sets:
                each.invalidate_caches()

    def in_force(self, root: str) -> ModuleSet | None:
        """Return the set that has the name, if one of ours does."""
        sets = self._sets.get(root)
        return sets[-1] if sets else None

    def begin(self, modules: ModuleSet) -> None:
        """Put a set in force, before its import; what has its names steps aside."""
        with self._lock:
            if self not in sys.meta_path:
                places = [place for place, each in enumerate(sys.meta_path) if each is PathFinder]
                sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)
            sets = self._sets.get(modules.root, ())
            if not sets and modules.root in sys.modules:
                sets = (ModuleSet(modules.root, None),)
            if sets:
                sets[-1].step_aside(self._inside(modules))
            self._sets[modules.root] = (*sets, modules)

    def complete(self, modules: ModuleSet) -> None:
        """Note that an import has come to its end."""
        modules.end_import()
        if len(self._sets.get(modules.root, ())) > 1:
            for each in self._inside(modules):
                bind(each, sys.modules.get(each))

    def _inside(self, modules: ModuleSet) -> list[str]:
        """Return the roots of other plugins that lie in the package of this one: they stay as they are."""
        return [] if modules.has_own_name else names_with(list(self._sets), f"\n{modules.root}.")

    def withdraw(self, modules: ModuleSet) -> None:
        """Take a set out of force, wholly: what stepped aside for it has its names again.

        This may be done twice: an import that was left behind takes its name out of ``sys.modules`` when it fails in
        the end, and by then the name is another set's.
        """
        root = modules.root
        with self._lock:
            sets = self._sets.get(root, ())
            rest = tuple(each for each in sets if each is not modules)
            if sets[-1:] == (modules,) or modules.has_own_name:
                left = modules.step_aside(self._inside(modules))
                if rest:
                    rest[-1].come_back()
                else:
                    bind(root, None)
                forget(root, left, name_is_gone=modules.has_own_name)
            elif rest:
                rest[-1].mend()
            if rest:
                self._sets[root] = rest
            else:
                self._sets.pop(root, None)

    def settle(self, root: str) -> None:
        """Forget what stepped aside for good: nothing can bring it back."""
        with self._lock:
            sets = self._sets.get(root, ())
            while len(sets) > 1 and sets[1].complete:
                forget(root, sets[0].set_aside, name_is_gone=False)
                self._sets[root] = sets = sets[1:]


FINDER = ModuleFinder()
