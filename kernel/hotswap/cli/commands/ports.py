"""``hotswap ports``: boots the kernel and tells who serves each port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.states import PortStatus


@click.command(cls=Command)
@click.pass_obj
def ports(invocation: Invocation) -> None:
    """List the ports and who serves them.

    The kernel is started for it, so what is said is what would happen now.
    """
    from hotswap.cli.opening import opened, run_async

    settings = invocation.settings()

    async def main() -> None:
        async with opened(invocation, settings, eager=True) as kernel:
            _print(invocation, list(kernel.ports().values()))

    run_async(invocation, main)


def _print(invocation: Invocation, found: Sequence[PortStatus]) -> None:
    from hotswap.cli.output import print_document, print_table, print_text

    if invocation.json:
        print_document(invocation, "ports/1", {"ports": [_document(each) for each in found]})
        return
    titles = ("port", "version", "serving", "open", "could provide it")
    print_table(
        titles,
        [
            [each.name, each.version, each.serving or "nobody", _names(each.providers), _names(each.available)]
            for each in found
        ],
    )
    for port in found:
        for name, reason in port.unwell.items():
            print_text(f"{port.name}: {name} is unwell: {reason}")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "-"


def _document(port: PortStatus) -> dict[str, Any]:
    return {
        "name": port.name,
        "version": port.version,
        "serving": port.serving or None,
        "selected": list(port.selected),
        "open": list(port.providers),
        "available": list(port.available),
        "problem": port.problem or None,
        "unwell": dict(port.unwell),
    }
