"""The classes that a manifest names: found in the plugin's module, and held against what the manifest says of them."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType
from typing import TypeGuard

from hotswap.errors import PluginLoadFailed, nearest
from hotswap.loader.entry_point import is_inside
from hotswap.loader.importing import import_of
from hotswap.manifest import Manifest, Provide
from hotswap_ports import Plugin, Port


def adapter_class(manifest: Manifest, module: ModuleType, provide: Provide, port: type[Port]) -> type[Port]:
    """Return the class of a provider.

    Raises:
        PluginLoadFailed: there is none, or it is no adapter for the port.
    """
    key = f"provides.{provide.port}"
    found = _class(manifest, module, provide.class_name, key)
    if not _is_adapter(found, port):
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


def plugin_class(manifest: Manifest, module: ModuleType) -> type[Plugin]:
    """Return the class that has the plugin's lifecycle: its own, or the one that does nothing.

    Raises:
        PluginLoadFailed: the class that the manifest names is none.
    """
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


def _is_adapter(found: type, port: type[Port]) -> TypeGuard[type[Port]]:
    return port in found.__mro__ or issubclass(found, port)  # an abstract class remembers what it is asked of


def _class(manifest: Manifest, module: ModuleType, dotted: str, key: str) -> type:
    found: object = module
    for part in dotted.split("."):
        names = getattr(found, "__dict__", ())
        if part not in names and isinstance(found, ModuleType) and hasattr(found, "__path__"):
            _import_below(manifest, found, part)
        if not hasattr(found, part):
            hint = (
                nearest(part, (each for each in names if not each.startswith("_")))
                or f"The manifest names it @ $.plugin.{key}."
            )
            where = getattr(module, "__file__", None) or module.__name__
            raise PluginLoadFailed(manifest.id, f"{where} has no class {dotted!r}", hint)
        found = getattr(found, part)
    if not isinstance(found, type):
        raise PluginLoadFailed(manifest.id, f"{dotted!r} is no class", f"The manifest names it @ $.plugin.{key}.")
    return found


def _import_below(manifest: Manifest, package: ModuleType, part: str) -> None:
    """Import the submodule that a dotted class name reaches into, if there is one."""
    if any(is_inside(each, part) for each in package.__path__):
        import_of(manifest.id, next(iter(package.__path__)), f"{package.__name__}.{part}", import_module)
