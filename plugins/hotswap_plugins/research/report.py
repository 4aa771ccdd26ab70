"""What a run found, put together as a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen

from hotswap_plugins.research.answer import Found, renumber
from hotswap_plugins.research.config import ResearchConfig
from hotswap_plugins.research.overview import Overview, key_phrases
from hotswap_plugins.research.records import Record
from hotswap_plugins.research.sources import by_path
from hotswap_plugins.research.walk import Walked
from hotswap_ports import Answer, KeyPoint, Passage, Report, Source

_MOST_NAMES = 3
_SOURCE_SENTENCES = 3


@frozen
class Findings:
    """All that a report is made of."""

    config: ResearchConfig
    created: datetime
    walked: tuple[Walked, ...] = ()
    pages: tuple[tuple[str, Record], ...] = ()
    """Key and record, each page once, in the order of the report."""
    overview: Overview = field(factory=Overview)
    question: str | None = None
    found: Found = field(factory=Found)
    notes: tuple[str, ...] = ()


def report(findings: Findings) -> Report:
    """Put a report together; its sources are the pages, and after them what only the answer rests on."""
    records = dict(findings.pages)
    for each in findings.found.passages:
        records.setdefault(each.page, each.record)
    read = [record for _, record in findings.pages]
    return Report(
        title=_title(findings),
        summary=findings.overview.text,
        key_points=tuple(KeyPoint(each.text, each.pages) for each in findings.overview.points),
        key_phrases=key_phrases(read, findings.config.key_phrases),
        answer=_answer(findings, list(records)),
        sources=tuple(map(source, records.values())),
        created=findings.created,
        method=_method(findings),
        notes=_notes(findings),
    )


def source(record: Record) -> Source:
    """Return a page as a report lists it: the best sentences of its summary, in reading order."""
    best = sorted(range(len(record.sentences)), key=lambda each: -record.sentences[each].score)[:_SOURCE_SENTENCES]
    summary = " ".join(record.sentences[each].text for each in sorted(best))
    return Source(record.title or record.url, record.url, summary, record.phrases)


def _title(findings: Findings) -> str:
    if not findings.walked:
        return findings.question or "Research"
    if len(findings.walked) == 1 and len(findings.pages) == 1:
        return findings.pages[0][1].title or findings.walked[0].given.name
    names = [each.given.name for each in findings.walked]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _answer(findings: Findings, keys: Sequence[str]) -> Answer | None:
    if findings.question is None:
        return None
    found = findings.found
    passages = tuple(Passage(each.text, keys.index(each.page), each.score) for each in found.passages)
    # One number, one meaning: in the report [n] is the n-th source, so an answer's citations are told so, too.
    text = renumber(found.text, {number: each.source + 1 for number, each in enumerate(passages, 1)})
    return Answer(findings.question, text if found.generative else found.text, passages, found.generative)


def _method(findings: Findings) -> str:
    made = [(record.generative, record.model) for _, record in findings.pages if record.sentences]
    if findings.overview.summary:
        made.append((findings.overview.generative, findings.overview.model))
    if findings.found.text:
        made.append((findings.found.generative, findings.found.model))
    written = ", ".join(dict.fromkeys(model for generative, model in made if generative))
    picked = ", ".join(dict.fromkeys(model for generative, model in made if not generative))
    if written and picked:
        return f"Partly written by {written}, partly extracted word for word ({picked}); check it against the sources."
    if written:
        return f"Written by {written} from the sources; check it against them."
    if picked:
        return f"Extracted word for word from the sources ({picked}); nothing here was written by a model."
    return ""


def _notes(findings: Findings) -> tuple[str, ...]:
    config = findings.config
    notes = [findings.found.note] if findings.question is not None and findings.found.note else []
    for walked in findings.walked:
        notes.extend(f"{each.source}: {each.message}" for each in walked.problems)
        if walked.skipped:
            notes.append(f"{walked.given.name}: {_files(walked.skipped)} without usable text left out.")
        if walked.cut:
            notes.append(
                f"{walked.given.name}: not everything was read; the bounds are {config.max_files} files and folders, "
                f"{config.max_depth} folders deep (settings max_files, max_depth of research)."
            )
    notes.extend(f"{outcome}: its stored text of an earlier run was used." for outcome in _stale(findings))
    notes.extend(
        f"{by_path(record.url)}: long; its summary is made from the first {config.summary_chars:,} characters, and at "
        f"most {config.max_passages} passages of it can be found (settings summary_chars, max_passages of research)."
        for _, record in findings.pages
        if record.cut
    )
    return (*dict.fromkeys(notes), *findings.notes)


def _stale(findings: Findings) -> list[str]:
    return [
        page.target.shown
        for walked in findings.walked
        for page in walked.pages
        if page.error is not None and page.record
    ]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
