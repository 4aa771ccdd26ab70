"""What a stored result depends on besides the page: the AI, the index, the settings."""

from __future__ import annotations

import uuid

from attrs import frozen

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.passages import SPLITTER
from hotswap_plugins.research.records import Record, digest
from hotswap_ports import AIProvider, Document, PortError, Search, SearchQuery

MARK_ID = "research/index"
_MARK_WORD = "hotswapresearchindex"


@frozen
class Identity:
    """Three digests; a record that carries others is computed anew, in the part that depends on them."""

    made_with: str
    """Empty while the AI cannot be asked: then what is stored stands, whoever made it."""
    index: str
    settings: str

    def has_indexed(self, record: Record) -> bool:
        """Return whether the record's passages are in this index, with vectors of this AI."""
        return record.index == self.index and self.made_with in ("", record.made_with)

    def has_summarised(self, record: Record) -> bool:
        """Return whether the record's summary is what this AI would make of the same text."""
        return record.settings == self.settings and self.made_with in ("", record.made_with)

    @classmethod
    async def find(cls, ai: AIProvider, search: Search, config: ResearchConfig) -> Identity:
        """Ask the AI and the index who they are."""
        return cls(await of_ai(ai), await _of_index(search), of_settings(config))


async def of_ai(ai: AIProvider) -> str:
    """Return a digest of the models that ``ai`` uses by itself, the first of each kind; empty: it cannot say now."""
    try:
        models = await ai.models()
    except PortError as error:
        if error.retryable:
            return ""
        models = ()  # a server that keeps its list to itself is told apart by what it can do
    first: dict[str, str] = {}
    for each in models:
        first.setdefault(each.kind, f"{each.id} {each.dimensions}")
    return digest(repr(ai.features), *(f"{kind} {first[kind]}" for kind in sorted(first)))


def of_settings(config: ResearchConfig) -> str:
    """Return a digest of the settings that shape what is stored of a page."""
    shaping = (config.passage_words, config.max_passages, config.page_sentences, config.summary_chars)
    return digest(str(SPLITTER), str(shaping), str(config.key_phrases))


async def _of_index(search: Search) -> str:
    """Return the token of the index, which is kept in a document of its own: an index that was emptied or exchanged
    has none, or another, and what a record says about it no longer holds.
    """
    if "lexical" not in search.features.modes:
        return ""
    query = SearchQuery(text=_MARK_WORD, mode="lexical", limit=1, filters={"research": "index"})
    found = await search.search(query)
    if found.hits:
        return str(found.hits[0].metadata.get("token", ""))
    token = uuid.uuid4().hex
    await search.index([Document(MARK_ID, _MARK_WORD, metadata={"research": "index", "token": token})])
    return token
