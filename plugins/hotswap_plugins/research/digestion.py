"""A page's text made into what is kept of it; only what the last run did not make already."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.identity import Identity
from hotswap_plugins.research.passages import Piece, pieces
from hotswap_plugins.research.records import Record, Records, Sentence, Stored
from hotswap_plugins.research.sources import Target
from hotswap_plugins.research.tally import Tally
from hotswap_ports import AIProvider, Document, EmbeddingRequest, Search, SummaryRequest, Vector


class Digestion:
    """Summarises, embeds, indexes and records.

    The order makes a kill harmless at any point: passages are indexed before the record claims them, and leave the
    index after no record claims them any more.
    """

    def __init__(
        self,
        ai: AIProvider,
        search: Search,
        records: Records,
        identity: Identity,
        config: ResearchConfig,
        tally: Tally,
    ) -> None:
        self._ai = ai
        self._search = search
        self._records = records
        self._identity = identity
        self._config = config
        self._tally = tally
        self._written: list[str] = []

    async def digest(self, target: Target, page: Record, stored: Stored, text: str) -> Record:
        """Return ``page`` (as it was read) with all that is made of ``text``, reusing what is stored where it holds."""
        old = stored.record
        made = pieces(target.key, text, self._config.passage_words)
        kept = made[: self._config.max_passages]
        record = evolve(
            page,
            made_with=self._identity.made_with,
            index=self._identity.index,
            settings=self._identity.settings,
            passages=tuple(each.id for each in kept),
            cut=len(made) > len(kept) or len(text) > self._config.summary_chars,
        )
        there = set(old.passages) if old is not None and self._identity.has_indexed(old) else set()
        new = [(number, each) for number, each in enumerate(kept) if each.id not in there]
        if old is not None and old.digest == page.digest and self._identity.has_summarised(old):
            record = evolve(
                record, sentences=old.sentences, phrases=old.phrases, generative=old.generative, model=old.model
            )
            if not new:
                self._tally.add("unchanged")
        else:
            record = await self._summarised(record, text, target)
        await self._index(new, target, record)
        await self._keep(target, record, stored, text)
        return record

    async def remove(self, passages: Sequence[str]) -> None:
        """Take passages out of the index."""
        if passages:
            self._tally.add("removed", await self._search.remove(passages))

    async def disown(self) -> None:
        """Mark what this run wrote as made by nobody in particular, so that the next run makes it anew."""
        for key in self._written:
            stored = await self._records.load(key)
            if stored.record is not None:
                await self._records.save(key, evolve(stored.record, made_with=""), stored.version)

    async def _keep(self, target: Target, record: Record, stored: Stored, text: str) -> None:
        old = stored.record
        if old is None or old.digest != record.digest:
            await self._records.save_text(target.key, text)
        if record == old:
            return
        if not await self._records.save(target.key, record, stored.version):
            return  # only the run whose record stands may remove: it may claim what this one does not
        self._written.append(target.key)
        if old is not None:
            await self.remove(sorted(set(old.passages) - set(record.passages)))

    async def _summarised(self, record: Record, text: str, target: Target) -> Record:
        self._tally.expect("summarise")
        head = text[: self._config.summary_chars]
        summary = await self._ai.summarize(SummaryRequest((head,), self._config.page_sentences))
        phrases = await self._ai.key_phrases(head, limit=self._config.key_phrases)
        self._tally.add("summarised")
        self._tally.done("summarise", item=target.shown)
        return evolve(
            record,
            sentences=tuple(Sentence(each.text, float(each.score)) for each in summary.sentences),
            phrases=tuple(each.text for each in phrases),
            generative=summary.generative,
            model=summary.model,
        )

    async def _index(self, new: Sequence[tuple[int, Piece]], target: Target, record: Record) -> None:
        if not new:
            return
        embeds = self._ai.features.embeddings
        self._tally.expect("index", len(new))
        if embeds:
            self._tally.expect("embed", len(new))
        for start in range(0, len(new), self._config.embed_batch):
            batch = new[start : start + self._config.embed_batch]
            vectors: Sequence[Vector | None] = [None] * len(batch)
            if embeds:
                vectors = (await self._ai.embed(EmbeddingRequest(tuple(each.text for _, each in batch)))).vectors
                self._tally.add("embedded", len(batch))
                self._tally.done("embed", len(batch), target.shown)
            documents = [
                Document(each.id, each.text, vector, _metadata(target, record, number))
                for (number, each), vector in zip(batch, vectors, strict=True)
            ]
            await self._search.index(documents)
            self._tally.add("indexed", len(batch))
            self._tally.done("index", len(batch), target.shown)


def _metadata(target: Target, record: Record, number: int) -> dict[str, str | int]:
    """Return what can be filtered by; title and position are those of the time of indexing."""
    return {
        "research": "passage",
        "page": target.key,
        "url": record.url,
        "title": record.title,
        "position": number,
    }
