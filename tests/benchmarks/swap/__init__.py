"""The proof of the promise, beside other libraries: ``uv run --group peers python -m tests.benchmarks.swap [--quick]``.

A full run writes ``docs/explanation/measurements.md`` and ``docs/swap.svg``. Names of parts (``promise``, ``among``)
run these alone, and write nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module

from tests.benchmarks.rows import Row
from tests.benchmarks.swap.section import Bound, Section

PARTS = ("promise", "in_flight", "calling", "among", "booting", "cycles", "canary", "change_sets")
"""The modules that measure, in the order of the page. Each has ``TITLE``, ``bounds()`` and ``measure(quick)``."""


def sections(quick: bool, parts: Collection[str] = PARTS) -> Iterator[Section]:
    """Measure one part after another; one that cannot be measured yet is left out."""
    for each in parts:
        found: Section | None = import_module(f"{__name__}.{each}").measure(quick)
        if found is not None:
            yield found


def measure(quick: bool) -> list[Row]:
    """Return the rows of all parts."""
    return [row for each in sections(quick) for row in each.rows]


def bounds() -> list[Bound]:
    """Return all that is promised in a full run with every peer."""
    return [bound for each in PARTS for bound in import_module(f"{__name__}.{each}").bounds()]
