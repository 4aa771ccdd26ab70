"""The code blocks of a Markdown page, and what the page's author wants done with each.

A block is told apart by the HTML comment on the line before it, which no reader of the rendered page sees:

=========================  ==========================================================================================
``<!-- file: NAME -->``    write it to NAME; a ``hotswap.toml`` and a ``plugin.toml`` are read by the real readers
``<!-- run -->``           run it (bash, or Python) in the page's folder; it has to succeed
``<!-- run, fails -->``    run it; it has to fail
``<!-- prints -->``        these lines were printed last, in this order; ``...`` stands for what is left out
``<!-- settings -->``      a part of a ``hotswap.toml``
``<!-- manifest -->``      a part of a ``plugin.toml``
``<!-- not run: WHY -->``  nothing
=========================  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
CODE = {"python", "bash", "toml", "sh", "yaml"}
_FENCE = re.compile(r"^( *)(`{3,})(\w*)[^`]*$")
_COMMENT = re.compile(r"^ *<!-- *(.*?) *-->$")


@frozen
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its first line, from 1."""
    language: str
    text: str
    action: str = ""
    """``file``, ``run``, ``run, fails``, ``prints``, ``settings``, ``manifest``, ``not run``; empty for none."""
    argument: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return every page of the documentation, the README first."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    lines = page.read_text("utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        indent, fence, language = opening.groups()
        end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == fence)
        text = "\n".join(each.removeprefix(indent) for each in lines[number + 1 : end]) + "\n"
        comment = _COMMENT.match(lines[number - 1]) if number else None
        action, _, argument = (comment.group(1) if comment else "").partition(":")
        yield Block(page, number + 2, language, text, action.strip(), argument.strip())
        number = end + 1


def prose(page: Path) -> str:
    """Return a page without its fenced blocks, code spans and comments."""
    text = re.sub(r"^( *)(`{3,})[^\n]*\n.*?^\1\2 *$", "", page.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"<!--.*?-->", "", re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text), flags=re.S)
