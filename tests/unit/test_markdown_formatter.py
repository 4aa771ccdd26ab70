"""The Markdown formatter: what it writes, and that nothing in a report becomes markup."""

from __future__ import annotations

import html as markup
import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from hotswap_adapters.formatter.markdown import MarkdownFormatter, escape, markdown
from hotswap_adapters.formatter.plain import COLUMNS, plain
from hotswap_adapters.formatter.sanitizing import link_to, one_line, readable
from hotswap_ports import Answer, FeatureUnsupported, KeyPoint, Passage, Report, Source

REPORT = Report(
    title="Herons",
    summary="Herons wade.",
    key_points=(KeyPoint("They wait.", (0, 1)), KeyPoint("They fly.")),
    key_phrases=("heron", "river"),
    answer=Answer("Where?", "In the river.", (Passage("They stand in the river.", 1, 0.4),)),
    sources=(
        Source("First", "https://one.example.org/a(b)", "Wading.", ("heron",)),
        Source("Notes", "file:///home/x/my%20notes.md"),
    ),
    created=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    method="Extracted word for word.",
    notes=("One failed.",),
)

MARKS = st.text(st.sampled_from("[]()<>!*_`~#+-=|\\&;:/.@$ \n\t1ahtpsw" + string.punctuation), max_size=40)
TEXTS = MARKS | st.text(max_size=40)


def tokens(text: str) -> list[Token]:
    """Return every token of the rendered text, block and inline."""
    parser = MarkdownIt("commonmark").enable(["strikethrough", "table"])
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # else it hides what it finds dangerous
    found = parser.parse(text)
    return [token for block in found for token in (block, *(block.children or ()))]


def rendered_text(text: str) -> str:
    return "".join(each.content for each in tokens(text) if each.type in ("text", "code_inline", "text_special"))


def test_the_document_reads_as_it_should() -> None:
    """Summary first, then answer, points, phrases, sources, notes and how it was made; addresses stand at the end."""
    assert markdown(REPORT) == (
        "# Herons\n\nHerons wade.\n\n"
        "## Answer\n\n**Where?**\n\nIn the river.\n\n"
        "> They stand in the river.\n>\n> [\\[2\\]][source-2] Notes\n\n"
        "## Key points\n\n- They wait. [\\[1\\]][source-1] [\\[2\\]][source-2]\n- They fly.\n\n"
        "## Key phrases\n\nheron, river\n\n"
        "## Sources\n\n"
        "1. [First][source-1]  \n   https\\://one.example.org/a(b)  \n   Wading.  \n   *Key phrases:* heron\n"
        "2. [Notes][source-2]  \n   /home/x/my notes.md\n\n"
        "## Notes\n\n- One failed.\n\n"
        "---\n\nExtracted word for word.  \n2026-01-02 03:04 UTC\n\n"
        "[source-1]: <https://one.example.org/a%28b%29>\n[source-2]: <file:///home/x/my%20notes.md>\n"
    )


def test_links_lead_back_to_the_sources_and_nowhere_else() -> None:
    """Each source and each number that refers to it is a link to the source's URL."""
    links = [each.attrs["href"] for each in tokens(markdown(REPORT)) if each.type == "link_open"]
    assert set(links) == {"https://one.example.org/a%28b%29", "file:///home/x/my%20notes.md"}
    assert len(links) == 5


@pytest.mark.parametrize(
    "text",
    [
        "snake_case stays", "a - b, c + d = e > f", "5 * 3", "* no item", "1. no item", "12) none", "+ none", "- none",
        "===", "---", "# none", "## none #", "a # b #", "> none", "`code`", "~~gone~~", "$x$ and $5", "&amp; &lt; AT&T",
        "<b>bold</b>", "<https://x.example>", "https://x.example www.x.example me@x.example", "[a](b)", "![a](b)",
        "[source-1]", "[source-1]: <javascript:alert(1)>", "__init__", "_x_ a_ _b", "a\\b \\* \\", "| a | b |", "a:-",
        ":-|",         "___", "***", "C:\\new", "\\[x](y)", "*[a]*(b)", "a__b__c",
    ],
)  # fmt: skip
def test_text_is_rendered_as_it_stands(text: str) -> None:
    """Whatever means something in Markdown comes out as the same characters, as text."""
    assert rendered_text(escape(text)) == text
    assert rendered_text(f"- {escape(text)}") == text
    assert rendered_text(f"x {escape(text)}") == f"x {text}"


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("[x](javascript:alert(1))")
@example("\u2028# x\x85- y")
def test_no_text_becomes_an_element(text: str) -> None:
    """In a heading, a paragraph, an item and a quotation, escaped text is text and nothing else."""
    for lead in ("", "# ", "- ", "> ", "1. ", "**"):
        close = "**" if lead == "**" else ""
        kinds = {each.type for each in tokens(f"{lead}{escape(text) or 'x'}{close}")}
        allowed = {
            "paragraph_open", "paragraph_close", "inline", "text", "heading_open", "heading_close", "bullet_list_open",
            "bullet_list_close", "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close",
            "blockquote_open", "blockquote_close", "strong_open", "strong_close", "text_special",
        }  # fmt: skip
        assert kinds <= allowed
        if not lead:
            assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}
            assert rendered_text(escape(text)) == one_line(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=4, max_size=4), TEXTS)
