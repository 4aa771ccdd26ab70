"""``hotswap plugin list``: what stands behind every door. Imports neither a plugin nor the container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.catalog import Catalog
    from hotswap.found import Found
    from hotswap.settings import Settings


@click.command(cls=Command, name="list")
@click.option("--all", "every", is_flag=True, help="Every version of each plugin, not the newest alone.")
@click.pass_obj
def list_plugins(invocation: Invocation, every: bool) -> None:
    """List the plugins that were found.

    Bad manifests, and plugins hidden by an earlier door, are named below.
    """
    from hotswap.cli.output import note, print_document, print_table, warn

    settings = invocation.settings()
    catalog = invocation.catalog(settings)
    found = list(catalog) if every else [catalog.get(each) for each in catalog.ids()]
    for problem in catalog.problems:
        warn(invocation, problem.error)
    rows = _rows(found, settings, catalog)
    hidden = [{"id": each.found.id, "path": str(each.found.path), "by": str(each.by.path)} for each in catalog.shadowed]
    if invocation.json:
        print_document(invocation, "plugin-list/1", {"plugins": rows, "shadowed": hidden})
        return
    titles = ("id", "version", "door", "trust", "state", "provides")
    print_table(titles, [[_cell(row, title) for title in titles] for row in rows])
    for each in hidden:
        note(invocation, f"note: {each['id']} at {each['path']} is hidden by {each['by']}.")


def _rows(found: list[Found], settings: Settings, catalog: Catalog) -> list[dict[str, Any]]:
    from hotswap.catalog import trust_of, wanted

    enabled, selected = wanted(settings, catalog), settings.selected
    rows = []
    for each in found:
        serves = [port for port, name in each.provides if name in selected.get(port, ())[:1]]
        allowed = each.id in enabled and enabled[each.id].contains(each.version, prereleases=True)
        state = "disabled" if each.id in settings.disabled else "enabled" if allowed else "available"
        rows.append(
            {
                "id": each.id,
                "version": each.manifest.raw_version,
                "door": each.door,
                "trust": trust_of(each, settings).label,
                "state": state,
                "selected_for": serves if allowed else [],
                "provides": [{"port": port, "name": name} for port, name in each.provides],
                "path": str(each.path),
            }
        )
    return rows


def _cell(row: dict[str, Any], title: str) -> str:
    if title == "provides":
        return ", ".join(each["port"] for each in row[title]) or "-"
    if title == "state" and row["selected_for"]:
        return f"enabled, serves {', '.join(row['selected_for'])}"
    return str(row[title])
