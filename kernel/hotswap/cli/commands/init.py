"""``hotswap init``: a ``hotswap.toml`` in which every table is explained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.project_files import ProjectFiles


@click.command(cls=Command)
@click.argument("target", metavar="[FOLDER]", required=False, type=click.Path(file_okay=False))
@click.option("--force", is_flag=True, help="Replace a hotswap.toml that is there.")
@click.pass_obj
def init(invocation: Invocation, target: str | None, force: bool) -> None:
    """Write a commented hotswap.toml.

    FOLDER is made when it is not there; without one, it is this folder.
    """
    from hotswap.cli.output import note, print_document, print_text
    from hotswap.errors import SettingsConflict
    from hotswap.project_files import ProjectFiles
    from hotswap.settings import FILE_NAME, check_text
    from hotswap.transaction import settle

    path = Path(target or invocation.folder) / FILE_NAME
    files = ProjectFiles.of(path.parent, {})
    settle(files)
    if path.exists() and not force:
        raise SettingsConflict(str(path), "it is there already", "Edit it, or replace it with --force.")
    content = template().encode()
    check_text(content, path)
    try:
        _write(files, content)
    except OSError as error:
        reason = f"it cannot be written: {error.strerror}"
        raise SettingsConflict(str(path), reason, "Check who owns the folder, its mode and the disk.") from error
    if invocation.json:
        print_document(invocation, "init/1", {"path": str(path)})
        return
    print_text(f"Wrote {path}.")
    note(
        invocation,
        "Next: `hotswap plugin list` shows what there is, `hotswap run research README.md` puts it to work.",
    )


def _write(files: ProjectFiles, content: bytes) -> None:
    """Write a new file; one that is replaced becomes a state to go back to."""
    import attrs

    from hotswap.replacement import replace_file
    from hotswap.transaction import Transaction

    if files.settings.exists():
        transaction = Transaction(files)
        transaction.commit(attrs.evolve(transaction.before, settings=content), "init --force")
        return
    files.folder.mkdir(parents=True, exist_ok=True)
    replace_file(files.settings, content)


def template() -> str:
    """Return the file: the embedded defaults written out, everything else as comments."""
    from hotswap.settings import DEFAULTS

    enabled = "\n".join(f'    "{each}",' for each in DEFAULTS.enabled)
    ports = "\n".join(f'{port} = "{names[0]}"' for port, names in DEFAULTS.ports.items())
    return f"""\
# What this project wants of hotswap. `hotswap plan` shows what follows from it, `hotswap apply` proves it.
# docs/reference/settings.md lists every key; HOTSWAP_PORTS_AI=... and --set ports.ai=... override one.

[plugins]
# The plugins to open: "id", or with a range of versions "id>=1.2,<2". `hotswap plugin list` shows what was found.
enabled = [
{enabled}
]
# paths = ["../my-plugins"]     # more places to look, beside ./plugins and ./.hotswap/plugins
# drain_timeout = 30            # seconds that calls inside a replaced plugin may go on

[ports]
# Which plugin serves a port; a list is an order of failover.
{ports}

# A plugin's own settings: `hotswap plugin info ID` lists them.
# [config.sqlite-storage]
# path = "data.db"

# How far you trust a plugin: untrusted, community, verified, official.
# [trust]
# my-plugin = "verified"

# What a plugin may touch, beyond or less than its trust gives; false denies.
# [grants.my-plugin]
# network = ["api.example.org"]
"""
