"""From what was given to pages, in an order that does not depend on which answer came first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, field, frozen

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.reader import Outcome, Reader
from hotswap_plugins.research.sources import Given, Target, site
from hotswap_plugins.research.tally import Tally
from hotswap_ports import InvalidContent, NotFound, PortError, SourceProblem

_TRIES = 3
"""Links tried for each page that ``max_pages`` allows, so that a site of dead links comes to an end."""


@frozen
class Walked:
    """What one given source came to."""

    given: Given
    pages: tuple[Outcome, ...] = ()
    """With records, each target once."""
    problems: tuple[SourceProblem, ...] = ()
    error: PortError | None = None
    """Why nothing could be read of it."""
    skipped: int = 0
    """Files and links without a text."""
    cut: bool = False
    """Whether ``max_files`` or ``max_depth`` left files out."""


@define
class _Found:
    """What has been found below one given source so far."""

    left: int
    pages: list[Outcome] = field(factory=list)
    problems: list[SourceProblem] = field(factory=list)
    error: PortError | None = None
    skipped: int = 0
    cut: bool = False

    def take(self, outcome: Outcome) -> None:
        """Sort an outcome in: a page, a problem, or nothing of interest."""
        if outcome.record is not None:
            self.pages.append(outcome)
        if isinstance(outcome.error, InvalidContent):
            self.skipped += 1
        elif outcome.error is not None:
            self.problems.append(_problem(outcome.target.shown, outcome.error))
            self.error = self.error or outcome.error


class Walk:
    """Follows the entries of folders and the links within a site."""

    def __init__(self, reader: Reader, config: ResearchConfig, max_pages: int, tally: Tally) -> None:
        self._reader = reader
        self._config = config
        self._max_pages = max_pages
        self._tally = tally

    async def explore(self, given: Given) -> Walked:
        """Read a given source, and what belongs to it."""
        walked = await self._explore(given)
        self._tally.add("failed", len(walked.problems))
        self._tally.add("skipped", walked.skipped)
        return walked

    async def _explore(self, given: Given) -> Walked:
        if given.target is None or given.error is not None:
            if given.target is not None:
                await self._reader.forget(given.target)
            return _failed(given, given.error or NotFound(f"There is no {given.name!r}."))
        first = await self._reader.read(given.target)
        if first.record is None:
            return _failed(given, first.error or InvalidContent(f"{given.name} has no text to work with."))
        found = _Found(self._config.max_files)
        if first.is_folder:
            await self._folder(first, 0, found)
            if not found.pages and not found.problems:
                return _failed(given, InvalidContent(f"The folder {given.name!r} holds no file with text."), found)
        else:
            await self._site(first, found)
        error = None if found.pages else found.error
        return Walked(given, tuple(found.pages), tuple(found.problems), error, found.skipped, found.cut)

    async def _folder(self, folder: Outcome, depth: int, found: _Found) -> None:
        """Take the files of a folder and of those below it, in the order of their entries."""
        entries = _targets(folder.links)
        begun = [self._reader.read(each) for each in entries[: found.left]]
        found.cut |= len(entries) > len(begun)
        outcomes = [await each for each in begun]
        found.left -= len(outcomes)
        for outcome in outcomes:
            if not outcome.is_folder:
                found.take(outcome)
            elif depth < self._config.max_depth:
                await self._folder(outcome, depth + 1, found)
            else:
                found.cut = True

    async def _site(self, first: Outcome, found: _Found) -> None:
        """Take pages of one site, breadth first; a page that two addresses lead to is taken once."""
        found.take(first)
        home = site(first.url)
        seen = {first.target.url, first.url}
        queue = deque(_targets(first.links))
        tries = _TRIES * self._max_pages
        while home and queue and tries > 0 and len(found.pages) < self._max_pages:
            batch: list[Target] = []
            while queue and len(batch) < min(self._max_pages - len(found.pages), tries):
                target = queue.popleft()
                if target.url not in seen and site(target.url) == home:
                    seen.add(target.url)
                    batch.append(target)
            tries -= len(batch)
            for task in [self._reader.read(each, home) for each in batch]:
                outcome = await task
                if outcome.url not in seen or outcome.url == outcome.target.url:
                    seen.add(outcome.url)
                    found.take(outcome)
                    queue.extend(_targets(outcome.links))


def _problem(name: str, error: PortError) -> SourceProblem:
    return SourceProblem(name, error.code, str(error), error.hint)


def _failed(given: Given, error: PortError, found: _Found | None = None) -> Walked:
    return Walked(given, (), (_problem(given.name, error),), error, found.skipped if found else 0)


def _targets(links: Iterable[str]) -> list[Target]:
    return list({each.url: each for each in map(Target.of, links)}.values())
