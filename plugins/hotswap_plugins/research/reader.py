"""One page: read it, and where it changed, summarise, embed, index and record it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.digestion import Digestion
from hotswap_plugins.research.identity import Identity
from hotswap_plugins.research.records import Record, Records, Stored, digest
from hotswap_plugins.research.secrets import masked, redact
from hotswap_plugins.research.sources import Target, anonymous, canonical, inside, signed_in, site
from hotswap_plugins.research.tally import Tally
from hotswap_ports import (
    FeatureUnsupported,
    InvalidContent,
    InvalidRequest,
    Link,
    NotFound,
    NotWritable,
    Page,
    PortError,
    Scraper,
    ScrapeRequest,
)

_MOST_LINKS = 1000


@frozen
class Outcome:
    """What came of reading one target: a record, an error, or both (it cannot be read now, but could be before)."""

    target: Target
    record: Record | None = None
    error: PortError | None = None
    url: str = ""
    """Where the content was found, canonical, secrets included."""
    links: tuple[str, ...] = ()
    """To follow; complete also where the record holds the first of them only."""

    @property
    def is_folder(self) -> bool:
        """Return whether the target is a folder, whose links are its entries."""
        return self.record is not None and self.record.folder


class OffSite(InvalidContent):
    """A link that a redirect led to another site; nothing of it is kept."""


class Reader:
    """Reads each target once a run, so many at a time; whoever asks for it again gets the same outcome."""

    def __init__(
        self,
        scrapers: Mapping[str, Scraper],
        records: Records,
        digestion: Digestion,
        identity: Identity,
        config: ResearchConfig,
        tally: Tally,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._scrapers = scrapers
        self._records = records
        self._digestion = digestion
        self._identity = identity
        self._config = config
        self._tally = tally
        self._tasks = tasks
        self._room = asyncio.Semaphore(config.concurrency)
        self._reads: dict[tuple[str, str], asyncio.Task[Outcome]] = {}

    def read(self, target: Target, within: str = "") -> asyncio.Task[Outcome]:
        """Begin to read a target; ``within``: the site that a redirect may not leave."""
        task = self._reads.get((target.key, within))
        if task is None:
            self._tally.expect("read")
            task = self._tasks.create_task(self._read_in_turn(target, within))
            self._reads[target.key, within] = task
        return task

    async def forget(self, target: Target) -> None:
        """Remove a page that is gone, or a folder with all that was read from it."""
        stored = await self._records.load(target.key)
        if stored.record is None:
            return
        for link in stored.record.links if stored.record.folder else ():
            await self.forget(Target.of(link))
        await self._records.delete(target.key)
        await self._digestion.remove(stored.record.passages)

    async def _read_in_turn(self, target: Target, within: str) -> Outcome:
        async with self._room:
            stored = await self._records.load(target.key)
            try:
                return await self._read(target, within, stored)
            except NotWritable:
                raise  # of the storage or the index: every other page would meet it too
            except (NotFound, InvalidContent) as error:
                if stored.record is not None:
                    await self.forget(target)
                return Outcome(target, None, _redacted(error, target), target.url)
            except PortError as error:
                standing = self._standing(stored) if error.retryable else None
                return Outcome(target, standing, _redacted(error, target), target.url)
            finally:
                self._tally.done("read", item=target.shown)

    def _standing(self, stored: Stored) -> Record | None:
        """Return what is stored if it can stand in for a page that cannot be read now."""
        record = stored.record
        return record if record and not record.folder and self._identity.has_indexed(record) else None

    async def _read(self, target: Target, within: str, stored: Stored) -> Outcome:
        record = stored.record if stored.record and not stored.record.folder else None
        page = await self._scrape(target, record)
        if page.media_type == "inode/directory":
            return await self._enter(target, page, await self._unless(stored, target, folder=False))
        url = canonical(page.url)
        if within and site(url) != within:
            raise OffSite(f"{target.shown} leads to another site, {masked(url)}.")
        if page.unchanged and record is not None:
            if self._identity.has_indexed(record) and self._identity.has_summarised(record):
                self._tally.add("unchanged")
                return Outcome(target, record, url=url, links=_signed(record.links, target))
            text = await self._records.text(target.key, record.digest)
            if text is not None:
                made = await self._digestion.digest(target, record, stored, text)
                return Outcome(target, made, url=url, links=_signed(record.links, target))
            page = await self._scrape(target, None)
        return await self._take(target, page, url, await self._unless(stored, target, folder=True))

    async def _unless(self, stored: Stored, target: Target, *, folder: bool) -> Stored:
        """Return what is stored; where a file took a folder's place (``folder``), or the reverse, that is forgotten."""
        if stored.record is None or stored.record.folder != folder:
            return stored
        await self.forget(target)
        return Stored()

    async def _scrape(self, target: Target, record: Record | None) -> Page:
        request = ScrapeRequest(
            target.url,
            timeout=self._config.timeout,
            max_bytes=self._config.max_bytes,
            known=None if record is None else record.fingerprint,
        )
        return await self._route(target).scrape(request)

    def _route(self, target: Target) -> Scraper:
        for scraper in self._scrapers.values():
            if target.scheme in scraper.features.schemes:
                return scraper
        known = sorted({scheme for each in self._scrapers.values() for scheme in each.features.schemes})
        raise FeatureUnsupported(
            "research",
            f"addresses that start with {target.scheme}:",
            f"The enabled scrapers read: {', '.join(known) or 'nothing'}. Enable one that reads {target.scheme}.",
        )

    async def _enter(self, target: Target, page: Page, stored: Stored) -> Outcome:
        here = (target.url, canonical(page.url))  # two spellings where a symbolic link leads to the folder
        entries = tuple(each for each in _canonical(page.links) if any(inside(each, folder) for folder in here))
        for gone in sorted(set(stored.record.links) - set(entries)) if stored.record else ():
            await self.forget(Target.of(gone))
        record = Record(masked(target.url), page.title, links=entries, folder=True)
        if record != stored.record:
            await self._records.save(target.key, record, stored.version)
        return Outcome(target, record, url=target.url, links=entries)

    async def _take(self, target: Target, page: Page, url: str, stored: Stored) -> Outcome:
        if not page.text.strip():
            raise InvalidContent(f"{target.shown} has no text to work with.")
        self._tally.add("read")
        home = site(url)
        links = tuple(anonymous(each) for each in _canonical(page.links) if home and site(each) == home)
        record = Record(
            masked(url),
            " ".join(page.title.split()),
            page.fingerprint,
            digest(page.text),
            links=tuple(each for each in links if masked(each) == each)[:_MOST_LINKS],
        )
        made = await self._digestion.digest(target, record, stored, page.text)
        return Outcome(target, made, url=url, links=_signed(links, target))


def _redacted(error: PortError, target: Target) -> PortError:
    error.message, error.hint = redact(str(error), target.url), redact(error.hint, target.url)
    error.args = (error.message,)
    return error


def _signed(links: Iterable[str], target: Target) -> tuple[str, ...]:
    return tuple(signed_in(each, target.url) for each in links)


def _canonical(links: Iterable[Link]) -> Iterator[str]:
    for link in links:
        try:
            yield canonical(link.url)
        except InvalidRequest:  # a malformed link leads nowhere
            continue
