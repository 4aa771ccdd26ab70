"""A swap among 10 and among 1,000 enabled plugins: the cost must not grow with those it does not concern.

Two swaps are measured in kernels booted for it: ``select`` between two open providers, and ``configure``, which opens a
new generation of a plugin and closes the old one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from hotswap import Kernel
from tests.benchmarks.rows import Row, print_rows
from tests.benchmarks.timing import ratio
from tests.plugin_folder import Clock, Greeter, greeter, settings, write_plugin

SELECTS = 50
CONFIGURES = 5


def _folder(root: Path, plugins: int) -> Path:
    greeter(root, "english")
    greeter(root, "german", "hallo")
    for number in range(plugins - 2):
        write_plugin(root, f"other-{number}", "", requires={"greeter": ">=1"})
    return root


def _kernel(root: Path, plugins: int) -> Kernel:
    enabled = ["english", "german", *(f"other-{number}" for number in range(plugins - 2))]
    return Kernel(settings(root, *enabled, ports={"greeter": ("english",)}), ports=[Greeter, Clock], environ={})


async def _selects(kernel: Kernel) -> None:
    handle = kernel.get(Greeter)
    for _ in range(SELECTS):
        await kernel.select(Greeter, "german")
        assert await handle.greet("x") == "hallo x"
        await kernel.select(Greeter, "english")
        assert await handle.greet("x") == "hello x"


async def _configures(kernel: Kernel) -> None:
    for number in range(CONFIGURES):
        await kernel.configure("english", {"number": number})


async def _measure(quick: bool) -> list[Row]:
    many = 300 if quick else 1000
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory() as folder:
        small, large = _folder(Path(folder, "small"), 10), _folder(Path(folder, "large"), many)
        async with _kernel(small, 10) as few, _kernel(large, many) as lots:
            assert all(each.state.value == "active" for each in lots.plugins().values() if each.door == "path")
            select = await ratio(lambda: _selects(lots), lambda: _selects(few), rounds)
            configure = await ratio(lambda: _configures(lots), lambda: _configures(few), rounds)
    return [
        Row(f"select among {many:,} enabled plugins / among 10", select, 2.0),
        Row(f"a new generation among {many:,} enabled plugins / among 10", configure, 2.0),
    ]


def measure(quick: bool) -> list[Row]:
    """Return the rows of this benchmark."""
    return asyncio.run(_measure(quick))


if __name__ == "__main__":
    sys.exit(not print_rows(measure("--quick" in sys.argv)))
