"""``hotswap plugin info ID``: all that the manifest says, and the settings in force. Imports no plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from hotswap.cli.completing import plugin_ids
from hotswap.cli.invocation import Invocation
from hotswap.cli.root import Command


@click.command(cls=Command)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@click.pass_obj
def info(invocation: Invocation, plugin: str) -> None:
    """Show everything that is known of a plugin.

    Secrets among its settings are masked.
    """
    from hotswap.cli.output import print_document, print_text
    from hotswap.cli.plugin_facts import facts_of_plugin

    settings = invocation.settings()
    catalog = invocation.catalog(settings)
    facts = facts_of_plugin(catalog.get(plugin), catalog, settings)
    if invocation.json:
        print_document(invocation, "plugin-info/1", {"plugin": facts})
        return
    print_text("\n".join(_lines(facts)))


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
        granted = facts["capabilities"]["granted"].get(key, False)
        yield f"{'asks for':<14}{key}: {_shown(value)}; granted: {_shown(granted)}"
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
        kind = f" ({_shown(each['type'])})" if each["type"] else ""
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
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value) or "(empty)"
