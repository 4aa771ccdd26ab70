"""What all pages of a run say together: the summary, the key points, the key phrases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from attrs import asdict, frozen

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.records import Record, digest
from hotswap_ports import AIProvider, KeyPoint, Storage, SummaryRequest

_OVERVIEWS = "research/overviews/"
FORMAT = 1


@frozen
class Overview:
    """A summary over pages; empty where there are none."""

    sentences: tuple[str, ...] = ()
    generative: bool = False
    model: str = ""

    @property
    def text(self) -> str:
        """Return the sentences as one paragraph."""
        return " ".join(self.sentences)


async def overview(
    pages: Sequence[tuple[str, Record]], ai: AIProvider, storage: Storage, config: ResearchConfig
) -> Overview:
    """Summarise the summaries of ``pages`` (key and record); the same ones in the same order are summarised once."""
    texts = tuple("\n\n".join(each.text for each in record.sentences) for _, record in pages)
    if not any(texts):
        return Overview()
    slot = _OVERVIEWS + digest(*(key for key, _ in pages))
    made_of = digest(str(FORMAT), str(config.summary_sentences), *(record.made_with for _, record in pages), *texts)
    stored = await storage.get(slot)
    if stored is not None and (known := _decode(stored, made_of)) is not None:
        return known
    summary = await ai.summarize(SummaryRequest(texts, config.summary_sentences))
    made = Overview(tuple(each.text for each in summary.sentences), summary.generative, summary.model)
    await storage.put_json(slot, {"made_of": made_of, **asdict(made)})
    return made


def key_points(records: Sequence[Record], said: Overview, most: int) -> tuple[KeyPoint, ...]:
    """Return the best sentences of each page in turn, with the pages that say the same, but for what was ``said``."""
    ranked = [[each.text for each in sorted(record.sentences, key=lambda each: -each.score)] for record in records]
    sources: defaultdict[str, list[int]] = defaultdict(list)
    for row in zip_longest(*ranked):
        for number, text in enumerate(row):
            if text and text not in said.sentences and number not in sources[text]:
                sources[text].append(number)
    points = [KeyPoint(text, tuple(sorted(numbers))) for text, numbers in sources.items() if numbers]
    return tuple(points[:most])


def key_phrases(records: Sequence[Record], most: int) -> tuple[str, ...]:
    """Return the phrases that stand high in many pages, in the spelling that came first."""
    spelling: dict[str, str] = {}
    weights: defaultdict[str, float] = defaultdict(float)
    for record in records:
        for rank, phrase in enumerate(record.phrases):
            folded = phrase.casefold()
            spelling.setdefault(folded, phrase)
            weights[folded] += 1 / (1 + rank)
    best = sorted(weights, key=lambda each: -weights[each])
    return tuple(spelling[each] for each in best[:most])


def _decode(value: bytes, made_of: str) -> Overview | None:
    try:
        raw = json.loads(value)
        if raw["made_of"] != made_of:
            return None
        return Overview(tuple(map(str, raw["sentences"])), bool(raw["generative"]), str(raw["model"]))
    except (ValueError, KeyError, TypeError):  # what lies there was not written by this version
        return None
