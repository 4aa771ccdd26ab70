"""What is said and where: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from hotswap.cli.visible import one_line, safe_json, visible
from hotswap.errors import ManifestInvalid, says

if TYPE_CHECKING:
    from hotswap.cli.invocation import Invocation

TRACEBACK_HINT = "Run again with --debug for the traceback."
_FOLDED = 10
"""Characters that a column keeps that may be folded: most words fit."""


_apart: list[TextIO] = []


def data() -> TextIO | None:
    """Return where data goes: stdout, also while what plugins print is led elsewhere."""
    return _apart[-1] if _apart else sys.stdout


@contextmanager
def plugins_print_to(stream: TextIO) -> Iterator[None]:
    """Lead what is printed by anybody else to ``stream``: a plugin's ``print`` must not spoil a JSON document."""
    if sys.stdout is None:
        yield
        return
    _apart.append(sys.stdout)
    try:
        with redirect_stdout(stream):
            yield
    finally:
        _apart.pop()


def coloured(stream: TextIO | None) -> bool:
    """Return whether colour is wanted there: on a terminal, unless ``NO_COLOR``; ``FORCE_COLOR`` wants it anywhere."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person reads there; a closed stream is nobody."""
    return stream is not None and not stream.closed and stream.isatty()


def print_text(text: str) -> None:
    """Print data; what could act on the terminal is made visible."""
    click.echo(visible(text), data(), color=coloured(data()))


def print_document(invocation: Invocation, schema: str, content: Mapping[str, Any]) -> None:
    """Print one JSON document; ``schema`` is its name and version, ``plugin-list/1``."""
    document = {"schema": f"hotswap.{schema}", **content}
    if invocation.warnings:
        document["warnings"] = invocation.warnings
    click.echo(to_json(document), data())


def to_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON; what JSON does not know is written as text."""
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def note(invocation: Invocation, text: str) -> None:
    """Tell the user something on stderr; not with ``--quiet`` or ``--json``."""
    if not invocation.quiet and not invocation.json:
        click.echo(visible(text), err=True)


def warn(invocation: Invocation, error: BaseException, about: str = "") -> None:
    """Report on stderr what went wrong and stops nothing, once; with ``--json`` it stands in the document instead."""
    facts = facts_of(error)
    if isinstance(error, ManifestInvalid) and len(error.problems) > 1:  # `plugin validate` and `doctor` list them all
        first, rest = error.problems[0], len(error.problems) - 1
        facts["message"] = f"{error.path} is not a valid manifest: {first}, and {rest} more"
    if about:
        facts["about"] = about
    if invocation.debug and facts not in invocation.warnings:
        print_traceback(invocation, error)
    warn_of(invocation, facts)


def warn_of(invocation: Invocation, facts: dict[str, Any]) -> None:
    """Report what `facts_of` would say of an error, where there is none."""
    if facts in invocation.warnings:
        return
    invocation.warnings.append(facts)
    if not invocation.json:
        print_block("warning", "yellow", facts)


def facts_of(error: BaseException) -> dict[str, Any]:
    """Return an error as data: code, type, message, hint, notes.

    One that says nothing of what to do, and that something else caused, has its traceback for a hint.
    """
    hint = str(getattr(error, "hint", ""))
    if not hint and error.__cause__ is not None and hasattr(error, "code"):
        hint = TRACEBACK_HINT
    return {
        "code": str(getattr(error, "code", "")),
        "type": type(error).__name__,
        "message": says(error),
        "hint": hint,
        "notes": [str(each) for each in getattr(error, "__notes__", ())],
    }


def print_traceback(invocation: Invocation, error: BaseException) -> None:
    """Print where an error comes from, its causes included, on stderr."""
    from traceback import format_exception

    click.echo(visible(invocation.redact("".join(format_exception(error)))), err=True, nl=False)


def print_block(word: str, colour: str, facts: Mapping[str, Any]) -> None:
    """Print ``error[CODE]: sentence``, its notes and its hint on stderr."""
    head = f"{word}[{facts['code']}]" if facts["code"] else word
    about = f"{one_line(facts['about'])}: " if facts.get("about") else ""
    lines = [f"{click.style(head, fg=colour, bold=True)}: {about}{visible(facts['message'])}"]
    for each in facts["notes"]:
        text = visible(each).replace("\n", "\n        ")  # under its first line
        lines.append(f"  {click.style('note', fg='cyan')}: {text}")
    if facts["hint"]:
        lines.append(f"  {click.style('hint', fg='cyan')}: {visible(facts['hint'])}")
    click.echo("\n".join(lines), err=True, color=coloured(sys.stderr))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: a drawn table on a terminal, aligned columns of plain text anywhere else. Nothing is cut off."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if is_terminal(data()):
        _draw(headings, cells)
        return
    widths = [max(len(row[column]) for row in [headings, *cells]) for column in range(len(headings))]
    for row in [[each.upper() for each in headings], *cells]:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip(), data())


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table as wide as the terminal: cells of several words are folded, ids stay whole, nothing is cut off."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    needed = 0
    for column, heading in enumerate(headings):
        widest = max([len(heading), *(len(row[column]) for row in rows)])
        foldable = any(" " in row[column] for row in rows)
        table.add_column(heading, overflow="fold", no_wrap=not foldable)
        needed += (min(widest, _FOLDED) if foldable else widest) + 2
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: what a plugin says is never read as markup
    width = max(Console(file=data()).width, needed)
    Console(file=data(), width=width).print(table)
