"""Reads pages, files and folders, summarises and indexes them, and answers from what it indexed.

It knows ports alone: whichever scraper, AI, storage, search and formatter are selected, this is the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.pipeline import Pipeline, Ports
from hotswap_plugins.research.request import INPUTS, Request
from hotswap_plugins.research.tally import Tally
from hotswap_ports import (
    AIProvider,
    Formatter,
    PluginContext,
    Progress,
    Scraper,
    Search,
    Storage,
    Workflow,
    WorkflowFeatures,
    WorkflowResult,
)

__all__ = ["Research", "ResearchConfig"]


class Research(Workflow):
    """The workflow ``research``. What a run found is kept: the next one fetches and computes only what changed."""

    features = WorkflowFeatures("Summarise and index pages, files and folders, and answer questions from them.", INPUTS)

    def __init__(
        self,
        scrapers: Mapping[str, Scraper],
        ai: AIProvider,
        storage: Storage,
        search: Search,
        formatters: Mapping[str, Formatter],
        formatter: Formatter,
        config: ResearchConfig,
        context: PluginContext,
    ) -> None:
        self._ports = Ports(scrapers, ai, storage, search, formatters, formatter)
        self._config = config
        self._context = context

    @staticmethod
    def clock() -> datetime:
        """Return the time that stands in the report; a test puts another in its place."""
        return datetime.now(UTC)

    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        """Read ``sources`` (and up to ``max_pages`` of each site), answer ``ask``, and report in ``format``.

        Raises:
            InvalidRequest: an input is missing, unknown or of the wrong type.
            FeatureUnsupported: no enabled formatter writes the format.
            PortError: no source could be read, and nothing is asked; or nothing can be stored.
        """
        request = Request.of(inputs)
        tracer = self._context.tracer
        with tracer.span("research.run", sources=len(request.sources), asked=request.ask is not None):
            result = await Pipeline(self._ports, self._config, Tally(progress), self.clock).run(request)
        tracer.log.info("read {} pages, {} of them unchanged", result.stats["pages"], result.stats["unchanged"])
        return result
