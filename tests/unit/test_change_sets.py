"""Random change sets with injected faults: each ends wholly old or wholly new, and a model agrees at every step.

The benchmark ``tests/benchmarks/swap`` runs 5,000 of them; here are as many as a commit can wait for.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.change_sets import ChangeSets


def test_each_change_set_ends_wholly_old_or_wholly_new() -> None:
    """Whatever is asked for and wherever it fails, the kernel is as it was or as it was to be, and nothing leaks."""
    profile = settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(ChangeSets, settings=profile)
