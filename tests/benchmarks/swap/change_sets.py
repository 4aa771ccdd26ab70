"""A place for the row of random change sets with injected faults, which Hypothesis draws in the tests."""

from __future__ import annotations

from tests.benchmarks.swap.section import Bound, Section

TITLE = "Random change sets with faults"
BETWEEN = Bound("random change sets with faults: ended neither wholly old nor wholly new", 0)


def bounds() -> list[Bound]:
    """Return what is promised: ``[BETWEEN]`` once they can be counted here."""
    return []


def measure(quick: bool) -> Section | None:
    """Run the change sets; None while they are not there."""
    return None
