"""``hotswap plugin info ID``: everything the manifest says, where it is, and the settings in force. Imports no plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command

if TYPE_CHECKING:
    from hotswap.catalog import Catalog, Found
    from hotswap.manifest.model import Manifest
    from hotswap.settings import Settings


@click.command(cls=Command)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.pass_obj
def info(invocation: Invocation, plugin: str) -> None:
    """Show everything that is known of a plugin.

    Secrets among its settings are masked.
    """
    from hotswap.cli.output import print_document, print_text

    settings = invocation.settings()
    catalog = invocation.catalog(settings)
    facts = _facts(catalog.get(plugin), catalog, settings)
    if invocation.json:
        print_document(invocation, "plugin-info/1", {"plugin": facts})
        return
    print_text("\n".join(_lines(facts)))


def _facts(found: Found, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    import attrs

    from hotswap.catalog import trust_of, wanted
    from hotswap.trust import grants_for

    manifest = found.manifest
    trust = trust_of(found, settings)
    grants = grants_for(manifest, trust, settings.grants.get(found.id))
    return {
        "id": manifest.id,
        "name": manifest.name,
        "version": manifest.raw_version,
        "versions": [each.manifest.raw_version for each in catalog.versions(found.id)],
        "type": manifest.type,
        "description": manifest.description,
        "author": manifest.author,
        "license": manifest.license,
        "enabled": found.id in wanted(settings, catalog),
        "door": found.door,
        "path": str(found.path),
        "trust": trust.label,
        "trust_means": trust.meaning,
        "hosts": {
            "dialect": manifest.dialect,
            "min_version": str(manifest.host.min_version),
            "max_version": str(manifest.host.max_version) if manifest.host.max_version else None,
        },
        "provides": [attrs.asdict(each) for each in manifest.provides],
        "requires": [{**attrs.asdict(each), "specifier": str(each.specifier)} for each in manifest.requires],
        "dependencies": [_dependency(each) for each in manifest.dependencies],
        "conflicts": [_dependency(each) for each in manifest.conflicts],
        "capabilities": {"requested": _given(grants.requested), "granted": _given(grants.granted)},
        "limits": _given(grants.limits),
        "python": _python(manifest),
        "settings": list(_settings(manifest, settings)),
        "settings_problems": _problems(manifest, settings),
        "metadata": _given(manifest.metadata),
    }


def _dependency(dependency: Any) -> dict[str, Any]:
    return {"id": dependency.id, "specifier": str(dependency.specifier), "optional": dependency.optional}


def _given(value: Any) -> dict[str, Any]:
    import attrs

    return {key: each for key, each in attrs.asdict(value).items() if each not in (None, False, "", ())}


def _python(manifest: Manifest) -> dict[str, Any] | None:
    if manifest.python is None:
        return None
    return {
        "entry_point": manifest.python.entry_point,
        "class_name": manifest.python.class_name,
        "python_version": str(manifest.python.python_version),
        "dependencies": list(manifest.python.dependencies),
    }


def _effective(manifest: Manifest, settings: Settings) -> Mapping[str, Any]:
    from hotswap.config import effective_config

    return effective_config(manifest, settings.config.get(manifest.id, {}), os.environ).masked()


def _problems(manifest: Manifest, settings: Settings) -> list[str]:
    from hotswap.errors import ConfigInvalid

    try:
        _effective(manifest, settings)
    except ConfigInvalid as error:
        return list(error.problems)
    return []


def _settings(manifest: Manifest, settings: Settings) -> Iterator[dict[str, Any]]:
    from hotswap.errors import ConfigInvalid
    from hotswap.manifest.secret_names import MASK, is_secret
    from hotswap.manifest.settings_schema import property_of

    try:
        values = _effective(manifest, settings)
    except ConfigInvalid:
        values = {}
    schema = manifest.config.schema
    names = {**schema.get("properties", {}), **values}
    for name in names:
        below = property_of(schema, name, schema) or {}
        default = below.get("default")
        hidden = is_secret(name, below, default)
        yield {
            "name": name,
            "type": below.get("type"),
            "description": below.get("description", ""),
            "default": MASK if hidden and default not in (None, "") else default,
            "value": values.get(name),
            "required": name in schema.get("required", ()),
            "secret": hidden,
            "variable": manifest.config.env_vars.get(name),
        }


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{facts['id']} {facts['version']}: {facts['description'] or facts['name']}"
    plain = ("name", "type", "author", "license", "door", "path", "trust", "trust_means", "versions", "enabled")
    for key in plain:
        yield f"{key.replace('_', ' '):<14}{_shown(facts[key])}"
    hosts = facts["hosts"]
    newest = f" to {hosts['max_version']}" if hosts["max_version"] else " or newer"
    yield f"{'works with':<14}{hosts['dialect']} {hosts['min_version']}{newest}"
    for each in facts["provides"]:
        yield f"{'provides':<14}{each['port']} as {each['name']} ({each['class_name']})"
    for each in facts["requires"]:
        yield f"{'requires':<14}port {each['port']} {each['specifier']}{_optional(each)}"
    for key in ("dependencies", "conflicts"):
        for each in facts[key]:
            yield f"{key:<14}{each['id']} {each['specifier']}{_optional(each)}"
    for key, value in facts["capabilities"]["requested"].items():
        yield f"{'asks for':<14}{key}: {_shown(value)}; granted: {_shown(facts['capabilities']['granted'].get(key, False))}"
    for key, value in facts["limits"].items():
        yield f"{'limit':<14}{key}: {_shown(value)}"
    for key, value in (facts["python"] or {}).items():
        if value:
            yield f"{'python':<14}{key}: {_shown(value)}"
    for key, value in facts["metadata"].items():
        yield f"{'metadata':<14}{key}: {_shown(value)}"
    yield from _setting_lines(facts)


def _setting_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["settings"]:
        yield f"settings, under [config.{facts['id']}] in hotswap.toml:"
    for each in facts["settings"]:
        kind = f" ({each['type']})" if each["type"] else ""
        also = f", also from {each['variable']}" if each["variable"] else ""
        default = f", default {_shown(each['default'])}" if each["default"] is not None else ""
        needed = ", required" if each["required"] else ""
        yield f"  {each['name']}{kind} = {_shown(each['value'])}{default}{needed}{also}"
        if each["description"]:
            yield f"      {each['description']}"
    for problem in facts["settings_problems"]:
        yield f"  problem: {problem}"


def _optional(each: Mapping[str, Any]) -> str:
    return " (optional)" if each["optional"] else ""


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else str(value)
