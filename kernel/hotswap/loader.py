"""Code in, code out: imports a plugin's module and holds its classes against the manifest.

A plugin inside an importable package (``hotswap_plugins.research``) is imported by its own name. One in a plain folder
gets a package name of its own for each load, ``hotswap_loaded.<id>_<n>``, whose path is that folder: relative imports
work as in any package, two versions side by side do not mix, and dropping the name drops the code.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import Mapping
from itertools import count
from pathlib import Path, PurePosixPath
from types import ModuleType

from attrs import frozen

from hotswap.catalog import Found
from hotswap.errors import PluginLoadFailed, nearest, says
from hotswap.import_thread import in_thread
from hotswap.manifest import Manifest, Provide
from hotswap.port_directory import PortDirectory
from hotswap_ports import Plugin, Port

NAMESPACE = "hotswap_loaded"
_numbers = count(1)


@frozen
class Loaded:
    """A plugin's code, held against its manifest."""

    found: Found
    module: ModuleType | None
    adapters: Mapping[Provide, type[Port]]
    plugin_class: type[Plugin]
    root: str
    """The module name under which everything of this load lives."""
    replaced: Mapping[str, ModuleType] = {}
    """The modules of an importable package that were in use before it was imported anew."""


def load(found: Found, ports: PortDirectory, *, fresh: bool = False) -> Loaded:
    """Import a plugin's code; ``fresh`` imports it anew even where a package of that name is in use.

    Raises:
        PluginLoadFailed: it cannot be imported, or lacks what its manifest names.
        PortUnknown: it provides a port that this host does not have.
    """
    manifest = found.manifest
    wanted = {each: ports.get(each.port, where=f"provided by {manifest.id}") for each in manifest.provides}
    if manifest.python is None:
        if wanted:
            raise PluginLoadFailed(manifest.id, "its manifest has no [plugin.python], so there is no code to load")
        return Loaded(found, None, {}, Plugin, "")
    root, name = _module_name(found, manifest.python.entry_point)
    before = _take_out(root) if fresh and found.package is not None else {}
    try:
        module = _import(manifest, found.path, name)
        adapters = {each: _adapter(manifest, module, each, port) for each, port in wanted.items()}
        plugin_class = _plugin_class(manifest, module)
    except BaseException:
        drop(root)
        sys.modules.update(before)
        raise
    return Loaded(found, module, adapters, plugin_class, root, before)


async def load_beside(found: Found, ports: PortDirectory, seconds: float, *, fresh: bool = False) -> Loaded:
    """Do as ``load``, in a thread: callers go on meanwhile. Code whose import does not end is left to itself.

    Raises:
        PluginLoadFailed: as ``load``, or the import took longer than ``seconds``.
        PortUnknown: as ``load``.
    """
    try:
        return await in_thread(
            lambda: load(found, ports, fresh=fresh), seconds=seconds, undo=undo, name=f"hotswap: import {found.id}"
        )
    except TimeoutError as error:
        raise PluginLoadFailed(
            found.id,
            f"importing it took longer than {seconds:g} s",
            "Code that runs on import belongs into start(); or raise open_timeout under [plugins] in hotswap.toml.",
        ) from error


def undo(loaded: Loaded) -> None:
    """Take a load back that nothing was made of: what was in use before is in its place again."""
    drop(loaded.root)
    sys.modules.update(loaded.replaced)


def drop(root: str) -> None:
    """Forget the modules of one load; code in importable packages stays, since others may have imported it too."""
    if root.startswith(f"{NAMESPACE}."):
        _take_out(root)


def _take_out(root: str) -> dict[str, ModuleType]:
    names = [each for each in sys.modules if each == root or each.startswith(f"{root}.")]
    return {name: sys.modules.pop(name) for name in names}


def _module_name(found: Found, entry_point: str) -> tuple[str, str]:
    """Return (root, name): the package that stands for the plugin's folder, and the module to import."""
    path = PurePosixPath(entry_point.replace("\\", "/"))
    dotted = ".".join(path.with_suffix("").parts) if path.suffix == ".py" else entry_point
    inner = dotted.removesuffix("__init__").rstrip(".")
    if found.package is not None:
        if not inner or _is_inside(found.path, inner):
            return found.package, f"{found.package}.{inner}" if inner else found.package
        return inner.split(".")[0], inner
    root = f"{NAMESPACE}.{found.manifest.id.replace('-', '_')}_{next(_numbers)}"
    _make_package(root, found.path, with_init=not inner)
    return root, f"{root}.{inner}" if inner else root


