"""``FormatterContract``: what every adapter of the port ``formatter`` must do."""

from __future__ import annotations

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

HOSTILE = (
    "<script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://127.0.0.1/x)",
    "# not a heading\n\n---\n| a | b |\n```\ncode",
    "*bold* _under_ `code` ~~gone~~ \\ $x$ {{ 1 }} {% x %} &amp;",
    "\x1b[31mred\x1b[0m\r\n\t\x00\u202e",
    "",
)

LIVE = {
    "text/html": (re.compile("<(script|img|/textarea)"), re.compile("href=.?javascript:")),
    "text/markdown": (
        re.compile(r"(?<!\\)<(script|img|/textarea)"),
        re.compile(r"(?<!\\)\[click(?<!\\)\]\(javascript:"),
        re.compile(r"(?<!\\)\[x(?<!\\)\]\("),
        re.compile(r"^# not a heading", re.MULTILINE),
    ),
}
"""What must not be found in a document of that media type; a backslash before it makes it text in Markdown."""


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
        """Every text of the report and every source's URL stands in the document, in each format."""
        wanted = (
            "Herons", "Overview of wading", "Patience pays", "Unsourced remark", "shallow", "river", "Whence herons",
            "Marshland", "Quoted passage", "Firstsource", "https://one.example.org/heron", "Onesummary",
            "Secondsource", "https://two.example.org/egret", "Extracted verbatim", "Unreachable third",
        )  # fmt: skip
        for name in formatter.features.formats:
            text = (await formatter.format(self.REPORT, format=name)).text
            assert [each for each in wanted if each not in text] == [], name

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

    async def test_another_format_is_refused(self, formatter: Formatter) -> None:
        """What ``features.formats`` lacks is FeatureUnsupported."""
        for name in ("no-such-format", ""):
            with pytest.raises(FeatureUnsupported):
                await formatter.format(self.REPORT, format=name)

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_text_is_never_markup(self, formatter: Formatter, text: str) -> None:
        """Tags, links and control characters in any field make neither errors nor live markup."""
        report = Report(
            title=text,
            summary=text,
            key_points=(KeyPoint(text, (0,)),),
            key_phrases=(text,),
            answer=Answer(text, text, (Passage(text, 0),)),
            sources=(Source(text, f"https://example.org/{text}", text, (text,)),),
            method=text,
            notes=(text,),
        )
        for name in formatter.features.formats:
            rendered = await formatter.format(report, format=name)
            live = LIVE.get(rendered.media_type, ())
            assert [each.pattern for each in live if each.search(rendered.text)] == []

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=strategies.lists(strategies.text(max_size=40), min_size=4, max_size=4))
    async def test_any_text_makes_a_document(self, formatter: Formatter, texts: list[str]) -> None:
        """Whatever the fields hold, there is a document, and no markup in it but the formatter's own."""
        title, summary, note, source = texts
        sources = (Source(source, "https://example.org/"),)
        report = Report(f"Herons {title}", summary, (KeyPoint(summary, (0,)),), sources=sources, notes=(note,))
        for name in formatter.features.formats:
            rendered = await formatter.format(report, format=name)
            assert "Herons" in rendered.text
            live = LIVE.get(rendered.media_type, ())
            assert [each.pattern for each in live if each.search(rendered.text)] == []

    async def test_it_behaves_as_a_guest_should(self, formatter: Formatter) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            for name in formatter.features.formats:
                await formatter.format(self.REPORT, format=name)

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)
