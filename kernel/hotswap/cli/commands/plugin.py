"""``hotswap plugin``: the group of the commands about plugins."""

from __future__ import annotations

import click

from hotswap.cli.root import LazyGroup
from hotswap.cli.table import PLUGIN_COMMANDS


@click.group(cls=LazyGroup, table=PLUGIN_COMMANDS)
def plugin() -> None:
    """Find, inspect, enable and disable plugins."""
