"""Which semantic version step lies between two versions of a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, strategies
from packaging.version import Version

from hotswap.manifest import Manifest
from hotswap.manifest.comparison import Step, changes, least_version, step_taken, step_wanted
from hotswap.manifest.reader import read_manifest

BASE: dict[str, Any] = {
    "id": "own",
    "name": "Own",
    "version": "1.2.0",
    "type": "storage",
    "hotswap": {"min_version": "0.1.0"},
    "provides": {"storage": "Adapter"},
    "requires": {"ai": ">=1,<2"},
    "dependencies": {"other": ">=1.0"},
    "capabilities": {"network": ["a.example.org"]},
    "python": {"entry_point": "code", "python_version": ">=3.11"},
    "config": {
        "schema": {
            "type": "object",
            "properties": {"rate": {"type": "number", "minimum": 1}, "mode": {"enum": ["a", "b"]}},
            "required": ["rate"],
        },
        "env_vars": {"rate": "RATE"},
    },
}


def manifest(tmp_path: Path, **tables: Any) -> Manifest:
    """Return the manifest with some tables replaced."""
    path = tmp_path / "plugin.toml"
    path.write_text(tomlkit.dumps({"plugin": {**BASE, **tables}}))
    return read_manifest(path)


def schema(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return the config table with other properties."""
    table = {"type": "object", "properties": properties, "required": list(required)}
    return {"schema": table, "env_vars": {"rate": "RATE"}}


def settings(**keywords: Any) -> dict[str, Any]:
    """Return the config table with more keywords for all settings."""
    return {**BASE["config"], "schema": {**BASE["config"]["schema"], **keywords}}


RATE = {"type": "number", "minimum": 1}
MODE = {"enum": ["a", "b"]}


@pytest.mark.parametrize(
    ("tables", "step", "says"),
    [
        ({}, Step.PATCH, ""),
        ({"name": "Another name", "description": "more"}, Step.PATCH, ""),
        ({"provides": {"storage": "Other"}}, Step.PATCH, ""),
        ({"provides": {"storage": "Adapter", "search": "Searching"}}, Step.MINOR, "own of the port search is new"),
        ({"provides": {"search": "Searching"}}, Step.MAJOR, "own of the port storage is gone"),
        (
            {"provides": {"storage": {"class": "Adapter", "name": "mine"}}},
            Step.MAJOR,
            "own of the port storage is gone",
        ),
        ({"requires": {"ai": ">=1,<2", "search": ">=1"}}, Step.MAJOR, "requires the port search"),
        (
            {"requires": {"ai": ">=1,<2", "search": {"version": ">=1", "optional": True}}},
            Step.MINOR,
            "can use the port",
        ),
        ({"requires": {"ai": ">=1,<3"}}, Step.PATCH, ""),
        ({"requires": {"ai": ">=2,<3"}}, Step.MAJOR, "other versions of the port ai"),
        ({"requires": {"ai": ">=1.1,<2"}}, Step.MAJOR, "other versions of the port ai"),
        ({"dependencies": {}}, Step.PATCH, ""),
        ({"dependencies": {"other": ">=2.0"}}, Step.MAJOR, "other versions of the plugin other"),
        ({"capabilities": {"network": ["a.example.org"], "process_exec": True}}, Step.MINOR, "capability process_exec"),
        ({"capabilities": {"network": True}}, Step.MINOR, "more of the capability network"),
        ({"capabilities": {}}, Step.PATCH, ""),
        ({"hotswap": {"min_version": "0.2.0"}}, Step.MAJOR, "needs hotswap 0.2.0"),
        ({"python": {"entry_point": "code", "python_version": ">=3.12"}}, Step.MAJOR, "needs Python >=3.12"),
        ({"python": {"entry_point": "code", "dependencies": ["attrs"]}}, Step.MAJOR, "distribution attrs"),
        ({"config": schema({"rate": RATE, "mode": MODE, "x": {}}, "rate")}, Step.MINOR, "setting x is new"),
        ({"config": schema({"rate": RATE, "mode": MODE, "x": {}}, "rate", "x")}, Step.MAJOR, "x is new and required"),
        ({"config": schema({"rate": RATE}, "rate")}, Step.MAJOR, "setting mode is gone"),
        ({"config": schema({"rate": RATE, "mode": MODE}, "rate", "mode")}, Step.MAJOR, "mode is required"),
        ({"config": schema({"rate": {"type": "integer", "minimum": 1}, "mode": MODE}, "rate")}, Step.MAJOR, "(type)"),
        ({"config": schema({"rate": {"type": "number", "minimum": 0}, "mode": MODE}, "rate")}, Step.MINOR, "(minimum)"),
        ({"config": schema({"rate": {"type": "number", "minimum": 2}, "mode": MODE}, "rate")}, Step.MAJOR, "(minimum)"),
        ({"config": schema({"rate": RATE, "mode": {"enum": ["a", "b", "c"]}}, "rate")}, Step.MINOR, "(enum)"),
        ({"config": schema({"rate": RATE, "mode": {"enum": ["a"]}}, "rate")}, Step.MAJOR, "(enum)"),
        ({"config": schema({"rate": {**RATE, "default": 2}, "mode": MODE}, "rate")}, Step.MINOR, "default of rate"),
        ({"config": schema({"rate": {**RATE, "description": "x"}, "mode": MODE}, "rate")}, Step.PATCH, ""),
        ({"config": settings(additionalProperties=False)}, Step.PATCH, ""),
        ({"config": settings(additionalProperties=True)}, Step.MINOR, "(additionalProperties)"),
        ({"config": settings(patternProperties={"^x-": {"type": "string"}})}, Step.MINOR, "take more"),
        (
            {"config": settings(maxProperties=1)},
            Step.MAJOR,
            "the settings take less, or something",
        ),
        ({"config": settings(minProperties=0, title="Settings")}, Step.MAJOR, "(minProperties)"),
        ({"config": settings(title="Settings")}, Step.PATCH, ""),
        ({"config": {**BASE["config"], "env_vars": {"rate": "OTHER"}}}, Step.MAJOR, "not read from RATE"),
    ],
)
def test_what_makes_a_step(tmp_path: Path, tables: dict[str, Any], step: Step, says: str) -> None:
    """Less than there was, or more that is wanted, is major; more that is offered is minor; the rest is a patch."""
    found = changes(manifest(tmp_path), manifest(tmp_path, **tables))
    assert step_wanted(found) is step, found
    assert says in (found[0].text if found else "")