def test_a_hostile_report_has_no_links_but_its_sources(texts: list[str], tail: str) -> None:
    """Whatever stands in any field, all links are the sources' own, no HTML and no picture is in the document."""
    title, text, question, phrase = texts
    report = Report(
        title,
        text,
        (KeyPoint(text, (0, 1)),),
        (phrase, text),
        Answer(question, text, (Passage(text, 0), Passage(title, 1))),
        (Source(title, f"https://example.org/{tail}", text, (phrase,)), Source(text, f"javascript:{tail}", title)),
        None,
        text,
        (text, title),
    )
    found = tokens(markdown(report))
    hrefs = {str(each.attrs["href"]) for each in found if each.type == "link_open"}
    assert all(each.startswith("https://example.org/") for each in hrefs)
    assert not {each.type for each in found} & {
        "html_block",
        "html_inline",
        "image",
        "fence",
        "code_block",
        "table_open",
    }
    assert next(each.content for each in found if each.type == "inline") == (escape(title) or "Report")


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_one_line_has_no_control_characters(text: str) -> None:
    """Escape sequences for terminals, line ends and marks that turn the direction of text are gone."""
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", one_line(text))
    one_line(text).encode()


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "mailto:x@example.org", "//x.example", "x", "", "http://[bad", "http:"],
)
def test_other_addresses_are_not_linked(url: str) -> None:
    """Only web pages and files become links."""
    assert link_to(url) == ""
    report = Report("x", key_points=(KeyPoint("p", (0,)),), sources=(Source("t", url),))
    assert not [each for each in tokens(markdown(report)) if each.type == "link_open"]


def test_an_address_cannot_leave_its_place() -> None:
    """Characters that end a link are encoded in the address."""
    assert link_to('https://x.example/a b<c>"\n) \u00e9') == "https://x.example/a%20b%3Cc%3E%22%20%29%20%C3%A9"
    assert readable("file:///a%20b\x1b[0m") == "/a b[0m"
    assert readable("file:///a%1b[0m") == "/a[0m"


def test_a_bad_encoding_is_replaced() -> None:
    """An unpaired surrogate does not keep a report from being written."""
    assert one_line("a\ud800b") == "a\ufffdb"
    link_to("https://x.example/\ud800").encode()
    assert link_to("http://[::1]:80/[x]") == "http://[::1]:80/%5Bx%5D"


def test_text_fits_its_columns() -> None:
    """Plain text is wrapped; what cannot be broken, an address, is left whole."""
    long = Report("x " * 200, "word " * 100, sources=(Source("t", "https://example.org/" + "a" * 200, "s " * 200),))
    lines = plain(long).splitlines()
    assert all(len(each) <= COLUMNS or each.strip().startswith("https://") for each in lines)
    assert any(len(each) > 200 for each in lines)


async def test_html_is_escaped_and_loads_nothing() -> None:
    """The page has a policy against scripts, links with schemes that are allowed, and every text escaped."""
    hostile = '"><script>alert(1)</script>'
    report = Report(
        hostile, hostile, (KeyPoint(hostile, (0,)),), (hostile,), Answer(hostile, "", (Passage(hostile, 0),)),
        (Source(hostile, f"https://example.org/{hostile}"), Source("", "javascript:alert(1)")), None, hostile,
        (hostile,),
    )  # fmt: skip
    page = (await MarkdownFormatter().format(report, format="html")).text
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert re.findall('href="([^"]*)"', page) == ["https://example.org/%22%3E%3Cscript%3Ealert%281%29%3C/script%3E"] * 3
    assert page.count(markup.escape(hostile)) >= 8


async def test_a_passage_keeps_its_paragraphs() -> None:
    """A heading inside a passage does not run into the text below it, and is no heading of the report."""
    passage = Passage("# Where\n \t\n- They stand\nin the river.\n\n\n", 0)
    report = Report("x", answer=Answer("q", "a", (passage,)), sources=(Source("s", "https://s.example"),))
    assert "> \\# Where\n>\n> \\- They stand in the river.\n>\n> [\\[1\\]][source-1] s\n" in markdown(report)
    assert "| # Where\n|\n| - They stand in the river. [1]\n" in plain(report)
    page = (await MarkdownFormatter().format(report, format="html")).text
    assert "<blockquote><p># Where</p><p>- They stand in the river.</p><p>" in page


async def test_a_question_without_an_answer_says_so() -> None:
    """Nothing found, and passages that only came near, are told apart."""
    near = Report("x", answer=Answer("q", "", (Passage("p", 0),)), sources=(Source("s", "https://s.example"),))
    formatter = MarkdownFormatter()
    for name in formatter.features.formats:
        empty = await formatter.format(Report("x", answer=Answer("q", "")), format=name)
        assert "Nothing was found." in empty.text
        assert "these passages came nearest" in (await formatter.format(near, format=name)).text


async def test_an_unknown_format_suggests_the_nearest() -> None:
    """The error names what was probably meant, or all there is."""
    with pytest.raises(FeatureUnsupported) as error:
        await MarkdownFormatter().format(REPORT, format="markdwon")
    assert "'markdown'" in error.value.hint
    with pytest.raises(FeatureUnsupported) as error:
        await MarkdownFormatter().format(REPORT, format="pdf")
    assert "markdown, text, html" in error.value.hint
