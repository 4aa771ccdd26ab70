"""``hotswap why ID``: boots the kernel and follows a plugin's state to its deepest cause."""

from __future__ import annotations

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.pass_obj
def why(invocation: Invocation, plugin: str) -> None:
    """Explain the state of a plugin.

    The kernel is started for it, so what is said is what would happen now.
    """
    from hotswap.cli.opening import opened, run_async
    from hotswap.cli.output import print_document, print_text

    settings = invocation.settings()

    async def main() -> None:
        async with opened(invocation, settings, quiet=True, eager=True) as kernel:
            found = kernel.why(plugin)
            hint = getattr(kernel.plugins()[found.causes[-1].plugin].error, "hint", "")
            if invocation.json:
                causes = [{"plugin": c.plugin, "state": c.state.value, "reason": c.text} for c in found.causes]
                print_document(invocation, "why/1", {"plugin": plugin, "causes": causes, "hint": hint})
                return
            print_text(str(found))
            if hint:
                print_text(f"hint: {hint}")

    run_async(invocation, main)
