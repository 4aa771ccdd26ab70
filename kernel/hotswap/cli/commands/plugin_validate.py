"""``hotswap plugin validate PLUGIN``: the manifest, then the code, held against each other; all problems at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.failures import DONE, FAILED
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.errors import HotswapError
    from hotswap.manifest.comparison import Compared
    from hotswap.manifest.model import Manifest
    from hotswap.testing.location import Location


@click.command(cls=Command)
@click.argument("plugin")
@click.option("--manifest-only", is_flag=True, help="Do not import the plugin's code.")
@click.option("--against", metavar="OLD", help="Compare with an older version of it.")
@click.pass_obj
def validate(invocation: Invocation, plugin: str, manifest_only: bool, against: str | None) -> int:
    """Check a plugin's manifest and code.

    PLUGIN is a plugin's folder or its plugin.toml, the root of the distribution that it is part of, or an id. The code
    is imported, in this process and without confinement, and its classes are held against the manifest;
    --manifest-only leaves that out. With --against, what changed since OLD (a folder, or a plugin.toml) has to be
    allowed by the version.
    """
    from hotswap.errors import ManifestInvalid
    from hotswap.manifest.comparison import Compared
    from hotswap.manifest.reader import read_manifest

    location = located(plugin)
    old = located(against) if against is not None else None
    errors: list[HotswapError] = []
    manifest = compared = None
    try:
        manifest = read_manifest(location.manifest)
    except ManifestInvalid as error:
        errors.append(error)
    if manifest is not None and not manifest_only:
        errors += code_problems(manifest, location)
    if manifest is not None and old is not None:
        compared = Compared.of(read_manifest(old.manifest), manifest)
        errors += [compared.problem] if compared.problem is not None else []
    if invocation.json:
        _print_document(invocation, location, manifest, errors, compared)
    else:
        _print_text(manifest, errors, compared, "its manifest is" if manifest_only else "its manifest and its code are")
    return FAILED if errors else DONE


def _print_document(
    invocation: Invocation,
    location: Location,
    manifest: Manifest | None,
    errors: list[HotswapError],
    compared: Compared | None,
) -> None:
    from hotswap.cli.output import facts_of, print_document

    content: dict[str, Any] = {
        "path": str(location.manifest),
        "id": manifest.id if manifest else None,
        "valid": not errors,
        "problems": [{**facts_of(each), "problems": list(getattr(each, "problems", ()))} for each in errors],
    }
    if compared is not None:
        content["changes"] = [{"step": each.step.label, "text": each.text} for each in compared.changes]
        content["step"] = compared.step.label
    print_document(invocation, "plugin-validate/1", content)


def _print_text(manifest: Manifest | None, errors: list[HotswapError], compared: Compared | None, what: str) -> None:
    from hotswap.cli.output import facts_of, print_block, print_text

    for each in compared.changes if compared is not None else ():
        print_text(f"{each.step.label}: {each.text}")
    for problem in errors:
        print_block("error", "red", facts_of(problem))
    if manifest is None or errors:
        return
    if compared is not None:
        print_text(f"{manifest.id} {manifest.raw_version}: {compared.summary}")
    print_text(f"{manifest.id} {manifest.raw_version}: {what} in order.")


def located(plugin: str) -> Location:
    """Return where a plugin is that was named on the command line."""
    from pathlib import Path

    from hotswap.testing.location import is_path, locate

    if is_path(plugin) and not Path(plugin).exists():
        raise click.UsageError(f"The path {plugin!r} does not exist.")
    return locate(plugin)


def code_problems(manifest: Manifest, location: Location) -> list[HotswapError]:
    """Import the code once for each class that the manifest names, so that one bad class does not hide the next."""
    import attrs

    from hotswap.errors import HotswapError
    from hotswap.found import Found
    from hotswap.loader import drop, load
    from hotswap.port_directory import PortDirectory

    ports = PortDirectory()
    parts = [attrs.evolve(manifest, provides=(each,)) for each in manifest.provides] or [manifest]
    found: dict[str, HotswapError] = {}
    for part in parts:
        try:
            with location.importable():
                loaded = load(Found(part, "path", location.folder, location.package), ports)
        except HotswapError as error:
            found.setdefault(str(error), error)
            continue
        for gap in _gaps(manifest, [loaded.plugin_class, *loaded.adapters.values()]):
            found.setdefault(str(gap), gap)
        drop(loaded.root)
    return list(found.values())


def _gaps(manifest: Manifest, classes: list[type]) -> Iterator[HotswapError]:
    from hotswap.errors import InjectionFailed
    from hotswap.injection import needs_of

    for each in classes:
        try:
            needs_of(each, requires={require.port for require in manifest.requires})
        except InjectionFailed as error:
            yield error
