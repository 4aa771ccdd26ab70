"""One run from its inputs to its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches

from attrs import frozen

from hotswap_plugins.research.answer import Answers, Found
from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.digestion import Digestion
from hotswap_plugins.research.identity import Identity, of_ai
from hotswap_plugins.research.overview import Overview, overview
from hotswap_plugins.research.reader import Reader
from hotswap_plugins.research.records import Record, Records
from hotswap_plugins.research.report import Findings, report
from hotswap_plugins.research.request import Request
from hotswap_plugins.research.sources import locate
from hotswap_plugins.research.tally import Tally
from hotswap_plugins.research.walk import Walk, Walked
from hotswap_ports import AIProvider, FeatureUnsupported, Formatter, Scraper, Search, Storage, WorkflowResult

_NOT_ASKED = "The AI cannot be reached: what is unchanged stands as an earlier run made it, maybe with another AI."
_EXCHANGED = "The AI was exchanged while this ran: the next run makes anew what this one wrote."


@frozen
class Ports:
    """What a run works with."""

    scrapers: Mapping[str, Scraper]
    ai: AIProvider
    storage: Storage
    search: Search
    formatters: Mapping[str, Formatter]
    formatter: Formatter


class Pipeline:
    """Reads, answers, reports."""

    def __init__(self, ports: Ports, config: ResearchConfig, tally: Tally, clock: Callable[[], datetime]) -> None:
        self._ports = ports
        self._config = config
        self._tally = tally
        self._clock = clock
        self._records = Records(ports.storage)

    async def run(self, request: Request) -> WorkflowResult:
        """Do what is asked for.

        Raises:
            FeatureUnsupported: no formatter writes the format.
            PortError: no source could be read, and nothing is asked; or the storage cannot be written.
        """
        formatter = self._formatter(request.format)
        walked, notes = await self._read(request) if request.sources else ((), ())
        records: dict[str, Record] = {}
        for page in (page for each in walked for page in each.pages):
            if page.record is not None:
                records.setdefault(page.target.key, page.record)
        errors = [each.error for each in walked if each.error is not None]
        if errors and not records and request.ask is None:
            raise errors[0]
        pages = tuple(records.items())
        self._tally.add("pages", len(pages))
        self._tally.add("passages", sum(len(record.passages) for record in records.values()))
        findings = Findings(
            self._config,
            self._clock(),
            walked,
            pages,
            await self._overview(pages),
            request.ask,
            await self._answer(request, tuple(records)),
            notes,
        )
        made = report(findings)
        rendered = await formatter.format(made, format=request.format)
        problems = tuple(problem for each in walked for problem in each.problems)
        return WorkflowResult(made, rendered, self._tally.stats, tuple(dict.fromkeys(problems)))

    async def _read(self, request: Request) -> tuple[tuple[Walked, ...], tuple[str, ...]]:
        """Read the sources side by side; the first error that concerns all of them ends the run."""
        ports, config = self._ports, self._config
        identity = await Identity.find(ports.ai, ports.search, config)
        digestion = Digestion(ports.ai, ports.search, self._records, identity, config, self._tally)
        given = [locate(each) for each in dict.fromkeys(request.sources)]
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = Reader(ports.scrapers, self._records, digestion, identity, config, self._tally, tasks)
                walk = Walk(reader, config, request.max_pages, self._tally)
                walks = [tasks.create_task(walk.explore(each)) for each in given]
        except BaseExceptionGroup as group:
            raise _first(group) from None
        return tuple(each.result() for each in walks), await self._doubts(identity, digestion)

    async def _doubts(self, identity: Identity, digestion: Digestion) -> tuple[str, ...]:
        """Return what a reader must know about whose work this is."""
        if await of_ai(self._ports.ai) not in (identity.made_with, ""):
            await digestion.disown()
            return (_EXCHANGED,)
        reused = self._tally.stats.get("unchanged")
        return (_NOT_ASKED,) if reused and not identity.made_with else ()

    async def _overview(self, pages: Sequence[tuple[str, Record]]) -> Overview:
        if not pages:
            return Overview()
        with self._tally.step("overview"):
            return await overview(pages, self._ports.ai, self._ports.storage, self._config)

    async def _answer(self, request: Request, keys: Sequence[str]) -> Found:
        if request.ask is None:
            return Found()
        answers = Answers(self._ports.ai, self._ports.search, self._records, self._config)
        with self._tally.step("answer"):
            return await answers.ask(request.ask, keys if request.sources else None)

    def _formatter(self, wanted: str | None) -> Formatter:
        if wanted is None:
            return self._ports.formatter
        for each in self._ports.formatters.values():
            if wanted in each.features.formats:
                return each
        offered = dict.fromkeys(name for each in self._ports.formatters.values() for name in each.features.formats)
        close = get_close_matches(wanted, offered, n=1)
        suggestion = f"Did you mean {close[0]!r}? " if close else ""
        hint = f"{suggestion}The enabled formatters write: {', '.join(offered) or 'nothing'}."
        raise FeatureUnsupported("research", f"the format {wanted!r}", hint)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
