"""For tests: an in-memory twin of every port, and a contract suite for whoever writes an adapter.

Names are loaded when they are used, so that the twins work where pytest is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotswap_ports.testing.ai import MemoryAI
    from hotswap_ports.testing.contracts.ai import AIContract
    from hotswap_ports.testing.contracts.formatter import FormatterContract
    from hotswap_ports.testing.contracts.scraper import ScraperContract
    from hotswap_ports.testing.contracts.search import SearchContract
    from hotswap_ports.testing.contracts.storage import StorageContract
    from hotswap_ports.testing.contracts.workflow import WorkflowContract
    from hotswap_ports.testing.formatter import MemoryFormatter
    from hotswap_ports.testing.scraper import MemoryScraper
    from hotswap_ports.testing.search import MemorySearch
    from hotswap_ports.testing.storage import MemoryStorage
    from hotswap_ports.testing.workflow import MemoryWorkflow

_HOMES = {
    "AIContract": "contracts.ai",
    "FormatterContract": "contracts.formatter",
    "MemoryAI": "ai",
    "MemoryFormatter": "formatter",
    "MemoryScraper": "scraper",
    "MemorySearch": "search",
    "MemoryStorage": "storage",
    "MemoryWorkflow": "workflow",
    "ScraperContract": "contracts.scraper",
    "SearchContract": "contracts.search",
    "StorageContract": "contracts.storage",
    "WorkflowContract": "contracts.workflow",
}

__all__ = [
    "AIContract",
    "FormatterContract",
    "MemoryAI",
    "MemoryFormatter",
    "MemoryScraper",
    "MemorySearch",
    "MemoryStorage",
    "MemoryWorkflow",
    "ScraperContract",
    "SearchContract",
    "StorageContract",
    "WorkflowContract",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
