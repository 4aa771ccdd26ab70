"""How the methods of a port are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

import hotswap
from hotswap_ports import Port
from hotswap_ports.methods import port_methods
from tests.plugin_folder import settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from somewhere import Thing


class Unresolved(Port):
    """A port whose annotations exist for type checkers only."""

    PORT: ClassVar[str] = "unresolved"
    VERSION: ClassVar[str] = "1.0.0"

    def items(self) -> AsyncIterator[Thing]:
        """Return things."""
        raise NotImplementedError

    def more(self) -> AsyncGenerator[Thing, None]:
        """Return things."""
        raise NotImplementedError

    def one(self) -> Thing:
        """Return a thing."""
        raise NotImplementedError

    def silent(self, thing: Thing):  # type: ignore[no-untyped-def]
        """Return nothing."""

    async def wait(self) -> Thing:
        """Return a thing."""
        raise NotImplementedError


def test_the_kind_of_a_method_is_read_without_its_annotations() -> None:
    """Streams are known by name where an annotation cannot be evaluated."""
    assert {each.name: each.kind for each in port_methods(Unresolved)} == {
        "items": "stream",
        "more": "stream",
        "one": "sync",
        "silent": "sync",
        "wait": "async",
    }


def test_a_synchronous_program_runs_inside_a_kernel(tmp_path: Path) -> None:
    """hotswap.run() enters a kernel, awaits the function, and closes; what it raises comes out."""

    async def main(kernel: hotswap.Kernel) -> int:
        return len(kernel.ports())

    async def fail(kernel: hotswap.Kernel) -> None:
        raise LookupError

    assert hotswap.run(main, settings(tmp_path)) > 5
    with pytest.raises(LookupError):
        hotswap.run(fail, settings(tmp_path))


async def test_running_where_a_loop_runs_is_refused(tmp_path: Path) -> None:
    """hotswap.run() cannot wait on a loop that runs already: it says what to do there, and leaves nothing unawaited."""

    async def main(kernel: hotswap.Kernel) -> None:
        raise AssertionError(kernel)

    with pytest.raises(hotswap.WouldDeadlock, match="was called where an event loop runs") as refused:
        hotswap.run(main, settings(tmp_path))
    assert "async with Kernel(settings)" in refused.value.hint
