"""What one part of the proof found: rows with bounds, and tables to read beside them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from tests.benchmarks.rows import Row


@frozen
class Bound:
    """A promise with a number: what is measured, and the most it may be. ``quick`` is that on a busy machine."""

    name: str
    limit: float
    quick: float | None = None

    def of(self, *values: object) -> Bound:
        """Return the bound on one of several things: ``values`` go into the name."""
        return evolve(self, name=self.name.format(*values))

    def row(self, value: float, quick: bool = False) -> Row:
        """Return what was measured beside the bound."""
        return Row(self.name, value, self.quick if quick and self.quick is not None else self.limit)


@frozen
class Table:
    """A table for people."""

    head: Sequence[str]
    lines: Sequence[Sequence[str]]


@frozen
class Section:
    """A part of the proof, measured."""

    title: str
    text: str
    """How it was measured, in sentences."""
    rows: Sequence[Row]
    tables: Sequence[Table] = ()


def shown(value: float) -> str:
    """Return a number with as many places as say something."""
    if value == int(value):
        return f"{int(value):,}"
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f}" if abs(value) >= 0.095 else f"{value:.2g}"
