"""While a kernel comes up there are few collections, and the settings of the process are as they were afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswap.collecting import SELDOM, SeldomCollected
from tests.plugin_folder import greeter, kernel
from tests.waiting import until


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    """Let each test begin with CPython's own numbers, and put back what was there."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_within_the_block_collections_are_rare() -> None:
    """And after it they come as often as before, also when it was left by an error."""
    seldom = SeldomCollected()
    with seldom:
        assert gc.get_threshold() == (SELDOM, 10, 10)
        assert gc.isenabled()
    assert gc.get_threshold() == (700, 10, 10)
    with pytest.raises(ZeroDivisionError), seldom:
        raise ZeroDivisionError
    assert gc.get_threshold() == (700, 10, 10)


def test_blocks_may_overlap() -> None:
    """Two kernels that come up at the same time: what was there before the first is back after the last."""
    seldom = SeldomCollected()
    seldom.__enter__()
    seldom.__enter__()
    seldom.__exit__()
    assert gc.get_threshold()[0] == SELDOM
    seldom.__exit__()
    assert gc.get_threshold() == (700, 10, 10)
    with seldom:
        assert gc.get_threshold()[0] == SELDOM
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [(0, 10, 10), (SELDOM + 1, 5, 5)])
def test_an_application_that_has_chosen_less_keeps_its_choice(chosen: tuple[int, int, int]) -> None:
    """Whoever collects by hand or seldom goes on doing so."""
    gc.set_threshold(*chosen)
    with SeldomCollected():
        assert gc.get_threshold() == chosen
    assert gc.get_threshold() == chosen


def test_what_somebody_sets_meanwhile_stays() -> None:
    """A plugin or another thread may decide for the process: that is not undone."""
    with SeldomCollected():
        gc.set_threshold(1_000, 20, 20)
    assert gc.get_threshold() == (1_000, 20, 20)


async def test_collections_are_as_usual_a_moment_after_it_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seldom while it comes up and a moment longer; as usual after that, when it is left, or could not start."""
    monkeypatch.setattr("hotswap.collecting.IDLE_AFTER", 0.0)
    greeter(tmp_path, "own")
    async with kernel(tmp_path, "own"):
        assert gc.get_threshold()[0] == SELDOM
        await until(lambda: gc.get_threshold() == (700, 10, 10))
    monkeypatch.setattr("hotswap.collecting.IDLE_AFTER", 3600.0)
    async with kernel(tmp_path, "own"):
        assert gc.get_threshold()[0] == SELDOM
    assert gc.get_threshold() == (700, 10, 10)
    monkeypatch.setattr("hotswap.host.discover", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await kernel(tmp_path, "own").__aenter__()
    assert gc.get_threshold() == (700, 10, 10)
