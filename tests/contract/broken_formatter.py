"""Breaks of ``MarkdownFormatter``, which writes Markdown, plain text and HTML."""

from __future__ import annotations

import asyncio
import textwrap
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from hotswap_adapters.formatter import html, markdown, plain, sanitizing
from hotswap_adapters.formatter.markdown import MarkdownFormatter
from hotswap_ports import FormatterFeatures, Rendered, Report
from tests.contract import test_formatter
from tests.contract.breaks import Breaks, around, edit

breaks = Breaks(test_formatter.TestMarkdownFormatter)


def _form(patch: pytest.MonkeyPatch, name: str, form: tuple[Any, str, str]) -> None:
    patch.setattr(markdown, "_FORMS", {**markdown._FORMS, name: form})


@breaks.noticed_by("test_features_are_declared")
def a_format_twice(patch: pytest.MonkeyPatch) -> None:
    """``features`` names a format twice."""
    patch.setattr(MarkdownFormatter, "features", FormatterFeatures(("markdown", "text", "html", "text")))


@breaks.noticed_by("test_each_format_renders")
def another_default(patch: pytest.MonkeyPatch) -> None:
    """Without a format, the last one is written."""
    edit(patch, MarkdownFormatter, "format", {"formats[0]": "formats[-1]"})


@breaks.noticed_by("test_each_format_renders")
def extension_without_a_dot(patch: pytest.MonkeyPatch) -> None:
    """The extension of a page is ``html``."""
    _form(patch, "html", (html.html, "text/html", "html"))


@breaks.noticed_by("test_another_format_is_refused")
def any_format(patch: pytest.MonkeyPatch) -> None:
    """What is no format is Markdown."""
    edit(patch, MarkdownFormatter, "format", {"_FORMS.get(name)": "_FORMS.get(name, _FORMS['markdown'])"})


@breaks.noticed_by("test_another_format_is_refused")
def unknown_format_is_a_key_error(patch: pytest.MonkeyPatch) -> None:
    """What is no format is a KeyError."""
    edit(patch, MarkdownFormatter, "format", {"_FORMS.get(name)": "_FORMS[name]"})


@breaks.noticed_by("test_nothing_is_lost")
def notes_lost_in_text(patch: pytest.MonkeyPatch) -> None:
    """Plain text leaves out the notes."""
    _form(patch, "text", (lambda report: plain.plain(evolve(report, notes=())), "text/plain", ".txt"))


@breaks.noticed_by("test_nothing_is_lost")
def phrases_of_sources_lost_in_markdown(patch: pytest.MonkeyPatch) -> None:
    """Markdown leaves out the key phrases of a source."""
    edit(patch, markdown, "_sources", {"if source.key_phrases": "if False"})


@breaks.noticed_by("test_nothing_is_lost")
def date_lost_in_html(patch: pytest.MonkeyPatch) -> None:
    """A page does not say of when it is."""
    edit(patch, html, "_body", {"if report.created else": "if False else"})


@breaks.noticed_by("test_nothing_is_lost")
def address_behind_its_title(patch: pytest.MonkeyPatch) -> None:
    """Plain text names a source by its title alone."""
    edit(patch, plain, "_source", {"for each in (url, source.summary)": "for each in (source.summary,)"})


@breaks.noticed_by("test_long_reports_are_whole")
def cut_paragraphs(patch: pytest.MonkeyPatch) -> None:
    """Plain text cuts a paragraph after 1,000 characters."""
    edit(patch, plain, "_wrap", {"one_line(text)": "one_line(text)[:1000]"})


@breaks.noticed_by("test_long_reports_are_whole")
def first_hundred_sources(patch: pytest.MonkeyPatch) -> None:
    """A page lists 100 sources, and no more."""
    edit(patch, html, "_body", {"map(_source, report.sources)": "map(_source, report.sources[:100])"})


@breaks.noticed_by("test_long_reports_are_whole")
def words_shortened(patch: pytest.MonkeyPatch) -> None:
    """In Markdown an answer is shortened to what fits on a screen."""
    short = "textwrap.shorten(answer.text, 2000)"
    patch.setattr(markdown, "textwrap", textwrap, raising=False)
    edit(patch, markdown, "_answer", {"yield escape(answer.text)": f"yield escape({short})"})


@breaks.noticed_by("test_what_rests_on_which_source_is_shown")
def points_without_places(patch: pytest.MonkeyPatch) -> None:
    """A page does not say which sources a point rests on."""
    patch.setattr(html, "_places", lambda indices, sources: "")


@breaks.noticed_by("test_what_rests_on_which_source_is_shown")
def passages_without_a_place(patch: pytest.MonkeyPatch) -> None:
    """Plain text does not say where a passage stands."""
    edit(patch, plain, "_answer", {'f"{last} [{passage.source + 1}]"': "last"})


@breaks.noticed_by("test_what_rests_on_which_source_is_shown")
def first_place_only(patch: pytest.MonkeyPatch) -> None:
    """Markdown names the first of a point's sources."""
    edit(patch, markdown, "_places", {"in point.sources": "in point.sources[:1]"})