def _is_inside(folder: Path, dotted: str) -> bool:
    base = folder.joinpath(*dotted.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _make_package(root: str, folder: Path, *, with_init: bool) -> None:
    """Register a package whose path is the plugin's folder; ``with_init``: its ``__init__.py`` is the code."""
    space = sys.modules.setdefault(NAMESPACE, ModuleType(NAMESPACE))
    space.__path__ = []
    importlib.invalidate_caches()
    if with_init:
        return
    package = ModuleType(root)
    package.__path__ = [str(folder)]
    sys.modules[root] = package


def _import(manifest: Manifest, folder: Path, name: str) -> ModuleType:
    try:
        if name.startswith(f"{NAMESPACE}.") and name not in sys.modules and name.count(".") == 1:
            return _import_folder(name, folder)
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise PluginLoadFailed(
            manifest.id, says(error), _missing_module_hint(manifest, folder, error.name or "")
        ) from error
    except Exception as error:  # whatever a plugin raises while it is imported is that plugin's failure
        raise PluginLoadFailed(manifest.id, f"{type(error).__name__}: {says(error)}", _where(error, folder)) from error
    except SystemExit as error:
        hint = 'Put what is a script under `if __name__ == "__main__":`. ' + _where(error, folder)
        raise PluginLoadFailed(
            manifest.id, f"it called sys.exit({error.code!r}) while it was imported", hint
        ) from error
    except BaseException as error:
        if threading.current_thread() is threading.main_thread():
            raise  # Ctrl-C: a person wants out
        reason = f"it raised {type(error).__name__} while it was imported"
        raise PluginLoadFailed(manifest.id, reason, _where(error, folder)) from error


def _where(error: BaseException, folder: Path) -> str:
    """Return where in the plugin's own files an error came up, and how to see more."""
    place = ""
    frame = error.__traceback__
    while frame is not None:
        path = Path(frame.tb_frame.f_code.co_filename)
        if path.is_relative_to(folder):
            place = f"It came up in {path.relative_to(folder)}, line {frame.tb_lineno}. "
        frame = frame.tb_next
    return f"{place}Run again with --debug for the traceback."


def _import_folder(name: str, folder: Path) -> ModuleType:
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not init.is_file():
        raise ModuleNotFoundError(f"No module named '__init__' in {folder}", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _missing_module_hint(manifest: Manifest, folder: Path, missing: str) -> str:
    local = missing.rpartition(".")[2]
    if not missing:
        return ""
    if missing.startswith(f"{NAMESPACE}."):
        return f"[plugin.python] entry_point names no module in {folder}." if manifest.python else ""
    if _is_inside(folder, local):
        return f"It lies beside the plugin: write `from . import {local}`."
    return f"Install what it needs: `pip install {missing.split('.')[0]}`."


def _class(manifest: Manifest, module: ModuleType, dotted: str, key: str) -> type:
    found: object = module
    for part in dotted.split("."):
        names = [each for each in getattr(found, "__dict__", ()) if not each.startswith("_")]
        if isinstance(found, ModuleType) and hasattr(found, "__path__") and part not in names:
            _import_below(manifest, found, part)
        if not hasattr(found, part):
            hint = nearest(part, names) or f"The manifest names it @ $.plugin.{key}."
            raise PluginLoadFailed(manifest.id, f"{module.__file__ or module.__name__} has no class {dotted!r}", hint)
        found = getattr(found, part)
    if not isinstance(found, type):
        raise PluginLoadFailed(manifest.id, f"{dotted!r} is no class", f"The manifest names it @ $.plugin.{key}.")
    return found


def _import_below(manifest: Manifest, package: ModuleType, part: str) -> None:
    """Import the submodule that a dotted class name reaches into, if there is one."""
    if any(_is_inside(Path(each), part) for each in package.__path__):
        _import(manifest, Path(next(iter(package.__path__))), f"{package.__name__}.{part}")


def _adapter(manifest: Manifest, module: ModuleType, provide: Provide, port: type[Port]) -> type[Port]:
    key = f"provides.{provide.port}"
    found = _class(manifest, module, provide.class_name, key)
    if not issubclass(found, port):
        raise PluginLoadFailed(
            manifest.id,
            f"class {provide.class_name!r} is not a {port.__name__}",
            f"Make it a subclass of {port.__module__}.{port.__name__}, or correct $.plugin.{key}.",
        )
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise PluginLoadFailed(
            manifest.id,
            f"class {provide.class_name!r} leaves out {missing}",
            f"Write these methods of {port.__name__}.",
        )
    return found


def _plugin_class(manifest: Manifest, module: ModuleType) -> type[Plugin]:
    if manifest.python is None or manifest.python.class_name is None:
        return Plugin
    found = _class(manifest, module, manifest.python.class_name, "python.class_name")
    if not issubclass(found, Plugin):
        raise PluginLoadFailed(
            manifest.id,
            f"class {manifest.python.class_name!r} is not a Plugin",
            "Make it a subclass of hotswap_ports.Plugin.",
        )
    return found
