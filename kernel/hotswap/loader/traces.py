"""What the interpreter remembers of modules besides ``sys.modules``, so that dropped code can be forgotten."""

from __future__ import annotations

import linecache
import logging
import sys
import typing
from collections.abc import Collection
from types import ModuleType

from hotswap.loader.names import names_with


def forget(root: str, modules: Collection[ModuleType], *, name_is_gone: bool) -> None:
    """Forget what is remembered of ``modules``, which lie below the module name ``root``.

    Args:
        name_is_gone: nothing will be called ``root`` again, so what is remembered by that name can go too.
    """
    for each in modules:
        linecache.cache.pop(getattr(each, "__file__", None) or "", None)
        for folder in getattr(each, "__path__", ()):
            sys.path_importer_cache.pop(folder, None)
    if name_is_gone:
        _forget_generated_source(root)
        _forget_loggers(root)
    for clear in getattr(typing, "_cleanups", ()):  # `Optional[Class]` and the like, kept to be found again
        clear()


def _forget_generated_source(root: str) -> None:
    """Forget the text of methods that attrs generates: ``<attrs generated init root.module.Class>``."""
    for each in names_with(list(linecache.cache), f" {root}."):
        if each.startswith("<"):
            linecache.cache.pop(each, None)


def _forget_loggers(root: str) -> None:
    """Forget the loggers that modules made by their names, and their parents' memory of them."""
    loggers = logging.Logger.manager.loggerDict
    names = [each for each in names_with(list(loggers), f"\n{root}") if each == root or each.startswith(f"{root}.")]
    gone = [loggers.pop(name, None) for name in names]
    parent = loggers.get(root.rpartition(".")[0])
    if isinstance(parent, logging.PlaceHolder):
        for each in gone:
            if isinstance(each, logging.Logger):
                parent.loggerMap.pop(each, None)
