"""``hotswap ports``: boots the kernel and tells who serves each port."""

from __future__ import annotations

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.pass_obj
def ports(invocation: Invocation) -> None:
    """List the ports and who serves them.

    The kernel is started for it, so what is said is what would happen now.
    """
    from hotswap.cli.opening import opened, run_async
    from hotswap.cli.output import print_document, print_table

    settings = invocation.settings()

    async def main() -> None:
        async with opened(invocation, settings) as kernel:
            found = kernel.ports().values()
            if invocation.json:
                content = [
                    {
                        "name": each.name,
                        "version": each.version,
                        "serving": each.serving or None,
                        "selected": list(each.selected),
                        "open": list(each.providers),
                        "available": list(each.available),
                        "problem": each.problem or None,
                    }
                    for each in found
                ]
                print_document(invocation, "ports/1", {"ports": content})
                return
            rows = [
                [
                    each.name,
                    each.version,
                    each.serving or "nobody",
                    ", ".join(each.providers) or "-",
                    ", ".join(each.available) or "-",
                ]
                for each in found
            ]
            print_table(("port", "version", "serving", "open", "could provide it"), rows)

    run_async(invocation, main)
