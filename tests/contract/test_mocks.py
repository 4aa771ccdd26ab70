"""A mock that is told nothing keeps its port's contract: it cannot lie."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap_ports.testing import (
    AIContract,
    Call,
    FormatterContract,
    MemoryScraper,
    MockAI,
    MockFormatter,
    MockScraper,
    MockSearch,
    MockStorage,
    MockTool,
    MockWorkflow,
    ScraperContract,
    SearchContract,
    StorageContract,
    ToolContract,
    WorkflowContract,
)
from hotswap_ports.testing.contracts.scraper import Site
from tests.contract.test_scraper import memory_pages, memory_site


class TestMockAI(AIContract):
    @pytest.fixture
    def ai(self) -> MockAI:
        return MockAI()


class TestMockAIThatIsToldAText(AIContract):
    """What a mock makes of a text keeps the contract as well."""

    @pytest.fixture
    def ai(self) -> MockAI:
        mock = MockAI()
        for method in ("complete", "stream"):
            mock.on(method, _asks_for_text).answer("In the river.")
        return mock


def _asks_for_text(call: Call) -> bool:
    request = call.arguments["request"]
    return request.model is None and request.json_schema is None


class TestMockScraper(ScraperContract):
    """Over a scraper in memory."""

    @pytest.fixture
    def scraper(self) -> MockScraper:
        return MockScraper(twin=MemoryScraper(memory_pages()))

    @pytest.fixture
    def site(self, scraper: MockScraper) -> Site:
        return memory_site(scraper.twin)


class TestMockFormatter(FormatterContract):
    @pytest.fixture
    def formatter(self) -> MockFormatter:
        return MockFormatter()


class TestMockSearch(SearchContract):
    @pytest.fixture
    def search(self) -> MockSearch:
        return MockSearch()


class TestMockStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MockStorage:
        return MockStorage()


class TestMockTool(ToolContract):
    @pytest.fixture
    def tool(self) -> MockTool:
        return MockTool()

    @pytest.fixture
    def arguments(self) -> dict[str, Any]:
        return {"text": "heron", "times": 2, "tone": "formal", "tags": ["bird"]}


class TestMockWorkflow(WorkflowContract):
    @pytest.fixture
    def workflow(self) -> MockWorkflow:
        return MockWorkflow()

    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        return {"words": ("heron",), "times": 2, "loud": True}
