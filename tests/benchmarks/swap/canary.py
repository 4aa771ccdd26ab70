"""A place for the row of a candidate that fails a fifth of its calls as a canary."""

from __future__ import annotations

from tests.benchmarks.swap.section import Bound, Section

TITLE = "A canary that fails"
BACK = Bound("canary that fails 20 % of its calls: canary calls until it is gone", 200)
AFFECTED = Bound("canary that fails 20 % of its calls: share of all calls affected", 0.005)


def bounds() -> list[Bound]:
    """Return what is promised: ``[BACK, AFFECTED]`` once there are canaries."""
    return []


def measure(quick: bool) -> Section | None:
    """Measure the kernel; None while it has no canaries."""
    return None
