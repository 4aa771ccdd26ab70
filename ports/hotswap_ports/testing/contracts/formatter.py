"""``FormatterContract``: what every adapter of the port ``formatter`` must do."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import FeatureUnsupported
from hotswap_ports.formatter import (
    Answer,
    Formatter,
    FormatterFeatures,
    KeyPoint,
    Passage,
    Report,
    Source,
)
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.testing.contracts.formatter_markup import ADDRESSES, HOSTILE, full_of, live_markup, read_html

MARKUP = strategies.text(strategies.sampled_from("<>\"'&;[]()!*_`~#+-=|\\:/ \n\tab1."), max_size=40)


class FormatterContract:
    """Tests over a fixture ``formatter``. Inherit, supply the fixture, done."""

    pytestmark: ClassVar[object] = pytest.mark.anyio

    REPORT: ClassVar[Report] = Report(
        title="Herons",
        summary="Overview of wading.",
        key_points=(KeyPoint("Patience pays.", (0, 1)), KeyPoint("Unsourced remark.")),
        key_phrases=("shallow", "river"),
        answer=Answer("Whence herons?", "Marshland.", (Passage("Quoted passage.", 1, 0.5),)),
        sources=(
            Source("Firstsource", "https://one.example.org/heron", "Onesummary.", ("onephrase",)),
            Source("Secondsource", "https://two.example.org/egret"),
        ),
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        method="Extracted verbatim.",
        notes=("Unreachable third.",),
    )

    async def test_features_are_declared(self, formatter: Formatter) -> None:
        """``features`` names at least one format, and each once."""
        assert isinstance(formatter.features, FormatterFeatures)
        assert formatter.features.formats
        assert len(set(formatter.features.formats)) == len(formatter.features.formats)

    async def test_each_format_renders(self, formatter: Formatter) -> None:
        """Each format gives text with a media type and an extension; None is the first of them."""
        for name in formatter.features.formats:
            rendered = await formatter.format(self.REPORT, format=name)
            assert rendered.text.strip()
            assert "/" in rendered.media_type
            assert rendered.extension.startswith(".")
            assert len(rendered.extension) > 1
        first = await formatter.format(self.REPORT, format=formatter.features.formats[0])
        assert await formatter.format(self.REPORT) == first

    async def test_nothing_is_lost(self, formatter: Formatter) -> None:
        """Every text of the report, every source's URL and the date stand in the document, in each format."""
        wanted = (
            "Herons", "Overview of wading", "Patience pays", "Unsourced remark", "shallow", "river", "Whence herons",
            "Marshland", "Quoted passage", "Firstsource", "https://one.example.org/heron", "Onesummary",
            "onephrase", "Secondsource", "https://two.example.org/egret", "Extracted verbatim", "Unreachable third",
            "2026-01-02",
        )  # fmt: skip
        for name in formatter.features.formats:
            text = (await formatter.format(self.REPORT, format=name)).text
            assert [each for each in wanted if each not in text] == [], name

    async def test_long_reports_are_whole(self, formatter: Formatter) -> None:
        """Texts of 2,000 words stand there to the last one, and so do 300 points, sources and notes."""
        words = [f"w{number}x" for number in range(2000)]
        text = " ".join(words)
        sources = (Source("Long", "https://example.org/", text),)
        answer = Answer("Why?", text, (Passage(text, 0),))
        long = Report("Herons", text, (KeyPoint(text, (0,)),), (), answer, sources, method=text, notes=(text,))
        each_once = [f"w{number}x" for number in range(900)]
        many = Report(
            "Herons",
            key_points=tuple(KeyPoint(each) for each in each_once[:300]),
            sources=tuple(Source(each, "https://example.org/") for each in each_once[300:600]),
            notes=tuple(each_once[600:]),
        )
        for name in formatter.features.formats:
            assert re.findall(r"w\d+x", (await formatter.format(long, format=name)).text) == words * 7, name
            found = set(re.findall(r"w\d+x", (await formatter.format(many, format=name)).text))
            assert found == set(each_once), name

    async def test_what_rests_on_which_source_is_shown(self, formatter: Formatter) -> None:
        """Points and passages that rest on other sources make another document."""
        point, passage = KeyPoint("Patience pays.", (0,)), Passage("Quoted passage.", 0)
        report = evolve(self.REPORT, key_points=(point,), answer=Answer("Whence?", "Marshland.", (passage,)))
        others = [evolve(report, key_points=(evolve(point, sources=each),)) for each in ((), (1,), (0, 1))]
        others.append(evolve(report, answer=Answer("Whence?", "Marshland.", (evolve(passage, source=1),))))
        for name in formatter.features.formats:
            texts = [(await formatter.format(each, format=name)).text for each in (report, *others)]
            assert len(set(texts)) == len(texts), name

    async def test_a_title_is_enough(self, formatter: Formatter) -> None:
        """A report of a title alone has a document."""
        for name in formatter.features.formats:
            assert "Herons" in (await formatter.format(Report("Herons"), format=name)).text

    async def test_a_question_without_an_answer_is_shown(self, formatter: Formatter) -> None:
        """Where nothing was found, the question still stands there."""
        report = Report("Herons", answer=Answer("Whence herons", ""))
        for name in formatter.features.formats:
            assert "Whence herons" in (await formatter.format(report, format=name)).text

    async def test_the_same_report_gives_the_same_document(self, formatter: Formatter) -> None:
        """Nothing but the report decides: no clock, no random order."""
        for name in formatter.features.formats:
            rendered = await formatter.format(self.REPORT, format=name)
            assert await formatter.format(evolve(self.REPORT), format=name) == rendered

    async def test_reports_at_once_do_not_mix(self, formatter: Formatter) -> None:
        """Reports that are formatted at the same time come out as they do one after the other."""
        pairs = [(full_of(f"word{n}"), name) for n in range(5) for name in formatter.features.formats]
        alone = [await formatter.format(report, format=name) for report, name in pairs]
        together = await asyncio.gather(*(formatter.format(report, format=name) for report, name in pairs))
        assert together == alone

    async def test_another_format_is_refused(self, formatter: Formatter) -> None:
        """What ``features.formats`` lacks is FeatureUnsupported."""
        for name in ("no-such-format", ""):
            with pytest.raises(FeatureUnsupported):
                await formatter.format(self.REPORT, format=name)

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_text_is_never_markup(self, formatter: Formatter, text: str) -> None:
        """In any field tags, links and marks are read as text, and what controls a terminal or turns text is gone."""
        for name in formatter.features.formats:
            plain = await formatter.format(full_of("bittern"), format=name)
            rendered = await formatter.format(full_of(text), format=name)
            assert live_markup(rendered, plain, await formatter.format(self.REPORT, format=name)) == [], name
            if rendered.media_type == "text/html" and text.isprintable():
                assert read_html(rendered.text).text.count(text) >= read_html(plain.text).text.count("bittern")

    @pytest.mark.parametrize("url", ADDRESSES)
    async def test_only_pages_and_files_are_linked(self, formatter: Formatter, url: str) -> None:
        """A source's URL that would do something instead of leading somewhere is no link."""
        answer = Answer("Why?", "So.", (Passage("Quoted.", 0),))
        report = Report(
            "Herons", key_points=(KeyPoint("Point.", (0,)),), answer=answer, sources=(Source("First", url),)
        )
        for name in formatter.features.formats:
            own = await formatter.format(self.REPORT, format=name)
            assert live_markup(await formatter.format(report, format=name), own) == [], name

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=strategies.lists(MARKUP | strategies.text(max_size=40), min_size=4, max_size=4))
    async def test_any_text_makes_a_document(self, formatter: Formatter, texts: list[str]) -> None:
        """Whatever the fields hold, there is a document, and no markup in it but the formatter's own."""
        title, summary, note, source = texts
        sources = (Source(source, "https://example.org/"),)
        report = Report(f"Herons {title}", summary, (KeyPoint(summary, (0,)),), sources=sources, notes=(note,))
        for name in formatter.features.formats:
            rendered = await formatter.format(report, format=name)
            assert "Herons" in rendered.text
            assert live_markup(rendered, await formatter.format(self.REPORT, format=name)) == []

    async def test_it_behaves_as_a_guest_should(self, formatter: Formatter) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            for name in formatter.features.formats:
                await formatter.format(self.REPORT, format=name)

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
