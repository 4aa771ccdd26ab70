"""``hotswap completion``: the script by which a shell asks this program what may follow."""

from __future__ import annotations

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.output import print_document
from hotswap.cli.root import Command

_INSTALL = {
    "bash": "echo 'eval \"$(hotswap completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(hotswap completion zsh)\"' >> ~/.zshrc",
    "fish": "hotswap completion fish > ~/.config/fish/completions/hotswap.fish",
}


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_obj
def completion(invocation: Invocation, shell: str) -> None:
    """Print the completion script of a shell.

    Its first line says how to install it.
    """
    script = _script(shell)
    if invocation.json:
        print_document(invocation, "completion/1", {"shell": shell, "install": _INSTALL[shell], "script": script})
        return
    click.echo(f"# To install it: {_INSTALL[shell]}")
    click.echo(script)


def _script(shell: str) -> str:
    from click.shell_completion import get_completion_class

    from hotswap.cli.root import root

    found = get_completion_class(shell)
    assert found is not None, "click knows every shell that may be asked for"
    if shell == "bash":  # click would start a bash to look at its version, and there may be none here
        complete = found(root, {}, "hotswap", "_HOTSWAP_COMPLETE")
        return complete.source_template % complete.source_vars()
    return found(root, {}, "hotswap", "_HOTSWAP_COMPLETE").source()
