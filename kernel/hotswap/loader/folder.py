"""The modules of a plugin folder that lies in no importable package. Each load has a name of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from types import ModuleType

from hotswap.loader.module_set import ModuleSet, bind
from hotswap.loader.source import SourceLoader, cache_of

NAMESPACE = "hotswap_loaded"
"""The package around those folders. It has no place on disk."""
_INIT = "__init__"
_BEFORE = ("", *EXTENSION_SUFFIXES)
"""What may follow a name that is found before a source: a package, and compiled modules."""
_NAMES_ARE_EXACT = not sys.platform.startswith(("win", "cygwin", "darwin"))
"""A file that is there is called as it was asked for; elsewhere that takes a listing."""


class FolderModules(ModuleSet):
    """The modules of one load of a plugin folder.

    A name that means a source file right in the folder leads there without a search: that is most of what an import
    costs. All others are found by the import system.
    """

    has_own_name = True

    def __init__(self, root: str, loader: type[SourceLoader], folder: str) -> None:
        super().__init__(root, loader, folder)
        self._path = folder
        self._loader = loader
        self._cached = (cache_of(os.path.join(folder, f"{_INIT}.py")) or "").rpartition(_INIT)
        self._begun: dict[str, None] = {root: None}
        """The modules that were asked for, in that order."""
        self._ended: list[str] = []
        """Those that were there when the import had ended, each after those whose import it waited for."""
        self._last_before = next(reversed(sys.modules), "")

    def loaded(self, but: Collection[str] = ()) -> dict[str, ModuleType]:
        """Return the modules of this set that stand in ``sys.modules``: of no other module there the name is looked at.

        What code has put there by hand is among them if that was done while it was imported.
        """
        if not self.complete:
            self._look_back()
        names = dict.fromkeys([*self._ended, *reversed(self._begun)])
        return {name: sys.modules[name] for name in names if name in sys.modules}

    def end_import(self) -> None:
        """Note that the import has come to its end, and what it left in ``sys.modules``."""
        super().end_import()
        self._look_back()

    def _look_back(self) -> None:
        """Go back in ``sys.modules``, where the latest stand last, to what was there before the import."""
        try:
            self._ended = self._since(reversed(sys.modules))
        except RuntimeError:  # another thread imports at this moment
            self._ended = self._since(reversed(list(sys.modules)))

    def _since(self, names: Iterable[str]) -> list[str]:
        inside, found = f"{self.root}.", []
        missing = {each for each in (*self._begun, self._last_before) if each in sys.modules}
        for each in names:
            missing.discard(each)
            if each == self.root or each.startswith(inside):
                found.append(each)
            if not missing:
                break
        return found[::-1]

    def import_module(self, name: str) -> ModuleType:
        """Import a module of this set for the first time."""
        has_code = os.access(self._source(_INIT), os.F_OK)
        package = self._run_package(has_code)
        if name == self.root:
            if not has_code:
                raise ModuleNotFoundError(f"No module named {_INIT!r} in {self._path}", name=name)
            return package
        part = name[len(self.root) + 1 :]
        if name in sys.modules or not self._is_source(part):
            return importlib.import_module(name)
        self._begun[name] = None
        module = _run(self._spec(name, part))
        setattr(package, part, module)
        return module

    def find_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find a module of this set, as a finder on ``sys.meta_path`` does."""
        self._begun[name] = None
        package, _, part = name.rpartition(".")
        if package == self.root and path == [self._path] and self._is_source(part):
            return self._spec(name, part)
        return super().find_spec(name, path)

    def _run_package(self, has_code: bool) -> ModuleType:
        if NAMESPACE not in sys.modules:
            space = sys.modules[NAMESPACE] = ModuleType(NAMESPACE)
            space.__path__ = []
        spec = self._spec(self.root, _INIT)  # without code it still finds the files beside it (importlib.resources)
        spec.submodule_search_locations = [self._path]
        spec.has_location = has_code
        module = _run(spec, has_code)
        bind(self.root, module)
        return module

    def _is_source(self, part: str) -> bool:
        """Return whether a name means a source file of the folder, and nothing that would be found before that."""
        base = f"{self._path}{os.sep}{part}"
        if not _NAMES_ARE_EXACT or not os.access(f"{base}.py", os.F_OK):
            return False
        return not any(os.access(base + each, os.F_OK) for each in _BEFORE)

    def _source(self, part: str) -> str:
        return f"{self._path}{os.sep}{part}.py"

    def _spec(self, name: str, part: str) -> ModuleSpec:
        path = self._source(part)
        before, _, after = self._cached
        cached = f"{before}{part}{after}" if after else None
        spec = ModuleSpec(name, self._loader(name, path, cached=cached), origin=path)
        spec.cached = cached
        spec.has_location = True
        return spec


def _module_of(spec: ModuleSpec) -> ModuleType:
    """Return what ``importlib.util.module_from_spec`` does, which asks for each attribute before it sets it."""
    module = ModuleType(spec.name)
    known: dict[str, object] = {"__loader__": spec.loader, "__package__": spec.parent, "__spec__": spec}
    if spec.submodule_search_locations is not None:
        known["__path__"] = spec.submodule_search_locations
    if spec.has_location:
        known["__file__"] = spec.origin
    if spec.has_location and spec.cached is not None:
        known["__cached__"] = spec.cached
    vars(module).update(known)
    return module


def _run(spec: ModuleSpec, has_code: bool = True) -> ModuleType:
    """Make a module, execute its code, and leave it in ``sys.modules`` after those that it imported."""
    module = sys.modules[spec.name] = _module_of(spec)
    if has_code:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    module = sys.modules.pop(spec.name, module)  # it may have put something else in its place
    sys.modules[spec.name] = module
    return module