CLOSED = {"additionalProperties": False}
NAMED = {"$ref": "#/$defs/named"}


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        (CLOSED, {}, Step.MINOR),
        ({"additionalProperties": True}, CLOSED, Step.MAJOR),
        ({"additionalProperties": {"type": "string"}}, CLOSED, Step.MAJOR),
        ({**CLOSED, "patternProperties": {"^x-": {}}}, CLOSED, Step.MAJOR),
        (CLOSED, {**CLOSED, "patternProperties": {"^x-": {}}}, Step.MINOR),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {}, Step.MINOR),
        ({"patternProperties": {"^x-": {}}}, {"patternProperties": {"^x-": {"type": "string"}}}, Step.MAJOR),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {"patternProperties": {"^x-": {}}}, Step.MINOR),
        (
            {"properties": {"n": NAMED}, "$defs": {"named": {"type": "string"}}},
            {"properties": {"n": NAMED}, "$defs": {"named": {"type": "integer"}}},
            Step.MAJOR,
        ),
        (
            {"properties": {"n": {"type": "array", "items": NAMED}}, "$defs": {"named": {"enum": [1, 2]}}},
            {"properties": {"n": {"type": "array", "items": NAMED}}, "$defs": {"named": {"enum": [1]}}},
            Step.MAJOR,
        ),
        (
            {"properties": {"n": NAMED}, "$defs": {"named": {"type": "string"}}},
            {"properties": {"n": {"type": "string"}}},
            Step.PATCH,
        ),
        (
            {"properties": {"n": NAMED}, "$defs": {"named": {"properties": {"inner": NAMED}}}},
            {"properties": {"n": NAMED}, "$defs": {"named": {"properties": {"inner": NAMED, "more": {}}}}},
            Step.MINOR,
        ),
    ],
)
def test_schemas_are_compared_as_a_whole(tmp_path: Path, old: dict[str, Any], new: dict[str, Any], step: Step) -> None:
    """What is said of all settings, of names by pattern, and behind a reference, counts like all else."""
    one, other = ({"config": {"schema": {"type": "object", **each}}} for each in (old, new))
    assert step_wanted(changes(manifest(tmp_path, **one), manifest(tmp_path, **other))) is step


def test_definitions_that_all_know_each_other_are_compared_in_time(tmp_path: Path) -> None:
    """Each reference is followed once, however many ways lead there."""
    names = [f"n{number}" for number in range(6)]
    table = {"properties": {name: {"$ref": f"#/$defs/{name}"} for name in names}}
    defs = dict.fromkeys(names, table)
    old, new = (
        {"config": {"schema": {"type": "object", **table, "$defs": {**defs, "n5": {"type": kind}}}}}
        for kind in ("string", "integer")
    )
    found = changes(manifest(tmp_path, **old), manifest(tmp_path, **new))
    assert step_wanted(found) is Step.MAJOR


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("1.2.3", "1.2.3", Step.NONE),
        ("1.2.3", "1.2.2", Step.NONE),
        ("1.2.3", "1.2.4", Step.PATCH),
        ("1.2.3", "1.3.0", Step.MINOR),
        ("1.2.3", "2.0.0", Step.MAJOR),
        ("0.2.3", "0.3.0", Step.MAJOR),
        ("0.2.3", "0.2.4", Step.PATCH),
        ("0.2.3", "1.0.0", Step.MAJOR),
    ],
)
def test_which_step_a_version_takes(old: str, new: str, step: Step) -> None:
    """Below 1.0.0 a minor step may break everything."""
    assert step_taken(Version(old), Version(new)) is step


@given(
    release=strategies.tuples(*[strategies.integers(0, 9)] * 3),
    step=strategies.sampled_from([Step.PATCH, Step.MINOR, Step.MAJOR]),
)
def test_the_least_version_takes_the_step(release: tuple[int, int, int], step: Step) -> None:
    """What is suggested would be accepted; below 1.0.0 a minor change is no more than a patch."""
    old = Version("{}.{}.{}".format(*release))
    taken = step_taken(old, Version(least_version(old, step)))
    assert taken >= step or (old.release[0] == 0 and step is Step.MINOR and taken is Step.PATCH)
