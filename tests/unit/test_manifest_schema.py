"""The shipped JSON Schema, the reference page and the model say the same as the rules."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import attrs
import jsonschema_rs
import pytest

from hotswap.manifest import model, rules
from hotswap.manifest.kinds import Table
from hotswap.manifest.schema import files, main, manifest_schema

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "manifests"
CASES: list[dict[str, Any]] = tomllib.loads((DATA / "bad.toml").read_text("utf-8"))["case"]
VALIDATOR = jsonschema_rs.validator_for(manifest_schema())


def _json(document: dict[str, Any]) -> Any:
    return json.loads(json.dumps(document, default=str))


@pytest.mark.parametrize("path", files(), ids=str)
def test_the_generated_files_are_up_to_date(path: Path) -> None:
    """What is shipped is what the rules say now (`python -m hotswap.manifest.schema --write` brings it up to date)."""
    assert (ROOT / path).read_text("utf-8") == files()[path]


@pytest.mark.parametrize("name", ["least", "full", "reasonkit"])
def test_the_schema_takes_every_good_manifest(name: str) -> None:
    """An editor that follows the schema marks nothing in a manifest that the reader takes."""
    document = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(_json(document))] == []


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_schema_refuses_what_it_can_know(case: dict[str, Any]) -> None:
    """An editor marks each wrong manifest, but for those where only the reader can know."""
    assert VALIDATOR.is_valid(_json(tomllib.loads(case["manifest"]))) is not case["schema"]


@pytest.mark.parametrize(
    ("table", "cls", "elsewhere"),
    [
        (rules.HOST_RANGE, model.HostRange, set()),
        (rules.PROVIDE, model.Provide, {"port"}),
        (rules.REQUIRE, model.Require, {"port"}),
        (rules.DEPENDENCY, model.Dependency, {"id"}),
        (rules.CAPABILITIES, model.Capabilities, set()),
        (rules.LIMITS, model.Limits, set()),
        (rules.PYTHON, model.PythonCode, set()),
        (rules.RUST, model.RustCode, set()),
        (rules.CONFIG, model.ConfigSpec, set()),
        (rules.METADATA, model.Metadata, set()),
        (rules.BUILD, model.Build, set()),
        (rules.TEST, model.TestCommands, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_rules_and_the_model_have_the_same_keys_and_defaults(table: Table, cls: Any, elsewhere: set[str]) -> None:
    """No key is without a field, no field without a key, and a default is the same in both."""
    renamed = {"class": "class_name"} if cls is model.Provide else {"version": "specifier"}
    if cls in (model.HostRange, model.PythonCode):
        renamed = {}
    keys = {renamed.get(key.name, key.name): key for key in table.keys}
    fields = {each.name: each for each in attrs.fields(cls)}
    assert set(keys) | elsewhere == set(fields)
    for name, key in keys.items():
        default = fields[name].default
        assert key.required is (default is attrs.NOTHING) or (cls, name) == (model.Provide, "name")
        if not key.required and not isinstance(default, attrs.Factory) and default is not attrs.NOTHING:  # type: ignore[arg-type]
            assert key.default == default


def test_a_key_of_the_plugin_is_a_field_of_the_manifest() -> None:
    """Every key under [plugin] is a field of `Manifest`, or is known to go elsewhere."""
    moved = {
        "hotswap": "host",
        "reasonkit": "host",
        **dict.fromkeys(("homepage", "repository", "documentation"), "metadata"),
    }
    keys = {moved.get(key.name, key.name) for key in (*rules.PLUGIN.keys, *rules.MANIFEST.keys)} - {"plugin"}
    derived = {"raw_version", "dialect", "path"}
    assert keys | derived == {each.name for each in attrs.fields(model.Manifest)}


def test_the_reference_page_has_every_key() -> None:
    """Each key of each table stands on the page."""
    page = (ROOT / "docs/reference/manifest.md").read_text("utf-8")
    for heading, table in rules.SECTIONS:
        assert f"## `{heading}`" in page
        for key in table.keys if isinstance(table, Table) else ():
            assert f"| `{key.name}` |" in page


def test_the_generator_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --write both files are made below the folder; without it the schema is printed."""
    assert main(["--write"], tmp_path) == 0
    assert all((tmp_path / path).read_text("utf-8") == text for path, text in files().items())
    capsys.readouterr()
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out) == manifest_schema()


def test_the_manifest_package_is_light() -> None:
    """Importing the model, the rules and the settings of plugins loads neither cattrs nor jsonschema-rs."""
    code = (
        "import sys, hotswap.manifest, hotswap.config, hotswap.manifest.codec;"
        "print([m for m in ('cattrs', 'jsonschema_rs', 'hotswap.manifest.reader') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
