"""The plugin ``memory``: an in-memory twin of every port, for trying things out and for tests.

Two providers of the port ``scraper`` or ``ai`` never share pages or answers: each is built from the settings anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from hotswap_ports import Page
from hotswap_ports.testing.ai import MemoryAI
from hotswap_ports.testing.formatter import MemoryFormatter
from hotswap_ports.testing.scraper import MemoryScraper
from hotswap_ports.testing.search import MemorySearch
from hotswap_ports.testing.storage import MemoryStorage
from hotswap_ports.testing.tool import MemoryTool
from hotswap_ports.testing.workflow import MemoryWorkflow

__all__ = [
    "CannedAI",
    "CannedScraper",
    "LimitedStorage",
    "MemoryConfig",
    "MemoryFormatter",
    "MemorySearch",
    "MemoryTool",
    "MemoryWorkflow",
]


@frozen
class MemoryConfig:
    """Settings of the plugin ``memory``."""

    pages: Mapping[str, str] = field(factory=dict)
    """Text by URL, for the scraper."""
    answers: tuple[str, ...] = ()
    """What the AI answers, in turn; none: it is not generative."""
    max_value_bytes: int = 104_857_600
    """Most bytes of a value of the storage."""


class CannedScraper(MemoryScraper):
    """Reads the pages of the settings."""

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__({url: Page(url, text, media_type="text/plain") for url, text in config.pages.items()})


class CannedAI(MemoryAI):
    """Gives the answers of the settings."""

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__(config.answers or None)


class LimitedStorage(MemoryStorage):
    """Takes values up to the size of the settings."""

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__(max_value_bytes=config.max_value_bytes)
