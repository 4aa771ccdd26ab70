"""``hotswap plan``: what would be done, and why. It solves, and opens nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.resolver import Chosen
    from hotswap.settings import Settings


@click.command(cls=Command)
@click.option("--enable", metavar="ID", multiple=True, shell_complete=plugin_ids, help="As if it were enabled.")
@click.option("--disable", metavar="ID", multiple=True, shell_complete=plugin_ids, help="As if it were disabled.")
@click.option("--select", metavar="PORT=NAME", multiple=True, help="As if it served the port.")
@click.pass_obj
def plan(invocation: Invocation, enable: tuple[str, ...], disable: tuple[str, ...], select: tuple[str, ...]) -> int:
    """Show what would be opened and why; change nothing.

    The steps lead from hotswap.lock, or from nothing where there is none.
    """
    import attrs

    from hotswap.cli.output import facts_of, print_document, print_text, warn
    from hotswap.cli.solving import adjusted, ambiguous, solve, steps_from

    settings = adjusted(invocation.settings(), enable, disable, _selections(select))
    _check_known(invocation, settings, (*enable, *disable), select)
    solved = solve(invocation, settings)
    for key, error in ambiguous(solved):
        warn(invocation, error, about=f"{key} asks for it, and may not open")
    steps = steps_from(solved.lock, solved)
    if invocation.json:
        content: dict[str, Any] = {
            "steps": [attrs.asdict(each) for each in steps],
            "plugins": [_chosen(each) for each in solved.solution.plugins],
            "blocked": [{"plugin": key, **facts_of(error)} for key, error in solved.left_out.items()],
        }
        print_document(invocation, "plan/1", content)
    else:
        for key, refused in solved.left_out.items():
            warn(invocation, refused, about=f"{key} is left out")
        count = len(solved.solution.plugins)
        same = "hotswap.lock" if solved.lock is not None else "nothing is asked for"
        print_text("\n".join(map(str, steps)) or f"Nothing to do: {count} plugins, as in {same}.")
    return FAILED if solved.left_out else DONE


def _selections(entries: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found = {}
    for entry in entries:
        port, equals, names = entry.partition("=")
        chosen = tuple(each.strip() for each in names.split(",") if each.strip())
        if not equals or not port or not chosen:
            raise click.UsageError(f"{entry!r} is not PORT=NAME, like storage=sqlite-storage.")
        found[port.strip()] = chosen
    return found


def _check_known(invocation: Invocation, settings: Settings, plugins: tuple[str, ...], select: tuple[str, ...]) -> None:
    """Refuse ids and names that nobody has: a slip of the finger must not look like a plan.

    Raises:
        PluginNotFound, PortUnknown, ProviderNotFound: with the nearest known names.
    """
    from hotswap.errors import ProviderNotFound
    from hotswap.port_directory import PortDirectory
    from hotswap.settings_tables import split_requirement

    catalog = invocation.catalog(settings)
    for each in plugins:
        catalog.get(split_requirement(each)[0])
    ports = PortDirectory()
    for port, names in _selections(select).items():
        ports.get(port, where="--select")
        offered = {name for each in catalog for of, name in each.provides if of == port}
        for name in names:
            if name not in offered:
                raise ProviderNotFound(port, name, offered)


def _chosen(chosen: Chosen) -> dict[str, Any]:
    return {
        "id": chosen.id,
        "version": str(chosen.version),
        "reason": chosen.reason,
        "required_by": list(chosen.required_by),
        "ports": dict(chosen.ports),
    }
