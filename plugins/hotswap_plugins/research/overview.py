"""What all pages of a run say together: the summary, the key points, the key phrases."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from attrs import asdict, frozen

from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.records import Record, digest
from hotswap_ports import AIProvider, Storage, SummaryRequest, SummarySentence

_OVERVIEWS = "research/overviews/"
FORMAT = 1


@frozen
class Statement:
    """One sentence of an overview; ``pages`` are the positions of those it stands in, none when a model wrote it."""

    text: str
    pages: tuple[int, ...] = ()


@frozen
class Overview:
    """What pages say together; empty where there are none."""

    summary: tuple[Statement, ...] = ()
    points: tuple[Statement, ...] = ()
    """What is as important, and not in the summary."""
    generative: bool = False
    model: str = ""

    @property
    def text(self) -> str:
        """Return the summary as one paragraph."""
        return " ".join(each.text for each in self.summary)


async def overview(
    pages: Sequence[tuple[str, Record]], ai: AIProvider, storage: Storage, config: ResearchConfig
) -> Overview:
    """Summarise the summaries of ``pages`` (key and record); the same ones in the same order are summarised once."""
    texts = tuple("\n\n".join(each.text for each in record.sentences) for _, record in pages)
    if not any(texts):
        return Overview()
    slot = _OVERVIEWS + digest(*(key for key, _ in pages))
    bounds = (FORMAT, config.summary_sentences, config.key_points)
    made_of = digest(str(bounds), *(record.made_with for _, record in pages), *texts)
    stored = await storage.get(slot)
    if stored is not None and (known := _decode(stored, made_of)) is not None:
        return known
    made = await _make([record for _, record in pages], texts, ai, config)
    await storage.put_json(slot, {"made_of": made_of, **asdict(made)})
    return made


async def _make(records: Sequence[Record], texts: tuple[str, ...], ai: AIProvider, config: ResearchConfig) -> Overview:
    """Where the AI picks sentences, the best are the summary and the next best the key points.

    Where it writes, key points are what it wrote about single pages, since only of that the page is known.
    """
    if ai.features.generative:
        summary = await ai.summarize(SummaryRequest(texts, config.summary_sentences))
        said = tuple(Statement(each.text) for each in summary.sentences)
        return Overview(said, _first_of_each(records, config.key_points), summary.generative, summary.model)
    summary = await ai.summarize(SummaryRequest(texts, config.summary_sentences + config.key_points))
    found = summary.sentences
    ranked = sorted(range(len(found)), key=lambda each: -found[each].score)
    best = set(ranked[: config.summary_sentences])
    statements = [_statement(each, records) for each in found]
    return Overview(
        tuple(each for number, each in enumerate(statements) if number in best),
        tuple(each for number, each in enumerate(statements) if number not in best),
        summary.generative,
        summary.model,
    )


def _statement(sentence: SummarySentence, records: Sequence[Record]) -> Statement:
    """Return a sentence with its page, and every other page whose summary has the very same one."""
    pages = {
        number for number, record in enumerate(records) if sentence.text in (each.text for each in record.sentences)
    }
    if sentence.source is not None:
        pages.add(sentence.source)
    return Statement(sentence.text, tuple(sorted(pages)))


def _first_of_each(records: Sequence[Record], most: int) -> tuple[Statement, ...]:
    """Return the best sentence of each page; of more pages than ``most``, of some that lie evenly between them."""
    count = min(most, len(records))
    chosen = [each * len(records) // count for each in range(count)]
    return tuple(
        Statement(max(records[each].sentences, key=lambda sentence: sentence.score).text, (each,))
        for each in chosen
        if records[each].sentences
    )


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
        statements = {
            name: tuple(Statement(str(each["text"]), tuple(map(int, each["pages"]))) for each in raw[name])
            for name in ("summary", "points")
        }
        return Overview(**statements, generative=bool(raw["generative"]), model=str(raw["model"]))
    except (ValueError, KeyError, TypeError):  # what lies there was not written by this version
        return None
