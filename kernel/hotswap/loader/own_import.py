"""The ``__import__`` of code that another generation has taken the names of.

``from package.part import name`` in a function of the older generation must not bring the newer one's classes into a
call that began before the switch. An import statement asks the ``__import__`` in the builtins of its module, so there
stands this one: names inside the package lead to the older modules, all other names where they always lead.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, resolve_name
from types import ModuleType
from typing import Any


class OwnImport:
    """Answers import statements from one set of modules.

    Args:
        root: the name of the package.
        modules: its modules by name. What is imported for the first time now is added.
        find_spec: finds such a module.
    """

    def __init__(
        self,
        root: str,
        modules: dict[str, ModuleType],
        find_spec: Callable[[str, Sequence[str] | None], ModuleSpec | None],
    ) -> None:
        self._root = root
        self._modules = modules
        self._find_spec = find_spec
        self._lock = threading.RLock()

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do as ``builtins.__import__``."""
        wanted = _absolute(name, globals or {}, level)
        if wanted == self._root or wanted.startswith(f"{self._root}."):
            module = self._module(wanted)
            if fromlist:
                self._import_parts(module, fromlist)
                return module
            top = self._root.partition(".")[0]
            return self._above(sys.modules[top]) if top != self._root else self._modules[top]
        module = builtins.__import__(name, globals, locals, fromlist or (), level)
        return self._above(module) if self._root.startswith(f"{module.__name__}.") else module

    def _module(self, name: str) -> ModuleType:
        with self._lock:
            if name not in self._modules:
                self._import(name)
            return self._modules[name]

    def _import(self, name: str) -> None:
        package, _, part = name.rpartition(".")
        parent = self._module(package) if name != self._root else sys.modules.get(package)
        spec = self._find_spec(name, getattr(parent, "__path__", None))
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = self._modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del self._modules[name]
            raise
        if name != self._root:
            setattr(parent, part, module)

    def _import_parts(self, module: ModuleType, names: Sequence[str]) -> None:
        """Import the submodules that ``from module import names`` names."""
        if "*" in names:
            names = [*names, *getattr(module, "__all__", ())]
        for each in names:
            if each != "*" and hasattr(module, "__path__") and not hasattr(module, each):
                part = f"{module.__name__}.{each}"
                try:
                    self._module(part)
                except ModuleNotFoundError as error:
                    if error.name != part:
                        raise

    def _above(self, module: ModuleType) -> ModuleType:
        """Return a likeness of a package around the root, from which dotted names lead to the modules in here."""
        name = module.__name__
        part = self._root[len(name) + 1 :].partition(".")[0]
        inner = f"{name}.{part}"
        likeness = ModuleType(name)
        vars(likeness).update(vars(module))
        setattr(likeness, part, self._modules[inner] if inner == self._root else self._above(sys.modules[inner]))
        return likeness


def _absolute(name: str, globals: Mapping[str, Any], level: int) -> str:
    if not level:
        return name
    package = getattr(globals.get("__spec__"), "parent", None) or globals.get("__package__") or ""
    return resolve_name("." * level + name, package) if package else ""
