"""The test kit: a plugin alone, with mocks in the place of all that it needs.

``PluginHarness`` opens one plugin without a kernel. Mocks, twins, contract suites and cassettes, which need no kernel
either, are those of ``hotswap_ports.testing``.

Names are loaded when they are used: pytest loads the fixtures wherever hotswap is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotswap.testing.checks import check, matching, within
    from hotswap.testing.harness import PluginHarness
    from hotswap.testing.run import Run

_HOMES = {"PluginHarness": "harness", "Run": "run", "check": "checks", "matching": "checks", "within": "checks"}

__all__ = ["PluginHarness", "Run", "check", "matching", "within"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
