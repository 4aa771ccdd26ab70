"""What a type checker sees of the mocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, assert_type

from hotswap_ports import (
    AIProvider,
    Completion,
    CompletionChunk,
    CompletionRequest,
    Formatter,
    Page,
    Rendered,
    Report,
    Scraper,
    ScrapeRequest,
    Search,
    SearchQuery,
    SearchResult,
    Storage,
    Tool,
    ToolResult,
    Usage,
    Workflow,
    WorkflowResult,
)
from hotswap_ports.testing import (
    Call,
    MockAI,
    MockFormatter,
    MockScraper,
    MockSearch,
    MockStorage,
    MockTool,
    MockWorkflow,
    Rule,
)

ai: AIProvider = MockAI()
formatter: Formatter = MockFormatter()
scraper: Scraper = MockScraper({"https://a.example.org/": "Herons."})
search: Search = MockSearch()
storage: Storage = MockStorage()
tool: Tool = MockTool()
workflow: Workflow = MockWorkflow()


async def use(request: CompletionRequest) -> None:
    """Each method returns what the port says."""
    mock = MockAI()
    assert_type(await mock.complete(request), Completion)
    assert_type(mock.stream(request), AsyncIterator[CompletionChunk])
    assert_type(mock.on("complete", "*").answer("one", "two").every(2), Rule)
    assert_type(mock.calls("complete"), tuple[Call, ...])
    assert_type(mock.tokens, Usage)
    assert_type(await MockScraper().scrape(ScrapeRequest("https://a.example.org/")), Page)
    assert_type(await MockStorage().get("key"), bytes | None)
    assert_type(await MockStorage().get_json("key"), Any)
    assert_type(await MockSearch().search(SearchQuery("herons")), SearchResult)
    assert_type(await MockFormatter().format(Report("Herons")), Rendered)
    assert_type(await MockTool().call({"text": "herons"}), ToolResult)
    assert_type(await MockWorkflow().run({}), WorkflowResult)
