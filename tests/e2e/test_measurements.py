"""The proof beside other libraries: its harness counts what it says, and its page names all that is promised."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.benchmarks.swap import bounds
from tests.benchmarks.swap.load import CALLERS, loaded
from tests.benchmarks.swap.page import COMMAND, PAGE, PICTURE
from tests.benchmarks.swap.peers.injector import Peer
from tests.benchmarks.swap.promise import SWAPS, of_peer, of_way
from tests.benchmarks.swap.ways import WAYS


async def test_a_swap_under_load_loses_no_call() -> None:
    """64 callers notice nothing of the swaps: no call fails, none is refused, none is made twice, none goes astray."""
    found = await of_way(WAYS["upgrade and downgrade"], parts=2)

    assert sum(len(each.swaps) for each in found.swapped) == 2 * SWAPS
    assert found.count("made") > CALLERS
    assert found.lost == found.count("stale") == found.count("unseen") == 0
    assert {call.label for each in found.swapped for call in each.calls} == {"alpha 1.0.0", "alpha 2.0.0"}


async def test_the_harness_sees_calls_that_are_lost() -> None:
    """A container that closes the old provider at once loses the calls inside it, and no others."""
    found = await of_peer("dependency-injector", Peer, parts=2)

    assert CALLERS < found.count("failed") <= CALLERS * 2 * SWAPS
    assert found.count("refused") == found.count("retried") == 0


async def test_the_harness_sees_calls_that_go_astray() -> None:
    """Where a swap changes nothing, the calls after it count as stale, and the swap as unseen."""

    async def call() -> str:
        await asyncio.sleep(0.001)
        return "the old one"

    async def swap(number: int) -> None:
        """Change nothing."""

    found = await loaded(call, 0.04, callers=4, swap=swap, swaps=2)

    assert found.unseen == 2
    assert found.stale > 0


@pytest.mark.parametrize("name", sorted({each.name for each in bounds()}))
def test_the_page_names_every_bound(name: str) -> None:
    """Every row of the benchmark is a line of a table of the page, with what was measured."""
    assert re.search(rf"^\| {re.escape(name)} \| \S+ \| -?[\d.,e-]+", PAGE.read_text("utf-8"), re.MULTILINE)


def test_the_page_says_how_to_repeat_it() -> None:
    """The page has the command, and shows the picture that lies beside it."""
    page = PAGE.read_text("utf-8")

    assert COMMAND in page
    assert f"../{PICTURE.name}" in page
    assert "</svg>" in PICTURE.read_text("utf-8")
