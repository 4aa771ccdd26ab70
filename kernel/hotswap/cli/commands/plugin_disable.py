"""``hotswap plugin disable ID``: looks who needs it before anything is written."""

from __future__ import annotations

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.option("--cascade", is_flag=True, help="Disable those that need it as well.")
@click.pass_obj
def disable(invocation: Invocation, plugin: str, cascade: bool) -> None:
    """Disable a plugin in hotswap.toml.

    Refused, with a list, while others need it. Comments in hotswap.toml stay; hotswap.lock is written too.
    """
    from hotswap.catalog import wanted
    from hotswap.cli.edits import write_down
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.cli.solving import solve
    from hotswap.dependants import dependants_of
    from hotswap.errors import PluginInUse, PluginNotFound
    from hotswap.settings_text import SettingsText
    from hotswap.transaction import Transaction

    transaction = Transaction(invocation.files())
    settings = invocation.settings_as_if(transaction.before.settings)
    solved = solve(invocation, settings)
    manifests, asked = solved.manifests, wanted(settings, solved.catalog)
    if plugin not in manifests and plugin not in asked:
        if plugin in solved.catalog:
            note(invocation, f"{plugin} is not enabled: there is nothing to disable.")
            if invocation.json:
                print_document(invocation, "plugin-disable/1", {"disabled": [], "stopped": []})
            return
        raise PluginNotFound(plugin, {*manifests, *asked}, looked_in=["the enabled plugins"])
    dependants = dependants_of({plugin}, manifests)
    if dependants and not cascade:
        raise PluginInUse(plugin, dependants)
    going = [*(each for each in dependants if each in asked), plugin]

    def edit(text: SettingsText) -> None:
        for each in going:
            text.disable(each)

    write_down(invocation, transaction, f"plugin disable {plugin}", edit)
    if invocation.json:
        print_document(invocation, "plugin-disable/1", {"disabled": going, "stopped": [*dependants, plugin]})
        return
    print_text(f"Disabled {', '.join(going)}.")
