"""``hotswap plugin enable ID``: opened once for proof, then written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.plan import Step
    from hotswap.settings import Settings


@click.command(cls=Command)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.option("--no-check", is_flag=True, help="Only solve: do not open it for proof.")
@click.pass_obj
def enable(invocation: Invocation, plugin: str, no_check: bool) -> None:
    """Open a plugin once, then enable it in hotswap.toml.

    ID may carry a range of versions: "my-plugin>=1.2". When it cannot be opened, nothing is written. Comments in
    hotswap.toml stay; hotswap.lock is written too.
    """
    from hotswap.cli.edits import write_down
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.cli.solving import adjusted, solve
    from hotswap.settings_tables import split_requirement
    from hotswap.transaction import Transaction

    transaction = Transaction(invocation.files())
    settings = invocation.settings_as_if(transaction.before.settings)
    transaction.check()  # what cannot be written is refused before anything is opened
    name = split_requirement(_checked(plugin))[0]
    invocation.catalog(settings).get(name)
    solved = solve(invocation, adjusted(settings, enable=[plugin]))
    if name in solved.left_out:
        raise solved.left_out[name]
    steps = [] if no_check else _open(invocation, settings, plugin)
    done = write_down(invocation, transaction, f"plugin enable {name}", lambda text: text.enable(plugin))
    if name not in done.solution.versions():
        note(invocation, f"{name} stays closed: the environment or the command line overrides hotswap.toml.")
    if invocation.json:
        document = {"plugin": name, "steps": [str(each) for each in steps], "file": str(done.settings.source)}
        print_document(invocation, "plugin-enable/1", document)
        return
    print_text("\n".join(map(str, steps)) or f"{name} is enabled.")


def _checked(entry: str) -> str:
    from hotswap.settings_tables import split_requirement

    try:
        split_requirement(entry)
    except ValueError as wrong:
        raise click.UsageError(f"{entry!r} {wrong}.") from None
    return entry


def _open(invocation: Invocation, settings: Settings, plugin: str) -> tuple[Step, ...]:
    """Enable the plugin in a kernel that closes again at once; whatever speaks against it is raised."""
    from hotswap.cli.opening import opened, run_async
    from hotswap.cli.proof import say_if_exclusive
    from hotswap.errors import PluginInitFailed

    async def main() -> tuple[Step, ...]:
        async with opened(invocation, settings) as kernel:
            try:
                return (await kernel.enable(plugin)).steps
            except PluginInitFailed as error:
                say_if_exclusive(error, kernel, error.plugin)
                raise

    return run_async(invocation, main)
