"""Everything that is known of a plugin, as plain data: its manifest, where it is, the settings in force."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from hotswap.catalog import Catalog, trust_of, wanted
from hotswap.config import effective_config
from hotswap.errors import ConfigInvalid
from hotswap.found import Found
from hotswap.manifest.model import Dependency, Manifest
from hotswap.manifest.secret_names import MASK, is_secret
from hotswap.manifest.settings_schema import property_of
from hotswap.settings import Settings
from hotswap.trust import grants_for


def facts_of_plugin(found: Found, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """Return everything as plain data, in the order in which it is shown; secrets are masked."""
    return {**_identity(found, catalog, settings), **_needs(found, settings)}


def _identity(found: Found, catalog: Catalog, settings: Settings) -> dict[str, Any]:
    manifest = found.manifest
    trust = trust_of(found, settings)
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
    }


def _needs(found: Found, settings: Settings) -> dict[str, Any]:
    manifest = found.manifest
    grants = grants_for(manifest, trust_of(found, settings), settings.grants.get(found.id))
    return {
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


def _dependency(dependency: Dependency) -> dict[str, Any]:
    return {"id": dependency.id, "specifier": str(dependency.specifier), "optional": dependency.optional}


def _given(value: Any) -> dict[str, Any]:
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
    return effective_config(manifest, settings.config.get(manifest.id, {}), os.environ).masked()


def _problems(manifest: Manifest, settings: Settings) -> list[str]:
    try:
        _effective(manifest, settings)
    except ConfigInvalid as error:
        return list(error.problems)
    return []


def _settings(manifest: Manifest, settings: Settings) -> Iterator[dict[str, Any]]:
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
