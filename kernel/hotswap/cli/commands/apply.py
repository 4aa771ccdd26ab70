"""``hotswap apply``: solves, proves that everything opens, and only then writes ``hotswap.lock``."""

from __future__ import annotations

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.pass_obj
def apply(invocation: Invocation) -> None:
    """Solve, open everything once, and write hotswap.lock.

    When one of the plugins cannot be opened, nothing is written.
    """
    from hotswap.cli.opening import opened, run_async, troubled, waiting_facts
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.cli.solving import solve, steps_from
    from hotswap.errors import PluginInitFailed
    from hotswap.lock import write
    from hotswap.planner import LOCK_NAME

    solved = solve(invocation, invocation.settings())
    for error in solved.left_out.values():
        raise error

    async def prove() -> None:
        async with opened(invocation, solved.settings, quiet=True, eager=True) as kernel:
            for status in troubled(kernel):
                raise status.error or PluginInitFailed(status.id, "opening", str(waiting_facts(status)["message"]))

    run_async(invocation, prove)
    path = solved.settings.folder / LOCK_NAME
    write(path, solved.new_lock())
    steps = steps_from(solved.lock, solved)
    if invocation.json:
        versions = {key: str(version) for key, version in solved.solution.versions().items()}
        print_document(invocation, "apply/1", {"lock": str(path), "plugins": versions})
        return
    print_text("\n".join(map(str, steps)) or "Nothing has changed.")
    note(invocation, f"Wrote {path}: {len(solved.solution.plugins)} plugins, each opened once.")
