"""Which module a manifest's entry point means, and under which name its code is loaded."""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import count

from attrs import frozen

from hotswap.found import Found
from hotswap.loader.folder import NAMESPACE

_numbers = count(1)


@frozen
class EntryPoint:
    """Where a load begins."""

    root: str
    """The module name under which everything of this load lies."""
    module: str
    """The module to import: ``root`` or one below it."""
    folder: str
    """The plugin's folder."""
    has_own_name: bool = False
    """No other load has this root: it goes when that is dropped."""
    is_elsewhere: bool = False
    """``root`` is another package than that of the folder."""


def entry_point_of(found: Found, text: str) -> EntryPoint:
    """Return what ``entry_point`` (a dotted name, or a path that ends in ``.py``) means for a plugin.

    One in a plain folder gets a root of its own each time.
    """
    inner = _dotted(text)
    folder = os.path.abspath(found.folder)
    if found.package is None:
        root = f"{NAMESPACE}.{found.id.replace('-', '_')}_{next(_numbers)}"
        return EntryPoint(root, _join(root, _below(folder, inner)), folder, has_own_name=True)
    if not inner or is_inside(folder, inner):
        return EntryPoint(found.package, _join(found.package, inner), folder)
    return EntryPoint(inner.partition(".")[0], inner, folder, is_elsewhere=True)


def _below(folder: str, inner: str) -> str:
    """Return a name without the folder's own in front, as distributions write it: ``package.part`` in ``package/``."""
    parts, place = inner.split("."), folder.split(os.sep)
    for number, each in enumerate(parts, 1):
        if each == place[-1] and parts[:number] == place[-number:] and not os.path.exists(os.path.join(folder, *parts)):
            return inner if is_inside(folder, inner) else ".".join(parts[number:])
    return inner


def is_inside(folder: str, dotted: str) -> bool:
    """Return whether a module of this name has its source in a folder."""
    base = os.path.join(folder, *dotted.split("."))
    return os.path.isfile(f"{base}.py") or os.path.isfile(os.path.join(base, "__init__.py"))


@lru_cache(256)
def _dotted(text: str) -> str:
    """Return the dotted name below the plugin's folder; "" for the folder's own ``__init__``."""
    path = text.replace("\\", "/")
    if path.endswith(".py"):
        path = ".".join(each for each in path[:-3].split("/") if each not in ("", "."))
    return path.removesuffix("__init__").rstrip(".")


def _join(root: str, inner: str) -> str:
    return f"{root}.{inner}" if inner else root
