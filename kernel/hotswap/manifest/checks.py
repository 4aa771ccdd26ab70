"""What one key of a manifest has to do with another. Each check looks only at keys that are right in themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from attrs import frozen

from hotswap.errors import nearest
from hotswap.manifest.problems import Problem, below, shown
from hotswap.manifest.versions import version_of

_PLUGIN = "$.plugin"


@frozen
class Check:
    """One rule across keys of ``[plugin]``, skipped when a path below it that the rule ``needs`` is wrong already."""

    needs: frozenset[str]
    problems: Callable[[Mapping[str, Any]], Iterator[Problem]]


def across(plugin: Mapping[str, Any], wrong: Set[str]) -> Iterator[Problem]:
    """Yield what is wrong between the keys of ``[plugin]``, leaving aside the paths that are ``wrong`` already."""
    for check in _CHECKS:
        if not check.needs & wrong:
            yield from check.problems(plugin)


def _one_host(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    tables = [name for name in ("hotswap", "reasonkit") if name in plugin]
    if not tables:
        yield Problem("'hotswap' is missing: a table with at least min_version", below(_PLUGIN, "hotswap"))
    if len(tables) == 2:
        yield Problem("'hotswap' and 'reasonkit' exclude each other: keep one", below(_PLUGIN, "reasonkit"))
    for name in tables:
        oldest, newest = plugin[name]["min_version"], plugin[name].get("max_version")
        if newest is not None and version_of(newest) < version_of(oldest):
            yield Problem(f"{shown(newest)} is older than min_version", below(below(_PLUGIN, name), "max_version"))


def _code(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    if plugin.get("provides") and "python" not in plugin:
        yield Problem("'python' is missing: what [plugin.provides] names is found there", below(_PLUGIN, "python"))


def _names(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    for port, given in plugin.get("provides", {}).items():
        seen: set[str] = set()
        for each in given if isinstance(given, list) else [given]:
            name = str(each.get("name", plugin["id"]) if isinstance(each, dict) else plugin["id"])
            if name in seen:
                sentence = f"two providers are called {shown(name)}: give each a name of its own"
                yield Problem(sentence, below(f"{_PLUGIN}.provides", port))
            seen.add(name)


def _itself(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    for table in ("dependencies", "conflicts"):
        if plugin["id"] in plugin.get(table, {}):
            yield Problem("a plugin cannot name itself here", below(below(_PLUGIN, table), plugin["id"]))


def _addresses(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("homepage", "repository", "documentation"):
        if name in plugin and name in plugin.get("metadata", {}):
            yield Problem(f"{shown(name)} is also in [plugin.metadata]: keep one", below(_PLUGIN, name))


def _settings(plugin: Mapping[str, Any]) -> Iterator[Problem]:
    from hotswap.manifest.settings_schema import problems_of_schema, properties_at

    config = plugin.get("config", {})
    schema, variables = config.get("schema", {}), config.get("env_vars", {})
    found = list(problems_of_schema(schema, f"{_PLUGIN}.config.schema")) if schema else []
    yield from found
    for setting in variables if isinstance(variables, dict) and not found else ():
        if properties_at(schema, setting) is None:
            hint = nearest(setting[:60], schema.get("properties", {})) or "The schema has to have it under properties."
            yield Problem(f"there is no setting {shown(setting)}. {hint}", below(f"{_PLUGIN}.config.env_vars", setting))


_HOSTS = tuple(f"{name}{key}" for name in ("hotswap", "reasonkit") for key in ("", ".min_version", ".max_version"))
_CHECKS = (
    Check(frozenset(_HOSTS), _one_host),
    Check(frozenset({"provides"}), _code),
    Check(frozenset({"id", "provides"}), _names),
    Check(frozenset({"id", "dependencies", "conflicts"}), _itself),
    Check(frozenset({"metadata"}), _addresses),
    Check(frozenset({"config", "config.schema"}), _settings),
)
