"""For tests: an in-memory twin of every port, and a contract suite for whoever writes an adapter.

Names are loaded when they are used, so that the twins work where pytest is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotswap_ports.testing.ai import MemoryAI
    from hotswap_ports.testing.contracts.ai import AIContract
    from hotswap_ports.testing.contracts.scraper import ScraperContract
    from hotswap_ports.testing.contracts.search import SearchContract
    from hotswap_ports.testing.contracts.storage import StorageContract
    from hotswap_ports.testing.scraper import MemoryScraper
    from hotswap_ports.testing.search import MemorySearch
    from hotswap_ports.testing.storage import MemoryStorage

_HOMES = {
    "AIContract": "contracts.ai",
    "MemoryAI": "ai",
    "MemoryScraper": "scraper",
    "MemorySearch": "search",
    "MemoryStorage": "storage",
    "SearchContract": "contracts.search",
    "ScraperContract": "contracts.scraper",
    "StorageContract": "contracts.storage",
}

__all__ = [
    "AIContract",
    "MemoryAI",
    "MemoryScraper",
    "MemorySearch",
    "MemoryStorage",
    "SearchContract",
    "ScraperContract",
    "StorageContract",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
