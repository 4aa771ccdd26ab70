"""Markdown: its prose as plain text, its title, its links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hotswap_adapters.scraper.content import Content, Links, one_line, paragraphs, table_row

if TYPE_CHECKING:
    from markdown_it.rules_core import StateCore

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD = re.compile(r"^(title|author|date|lang|language)[ \t]*:[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.M)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LARGEST = 2_000_000  # characters, a few seconds of parsing; what is larger is read as plain text
_LONGEST = 20_000  # characters of a paragraph; nested brackets take time by the square of it
_BLOCK_ENDS = ("paragraph_close", "heading_close", "table_close", "blockquote_close")


def read_markdown(text: str, links: Links) -> Content:
    """Return the prose of a Markdown text: headings and paragraphs apart, one line for an item or a table's row.

    Code blocks, images and link targets are left out of the text. Front matter gives title, author, date and language.
    """
    front = _FRONT_MATTER.match(text)
    fields = dict(_FIELD.findall(front[1])) if front else {}
    if len(text) > _LARGEST:
        return Content(text.strip("\n"))
    tokens = _parser().parse(text[front.end() :] if front else text)
    reader = _Reader(links)
    reader.read(tokens)
    date = _DATE.match(fields.get("date", ""))
    return Content(
        text=paragraphs(reader.blocks),
        title=fields.get("title") or reader.title,
        links=links.all(),
        language=fields.get("lang") or fields.get("language") or None,
        author=fields.get("author") or None,
        published=date[0] if date else None,
    )


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.at("inline", _inline)
    return parser


def _inline(state: StateCore) -> None:
    """Parse what stands within blocks, but for paragraphs so long that brackets in them would take minutes."""
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > _LONGEST:
            token.children = [Token("text", "", 0, content=token.content)]
        elif token.type == "inline":
            token.children = []
            state.md.inline.parse(token.content, state.md, state.env, token.children)


class _Reader:
    """Walks the tokens once. Lines gather until the outermost block ends, so that a list stays one paragraph."""

    def __init__(self, links: Links) -> None:
        self.blocks: list[str] = []
        self.title = ""
        self._links = links
        self._lines: list[str] = []
        self._cells: list[str] | None = None
        self._lists = 0

    def read(self, tokens: Sequence[Token]) -> None:
        """Take up the tokens of a whole document."""
        for index, token in enumerate(tokens):
            kind = token.type
            if kind == "inline":
                self._line(one_line("".join(self._inline(token.children or ()))))
                if tokens[index - 1].type == "heading_open" and not self.title:
                    self.title = self._lines[-1] if self._lines else ""
            elif kind == "html_block":
                self._html(token.content)
            elif kind == "tr_open":
                self._cells = []
            elif kind == "tr_close":
                row, self._cells = table_row(self._cells or ()), None
                self._line(row)
            elif kind.endswith("_list_open"):
                self._lists += 1
            elif kind.endswith("_list_close"):
                self._lists -= 1
                self._end()
            elif kind in _BLOCK_ENDS:
                self._end()
        self._end()

    def _line(self, line: str) -> None:
        if line:
            (self._lines if self._cells is None else self._cells).append(line)

    def _end(self) -> None:
        if self._lists == 0 and self._lines:
            self.blocks.append("\n".join(self._lines))
            self._lines = []

    def _html(self, html: str) -> None:
        from selectolax.lexbor import LexborHTMLParser

        from hotswap_adapters.scraper.html import visible_text

        tree = LexborHTMLParser(html)
        for anchor in tree.css("a[href]"):
            self._links.add(anchor.attributes.get("href") or "", anchor.text())
        heading = tree.css_first("h1")
        if heading is not None and not self.title:
            self.title = one_line(heading.text())
        self.blocks.extend(filter(None, visible_text(html).split("\n\n")))

    def _inline(self, children: Sequence[Token]) -> Iterator[str]:
        target: str | None = None
        label: list[str] = []
        for child in children:
            match child.type:
                case "link_open":
                    target, label = str(child.attrs.get("href", "")), []
                    continue
                case "link_close":
                    self._links.add(target or "", "".join(label))
                    target = None
                    continue
                case "text" | "code_inline":
                    piece = child.content
                case "softbreak" | "hardbreak":
                    piece = " "
                case "image" if target is not None:
                    label.append(child.content)  # a badge: its description names the link, but is no text of the page
                    continue
                case _:
                    continue
            label.append(piece)
            yield piece