@breaks.noticed_by("test_a_question_without_an_answer_is_shown")
def unanswered_questions_lost(patch: pytest.MonkeyPatch) -> None:
    """A question that has no answer is left out."""
    edit(patch, html, "_body", {"if report.answer is not None:": "if report.answer and report.answer.text:"})


@breaks.noticed_by("test_a_title_is_enough")
def a_report_has_sources(patch: pytest.MonkeyPatch) -> None:
    """A report without sources is an error."""
    edit(patch, plain, "plain", {"if report.sources:": "if report.sources[0]:"})
    _form(patch, "text", (plain.plain, "text/plain", ".txt"))


@breaks.noticed_by("test_the_same_report_gives_the_same_document")
def time_of_day(patch: pytest.MonkeyPatch) -> None:
    """The document says when it was written."""
    edit(patch, markdown, "_footer", {"{report.created:%Y-%m-%d %H:%M} UTC": "{datetime.now(UTC):%f}"})
    patch.setattr(markdown, "datetime", datetime, raising=False)
    patch.setattr(markdown, "UTC", UTC, raising=False)


@breaks.noticed_by("test_reports_at_once_do_not_mix")
def mixed_up_calls(patch: pytest.MonkeyPatch) -> None:
    """Two calls at once share what they write."""

    @around(patch, MarkdownFormatter, "format")
    async def format_(whole: Any, self: Any, report: Report, *, format: str | None = None) -> Rendered:
        self._report = report
        await asyncio.sleep(0)
        rendered: Rendered = await whole(self, self._report, format=format)
        return rendered


@breaks.noticed_by("test_text_is_never_markup")
def raw_summary_in_markdown(patch: pytest.MonkeyPatch) -> None:
    """In Markdown the summary is markup."""
    edit(patch, markdown, "markdown", {"escape(report.summary)": "report.summary"})
    _form(patch, "markdown", (markdown.markdown, "text/markdown", ".md"))


@breaks.noticed_by("test_text_is_never_markup")
def lists_in_markdown(patch: pytest.MonkeyPatch) -> None:
    """In Markdown a text that begins like an item of a list becomes one."""
    edit(patch, markdown, "escape", {"_AT_THE_START.match(escaped)": "None"})


@breaks.noticed_by("test_text_is_never_markup")
def entities_in_markdown(patch: pytest.MonkeyPatch) -> None:
    """In Markdown ``&amp;`` is an ampersand."""
    pattern = markdown._ANYWHERE.pattern
    assert r"|&(?=#?\w+;)" in pattern
    patch.setattr(markdown, "_ANYWHERE", markdown.re.compile(pattern.replace(r"|&(?=#?\w+;)", "")))


@breaks.noticed_by("test_text_is_never_markup")
def raw_passages_in_html(patch: pytest.MonkeyPatch) -> None:
    """On a page the passages are markup."""
    edit(patch, html, "_answer", {"markup.escape(line)": "line"})


@breaks.noticed_by("test_text_is_never_markup")
def entities_in_html(patch: pytest.MonkeyPatch) -> None:
    """On a page angle brackets are escaped, and ampersands are not."""
    escaped = "one_line(text).replace('<', '&lt;')"
    edit(patch, html, "_text", {"markup.escape(one_line(text))": escaped})


@breaks.noticed_by("test_text_is_never_markup")
def raw_addresses_in_html(patch: pytest.MonkeyPatch) -> None:
    """A quotation mark in a URL ends the attribute it stands in."""
    edit(patch, html, "_link", {"markup.escape(link_to(url))": "link_to(url) and url"})


@breaks.noticed_by("test_text_is_never_markup")
def terminal_controlled(patch: pytest.MonkeyPatch) -> None:
    """Escape sequences for terminals are left as they are."""
    edit(patch, sanitizing, "_harmless", {'category == "Cc"': 'category == "Cc" and character != "\\x1b"'})


@breaks.noticed_by("test_text_is_never_markup")
def text_turned(patch: pytest.MonkeyPatch) -> None:
    """Marks that turn the direction of text are left as they are."""
    patch.setattr(sanitizing, "_BIDI", frozenset())


@breaks.noticed_by("test_text_is_never_markup")
def unpaired_surrogates(patch: pytest.MonkeyPatch) -> None:
    """A document may hold what cannot be written out."""
    edit(patch, sanitizing, "_harmless", {'category == "Cs"': "False"})


@breaks.noticed_by("test_only_pages_and_files_are_linked")
def any_address_is_linked(patch: pytest.MonkeyPatch) -> None:
    """Whatever has a scheme becomes a link."""
    linked = 'parts.scheme not in LINKED or not (parts.netloc or parts.scheme == "file")'
    edit(patch, sanitizing, "link_to", {linked: "not parts.scheme"})
    for module in (html, markdown):
        patch.setattr(module, "link_to", sanitizing.link_to)


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def a_task_each_document(patch: pytest.MonkeyPatch) -> None:
    """Each document leaves a task behind."""
    left: list[asyncio.Task[Any]] = []

    @around(patch, MarkdownFormatter, "format")
    async def format_(whole: Any, self: Any, report: Report, *, format: str | None = None) -> Any:
        left.append(asyncio.create_task(asyncio.Event().wait()))
        return await whole(self, report, format=format)
