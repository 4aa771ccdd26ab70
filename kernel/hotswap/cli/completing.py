"""What a shell may complete: ids and names from the catalog. A mistake in the settings completes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hotswap.cli.invocation import Invocation
from hotswap.errors import HotswapError

if TYPE_CHECKING:
    from hotswap.catalog import Catalog


def _catalog(context: click.Context) -> Catalog | None:
    invocation = context.ensure_object(Invocation)
    try:
        return invocation.catalog(invocation.settings())
    except HotswapError:  # completion has no place to report it; the command itself will
        return None


def plugin_ids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids that begin like ``incomplete``."""
    catalog = _catalog(context)
    return [each for each in catalog.ids() if each.startswith(incomplete)] if catalog is not None else []


def workflow_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of workflows that begin like ``incomplete``."""
    catalog = _catalog(context)
    if catalog is None:
        return []
    names = {name for each in catalog for port, name in each.provides if port == "workflow"}
    return sorted(each for each in names if each.startswith(incomplete))
