"""The modules of one load: everything below one module name, found where the plugin lies.

An importable package keeps its name when it is imported anew, so two sets of modules may have the same names. The newer
one is in force: it stands in ``sys.modules``. The older one stands aside while its last calls leave, and its import
statements are answered from itself (``own_import``).
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from collections.abc import Collection, Sequence
from functools import partial
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    NamespaceLoader,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

from hotswap.loader.names import names_with
from hotswap.loader.own_import import OwnImport
from hotswap.loader.source import SourceLoader


class ModuleSet:
    """The modules of an importable package, or (without a ``loader``) what somebody else has imported of it.

    Args:
        root: everything in here is called this, or begins with it and a dot.
        loader: loads the source files.
        folder: where the package ``root`` lies; None where the search path decides.
    """

    has_own_name = False
    """No other set ever has the same root."""

    def __init__(self, root: str, loader: type[SourceLoader] | None, folder: str | None = None) -> None:
        self.root = root
        self.versions: dict[str, str] = {}
        """The plugins whose code this is, each with its version."""
        self.complete = loader is None
        """Its import has come to its end."""
        self._folder = folder
        self._builtins: dict[str, Any] | None = None if loader is None or self.has_own_name else dict(vars(builtins))
        self._load = partial(loader, namespace=self._builtins) if loader and self._builtins else loader
        self._finders: dict[str, FileFinder] = {}
        self._aside: dict[str, ModuleType] = {}

    def import_module(self, name: str) -> ModuleType:
        """Import a module of this set."""
        return importlib.import_module(name)

    def find_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find a module of this set, as a finder on ``sys.meta_path`` does."""
        if self._load is None:
            return None
        if name == self.root:
            return self._find_root(path)
        for folder in path or ():
            spec = self._finder(folder).find_spec(name)
            if spec is not None:
                return spec if spec.loader else _namespace(name, spec.submodule_search_locations or [])
        return None

    def _find_root(self, path: Sequence[str] | None) -> ModuleSpec | None:
        assert self._load is not None
        if self._folder is not None:
            init = os.path.join(self._folder, "__init__.py")
            if os.path.isfile(init):
                loader, folders = self._load(self.root, init), [self._folder]
                return spec_from_file_location(self.root, init, loader=loader, submodule_search_locations=folders)
        spec = PathFinder.find_spec(self.root, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = self._load(spec.loader.name, spec.loader.path)
        return spec

    def _finder(self, folder: str) -> FileFinder:
        """Return a finder of this set's own: its listing is no older than the load, and nobody else's."""
        finder = self._finders.get(folder)
        if finder is None:
            kinds: list[tuple[Any, list[str]]] = [
                (ExtensionFileLoader, EXTENSION_SUFFIXES),
                (self._load, SOURCE_SUFFIXES),
                (SourcelessFileLoader, BYTECODE_SUFFIXES),
            ]
            finder = self._finders[folder] = FileFinder(folder, *kinds)
        return finder

    def invalidate_caches(self) -> None:
        """Look into the folders anew."""
        for each in list(self._finders.values()):
            each.invalidate_caches()

    def loaded(self, but: Collection[str] = ()) -> dict[str, ModuleType]:
        """Return the modules of this set that stand in ``sys.modules``, each after those whose import it waited for."""
        return loaded_below(self.root, but)

    def end_import(self) -> None:
        """Note that the import has come to its end."""
        self.complete = True

    def step_aside(self, but: Collection[str] = ()) -> list[ModuleType]:
        """Leave ``sys.modules``, importers before what they import, and answer the own import statements from here.

        Args:
            but: roots inside this one whose modules are others'.
        """
        self._aside = modules = self.loaded(but)
        if self._builtins is not None:
            self._builtins["__import__"] = OwnImport(self.root, modules, self.find_spec)
        for name in reversed(modules):
            sys.modules.pop(name, None)
        return list(modules.values())

    def come_back(self) -> None:
        """Stand in ``sys.modules`` and in the parent package again, in the place of those that stepped aside."""
        if self._builtins is not None:
            self._builtins["__import__"] = builtins.__import__
        sys.modules.update(self._aside)
        if self.root in self._aside:
            bind(self.root, self._aside[self.root])

    def mend(self) -> None:
        """Put back what is missing in ``sys.modules`` of what came back before."""
        for name, module in self._aside.items():
            sys.modules.setdefault(name, module)

    @property
    def set_aside(self) -> list[ModuleType]:
        """Return what stood in ``sys.modules`` when this set stepped aside."""
        return list(self._aside.values())


def loaded_below(root: str, but: Collection[str] = ()) -> dict[str, ModuleType]:
    """Return the modules that are called ``root`` or lie in it, each after those whose import it waited for."""
    inside = f"{root}."
    names = [each for each in names_with(list(sys.modules), f"\n{root}") if each.startswith(inside) or each == root]
    others = tuple(f"{each}." for each in but)
    return {name: sys.modules[name] for name in names if name in sys.modules and not f"{name}.".startswith(others)}


def bind(name: str, module: ModuleType | None) -> None:
    """Let the package around ``name`` have this module by its last part; None: have none."""
    package, _, part = name.rpartition(".")
    parent = sys.modules.get(package)
    if parent is None:
        return
    names = vars(parent)  # ``setattr`` would intern a name that is gone with its load, thousands of them in the end
    if module is not None:
        names[part] = module
    elif isinstance(names.get(part), ModuleType):
        del names[part]


def _namespace(name: str, folders: Sequence[str]) -> ModuleSpec:
    """Describe a package without code of its own."""
    folders = list(folders)
    spec = ModuleSpec(name, NamespaceLoader(name, folders, lambda *_: None), is_package=True)
    spec.submodule_search_locations = folders
    return spec
