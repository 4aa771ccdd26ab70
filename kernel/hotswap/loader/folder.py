"""The modules of a plugin folder that lies in no importable package. Each load has a name of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from hotswap.loader.module_set import ModuleSet, bind
from hotswap.loader.source import SourceLoader

NAMESPACE = "hotswap_loaded"
"""The package around those folders. It has no place on disk."""


class FolderModules(ModuleSet):
    """The modules of one load of a plugin folder.

    Its package and its entry module are executed without a search, where the listing of the folder leaves no doubt:
    that is most of what an import costs. All others are found by the import system.
    """

    has_own_name = True

    def __init__(self, root: str, loader: type[SourceLoader], folder: str) -> None:
        super().__init__(root, loader, folder)
        self._path = folder
        self._loader = loader
        self._begun: dict[str, None] = {root: None}
        """The modules that were asked for, in that order."""
        self._ended: list[str] = []
        """Those that were there when the import had ended, each after those whose import it waited for."""
        self._last_before = next(reversed(sys.modules), "")

    def find_spec(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find a module of this set, as a finder on ``sys.meta_path`` does."""
        self._begun[name] = None
        return super().find_spec(name, path)

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
        files = os.listdir(self._path)
        package = self._run_package("__init__.py" in files)
        if name == self.root:
            if "__init__.py" not in files:
                raise ModuleNotFoundError(f"No module named '__init__' in {self._path}", name=name)
            return package
        part = name[len(self.root) + 1 :]
        if name in sys.modules or [each for each in files if each.partition(".")[0] == part] != [f"{part}.py"]:
            return importlib.import_module(name)
        path = os.path.join(self._path, f"{part}.py")
        self._begun[name] = None
        spec = spec_from_file_location(name, path, loader=self._loader(name, path), submodule_search_locations=None)
        assert spec is not None
        module = _run(spec)
        setattr(package, part, module)
        return module

    def _run_package(self, has_code: bool) -> ModuleType:
        if NAMESPACE not in sys.modules:
            space = sys.modules[NAMESPACE] = ModuleType(NAMESPACE)
            space.__path__ = []
        path = os.path.join(self._path, "__init__.py")
        loader = self._loader(self.root, path)  # without code it still finds the files beside it (importlib.resources)
        spec = ModuleSpec(self.root, loader, origin=path, is_package=True)
        spec.submodule_search_locations = [self._path]
        spec.has_location = has_code
        module = _run(spec, has_code)
        bind(self.root, module)
        return module


def _run(spec: ModuleSpec, has_code: bool = True) -> ModuleType:
    """Make a module, execute its code, and leave it in ``sys.modules`` after those that it imported."""
    module = sys.modules[spec.name] = module_from_spec(spec)
    if has_code:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    module = sys.modules.pop(spec.name, module)  # it may have put something else in its place
    sys.modules[spec.name] = module
    return module
