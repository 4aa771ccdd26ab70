"""The modules of a plugin folder that lies in no importable package. Each load has a name of its own."""

from __future__ import annotations

import importlib
import os
import sys
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
