"""Code that was there before any plugin came, and is not installed: the application's own, or that of a test."""

from __future__ import annotations

import logging
import sys
import sysconfig
from collections.abc import Collection
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType, TracebackType
from typing import Any

from hotswap.residue.holder_names import namespace_of
from hotswap.residue.load import LOADED

_CODE = {FrameType: "f_code", CoroutineType: "cr_code", GeneratorType: "gi_code", AsyncGeneratorType: "ag_code"}
_PATHS = tuple({sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib")})
"""Where the distributions are that are installed, and Python's own modules."""


class Outside:
    """The modules that are imported when this is made, but for those that are installed, and hotswap's own."""

    def __init__(self) -> None:
        files = {name: getattr(each, "__file__", None) for name, each in list(sys.modules.items())}
        self._files = {name: each for name, each in files.items() if isinstance(each, str) and _is_outside(name, each)}
        self.files: Collection[str] = frozenset(self._files.values())

    def holds(self, holder: Any) -> bool:
        """Return whether what holds something is code of theirs, a name of theirs, or an object of what they wrote.

        So is what merely tells what has happened: the traceback of an error, a record of the log.
        """
        kind = type(holder)
        if kind in _CODE:
            return getattr(holder, _CODE[kind]).co_filename in self.files
        if issubclass(kind, TracebackType | logging.LogRecord):
            return True
        name = namespace_of(holder) if kind is dict else kind.__module__
        return name in self._files


def _is_outside(name: str, file: str) -> bool:
    return name.partition(".")[0] not in _OWN and not name.startswith(f"{LOADED}.") and not file.startswith(_PATHS)


_OWN = frozenset({"hotswap", "hotswap_ports", "hotswap_adapters", "hotswap_plugins"})
