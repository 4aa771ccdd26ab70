"""Random change sets with injected faults, which Hypothesis draws: ``tests/change_sets.py`` has the model."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from loguru import logger

from tests.benchmarks.swap.section import Bound, Section, Table, shown
from tests.change_sets import ChangeSets

CHANGES = 5_000
EXAMPLES = 50
"""Kernels in a batch; each lives for up to 30 steps."""

TITLE = "Random change sets with faults"
TEXT = """\
Six plugins in two versions, two of them exclusive, two with state, one rebuilt with its port, some that depend on
others. Hypothesis draws changes: enable, disable, upgrade, downgrade, select, configure, reload, many at once, roll
back; and for most of them a step at which a plugin fails once. After each the kernel has to be as it was, or as a model
says that it should be, every provider open once and no other, and calls answered by what is open."""

BETWEEN = Bound("random change sets with faults: ended neither wholly old nor wholly new", 0)


def bounds() -> list[Bound]:
    """Return what is promised."""
    return [BETWEEN]


def measure(quick: bool) -> Section:
    """Run change sets until there are enough of them; one that ends in between is an assertion that fails."""
    batch = settings(
        max_examples=10 if quick else EXAMPLES, stateful_step_count=30, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    ChangeSets.made = ChangeSets.met = between = 0
    logger.disable("hotswap")
    try:
        while ChangeSets.made < (50 if quick else CHANGES) and not between:
            try:
                run_state_machine_as_test(ChangeSets, settings=batch)
            except AssertionError as wrong:
                print(wrong)
                between += 1
    finally:
        logger.enable("hotswap")
    lines = [[shown(ChangeSets.made), shown(ChangeSets.met), shown(between)]]
    table = Table(("change sets", "faults met", "ended in between"), lines)
    return Section(TITLE, TEXT, [BETWEEN.row(between)], [table])
