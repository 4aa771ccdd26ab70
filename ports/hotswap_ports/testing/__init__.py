"""For tests: an in-memory twin of every port, and a contract suite for whoever writes an adapter.

Names are loaded when they are used, so that the twins work where pytest is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotswap_ports.errors import WrongTest
    from hotswap_ports.testing.ai import MemoryAI
    from hotswap_ports.testing.answers import WrongAnswer
    from hotswap_ports.testing.cassette import NotRecordable, NotRecorded, record, replay
    from hotswap_ports.testing.contracts.ai import AIContract
    from hotswap_ports.testing.contracts.formatter import FormatterContract
    from hotswap_ports.testing.contracts.scraper import ScraperContract
    from hotswap_ports.testing.contracts.search import SearchContract
    from hotswap_ports.testing.contracts.storage import StorageContract
    from hotswap_ports.testing.contracts.tool import ToolContract
    from hotswap_ports.testing.contracts.workflow import WorkflowContract
    from hotswap_ports.testing.formatter import MemoryFormatter
    from hotswap_ports.testing.mock import Mock, mock_of
    from hotswap_ports.testing.mocks import (
        MockAI,
        MockFormatter,
        MockScraper,
        MockSearch,
        MockStorage,
        MockTool,
        MockWorkflow,
    )
    from hotswap_ports.testing.rules import Call, Rule
    from hotswap_ports.testing.scraper import MemoryScraper
    from hotswap_ports.testing.search import MemorySearch
    from hotswap_ports.testing.storage import MemoryStorage
    from hotswap_ports.testing.tool import MemoryTool
    from hotswap_ports.testing.workflow import MemoryWorkflow

_HOMES = {
    "AIContract": "contracts.ai",
    "Call": "rules",
    "FormatterContract": "contracts.formatter",
    "MemoryAI": "ai",
    "MemoryFormatter": "formatter",
    "MemoryScraper": "scraper",
    "MemorySearch": "search",
    "MemoryStorage": "storage",
    "MemoryTool": "tool",
    "MemoryWorkflow": "workflow",
    "Mock": "mock",
    "MockAI": "mocks",
    "MockFormatter": "mocks",
    "MockScraper": "mocks",
    "MockSearch": "mocks",
    "MockStorage": "mocks",
    "MockTool": "mocks",
    "MockWorkflow": "mocks",
    "NotRecordable": "cassette",
    "NotRecorded": "cassette",
    "Rule": "rules",
    "ScraperContract": "contracts.scraper",
    "SearchContract": "contracts.search",
    "StorageContract": "contracts.storage",
    "ToolContract": "contracts.tool",
    "WorkflowContract": "contracts.workflow",
    "WrongAnswer": "answers",
    "WrongTest": "answers",
    "mock_of": "mock",
    "record": "cassette",
    "replay": "cassette",
}

__all__ = [
    "AIContract",
    "Call",
    "FormatterContract",
    "MemoryAI",
    "MemoryFormatter",
    "MemoryScraper",
    "MemorySearch",
    "MemoryStorage",
    "MemoryTool",
    "MemoryWorkflow",
    "Mock",
    "MockAI",
    "MockFormatter",
    "MockScraper",
    "MockSearch",
    "MockStorage",
    "MockTool",
    "MockWorkflow",
    "NotRecordable",
    "NotRecorded",
    "Rule",
    "ScraperContract",
    "SearchContract",
    "StorageContract",
    "ToolContract",
    "WorkflowContract",
    "WrongAnswer",
    "WrongTest",
    "mock_of",
    "record",
    "replay",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
