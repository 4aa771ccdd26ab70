"""A candidate that fails a fifth of its calls as a canary: how soon it is sent back, and who noticed."""

from __future__ import annotations

import asyncio

from loguru import logger

from tests.benchmarks import trials
from tests.benchmarks.swap.section import Bound, Section

TITLE = "A canary that fails"
TEXT = """\
64 callers make 4,000 calls of 10 ms; a candidate with a share of 5 % fails 20 % of its calls, in another pattern for
each seed. The worst seed is shown: the candidate's calls until it was sent back, and the share of all calls that
failed. A call that the candidate fails is not tried again elsewhere: it has failed."""

BACK = Bound("canary that fails 20 % of its calls: canary calls until it is gone", 200)
AFFECTED = Bound("canary that fails 20 % of its calls: share of all calls affected", 0.005)


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [BACK, AFFECTED]


def measure(quick: bool) -> Section:
    """Measure the kernel."""
    logger.disable("hotswap.trials")  # a line for each seed
    try:
        back, affected = asyncio.run(trials.canary(quick))
    finally:
        logger.enable("hotswap.trials")
    return Section(TITLE, TEXT, [BACK.row(back.ratio), AFFECTED.row(affected.ratio)])
