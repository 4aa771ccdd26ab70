"""The kernel for threads has what the kernel has."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from hotswap import BlockingKernel, Kernel
from hotswap.blocking_reference import source

ROOT = Path(__file__).parents[2]
WITHOUT = {
    "container": "its providers hand out live handles, which are awaited; `build` injects blocking ones",
    "hooks": "it belongs to the loop; handlers are registered by `on`, and `run` reaches the rest",
    "portal": "every method of a blocking kernel goes by it",
}
"""Members of ``Kernel`` that ``BlockingKernel`` does not have, and why."""
MEMBERS = sorted(each for each in vars(Kernel) if not each.startswith("_"))
TYPED = {"watch", "all", "get"}
"""These return other types, those of blocking handles: ``tests/typing/blocking_api.py`` holds them."""


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_of_the_kernel_is_there_for_threads(name: str) -> None:
    """Every public member of ``Kernel`` is in ``BlockingKernel``, the same but for ``await``, or is listed above."""
    blocking = getattr(BlockingKernel, name, None)
    if name in WITHOUT:
        assert blocking is None
        return
    assert blocking is not None, f"add `{name} = _mirrored(Kernel.{name})`, or a property, or say above why not"
    member = vars(Kernel)[name]
    if isinstance(member, property):
        assert isinstance(blocking, property)
        assert inspect.signature(blocking.fget) == inspect.signature(member.fget)  # type: ignore[arg-type] # has one
        return
    assert not inspect.iscoroutinefunction(blocking)
    mine, other = inspect.signature(blocking), inspect.signature(member)
    if name in TYPED:
        assert [(each.name, each.kind, each.default) for each in mine.parameters.values()] == [
            (each.name, each.kind, each.default) for each in other.parameters.values()
        ]
    else:
        assert mine == other


def test_both_kernels_are_made_of_the_same() -> None:
    """The two constructors take the same."""
    assert inspect.signature(BlockingKernel) == inspect.signature(Kernel)


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    """The list above names members of ``Kernel`` only."""
    assert set(WITHOUT) | TYPED <= set(MEMBERS)


def test_the_blocking_ports_are_what_the_code_says() -> None:
    """blocking_ports.py is up to date: `python -m hotswap.blocking_reference > kernel/hotswap/blocking_ports.py`."""
    assert (ROOT / "kernel/hotswap/blocking_ports.py").read_text("utf-8") == source()
