"""The catalog's cached form of a manifest: it comes back equal, or is refused."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from hotswap.manifest import Manifest
from hotswap.manifest.codec import from_data, to_data
from hotswap.manifest.reader import parse_manifest, read_manifest

DATA = Path(__file__).parents[1] / "data" / "manifests"


@pytest.mark.parametrize("name", ["least", "full", "reasonkit"])
def test_a_manifest_comes_back_equal(name: str) -> None:
    """A manifest survives being written as JSON and read, in every field."""
    manifest = read_manifest(DATA / f"{name}.toml")
    again = from_data(json.loads(json.dumps(to_data(manifest))))
    assert again == manifest
    assert repr(again) == repr(manifest)


def test_a_manifest_without_a_path_comes_back_without_one() -> None:
    """A manifest that was parsed from a text has no path, before and after."""
    manifest = parse_manifest((DATA / "least.toml").read_text("utf-8"))
    assert from_data(to_data(manifest)).path is None


def test_equal_versions_share_one_object() -> None:
    """Two plugins of one version hold the same parsed version, so a large catalog parses few."""
    data = to_data(read_manifest(DATA / "least.toml"))
    assert from_data(data).version is from_data(data).version


ODD: tuple[Any, ...] = (None, 1, 1.5, True, "", "x", [], {}, [1], ["x"], [[]], {"x": []})


def _spoilt(data: Any, dice: random.Random) -> Any:
    if isinstance(data, list) and data and dice.random() < 0.9:
        at = dice.randrange(len(data))
        changed = copy.copy(data)
        changed[at] = _spoilt(data[at], dice)
        return changed[: dice.randrange(len(data))] if dice.random() < 0.1 else changed
    return dice.choice(ODD)


@pytest.mark.parametrize("name", ["least", "full", "reasonkit"])
def test_data_of_an_odd_shape_is_a_value_error(name: str) -> None:
    """Whatever is changed in the cached data, it is read as a manifest with fields of the right types, or refused."""
    dice = random.Random(7)
    data = to_data(read_manifest(DATA / f"{name}.toml"))
    refused = 0
    for _ in range(2000):
        try:
            manifest = from_data(_spoilt(data, dice))
        except ValueError:
            refused += 1
            continue
        assert isinstance(manifest, Manifest)
        texts = (manifest.id, manifest.name, manifest.author, *(each.name for each in manifest.provides))
        assert all(isinstance(text, str) for text in texts)
        assert all(isinstance(each.optional, bool) for each in (*manifest.requires, *manifest.dependencies))
    assert refused > 500


@pytest.mark.parametrize("data", [None, 3, "x", [], {}, [0] * 15, ["x"] * 15, b"x"])
def test_other_data_is_a_value_error(data: Any) -> None:
    """What is no cached manifest at all, or one of another format, is refused."""
    with pytest.raises(ValueError):
        from_data(data)
