"""Reading ``plugin.toml``: what loads, and every way in which one can be wrong."""

from __future__ import annotations

import os
import random
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import ManifestInvalid
from hotswap.manifest import Capabilities, Dependency, Limits, Manifest, Provide, Require
from hotswap.manifest.reader import LARGEST_FILE, MOST_PROBLEMS, parse_manifest, read_manifest

DATA = Path(__file__).parents[1] / "data" / "manifests"
CASES: list[dict[str, Any]] = tomllib.loads((DATA / "bad.toml").read_text("utf-8"))["case"]
LEAST = (DATA / "least.toml").read_text("utf-8")


def test_the_least_manifest_has_every_default() -> None:
    """A manifest without optional keys asks for nothing, limits nothing and calls its provider by the plugin's id."""
    manifest = read_manifest(DATA / "least.toml")
    assert manifest.provides == (Provide("scraper", "PoliteScraper", "polite-scraper"),)
    assert manifest.version == Version("1.2.0")
    assert manifest.capabilities == Capabilities()
    assert manifest.limits == Limits()
    assert (manifest.activation, manifest.dialect, manifest.requires) == ("lazy", "hotswap", ())
    assert manifest.path == DATA / "least.toml"
    assert manifest.provides_port("scraper")
    assert not manifest.provides_port("storage")


def test_every_key_of_the_hotswap_dialect_arrives() -> None:
    """A manifest with every key loads, and each value is where the model says, as a value of its type."""
    manifest = read_manifest(DATA / "full.toml")
    assert manifest.raw_version == "2.1.0-rc.1+build.7"
    assert manifest.version == Version("2.1.0rc1+build.7")
    assert manifest.license == "Apache-2.0 OR MIT"
    assert manifest.activation == "eager"
    assert manifest.provides == (
        Provide("storage", "stores.HarbourStorage", "harbour-archive", exclusive=True),
        Provide("search", "TideSearch", "harbour-archive"),
        Provide("search", "LogSearch", "log-search"),
        Provide("formatter", "LedgerFormatter", "harbour-archive"),
    )
    assert manifest.requires == (
        Require("scraper", SpecifierSet(">=1,<2")),
        Require("ai", SpecifierSet("~=1.0"), optional=True, rebind="rebuild"),
        Require("workflow", SpecifierSet()),
    )
    assert manifest.dependencies == (
        Dependency("html-cleaner", SpecifierSet(">=2.0")),
        Dependency("tide-tables", SpecifierSet(">=0.3,!=0.4.1"), optional=True),
        Dependency("compass"),
    )
    assert manifest.conflicts == (Dependency("old-archive", SpecifierSet("<2")),)
    assert manifest.capabilities.network == ("api.example.org", "*.tides.example.org:8443")
    assert manifest.capabilities.file_system_read is True
    assert manifest.limits == Limits(256, 1.5, 30.0, 60, 600, 10_000)
    assert isinstance(manifest.limits.max_execution_seconds, float)
    assert manifest.config.env_vars == {"token": "HARBOUR_TOKEN", "tide.station": "HARBOUR_STATION"}
    assert isinstance(hash(manifest), int)


@pytest.mark.parametrize("name", ["full", "reasonkit"])
def test_no_key_of_a_full_manifest_is_lost(name: str) -> None:
    """Every text of the file is somewhere in the manifest, so no key is accepted and then dropped."""
    manifest = read_manifest(DATA / f"{name}.toml")
    shown = repr(attrs.asdict(manifest)).lower()
    document = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value] if isinstance(value, str) and value[0].isalpha() else []

    assert [text for text in texts(document) if repr(text)[1:-1].lower() not in shown] == []


def test_a_reasonkit_manifest_loads_as_it_stands() -> None:
    """The ReasonKit dialect is read: its host table, its types, addresses under [plugin], [build] and [test]."""
    manifest = read_manifest(DATA / "reasonkit.toml")
    assert manifest.dialect == "reasonkit"
    assert manifest.type == "data_source"
    assert manifest.host.max_version == Version("1.5.0")
    assert manifest.metadata.homepage == "https://river-gauge.example.org"
    assert manifest.rust is not None
    assert manifest.rust.crate_name == "river_gauge"
    assert manifest.build.pre_build == ("./before.sh",)
    assert manifest.test.benchmark == "cargo bench"


def test_a_manifest_without_python_code_loads() -> None:
    """A plugin in Rust that provides nothing to Python has ``python`` None."""
    text = LEAST.replace('[plugin.provides]\nscraper = "PoliteScraper"\n', "").replace(
        "[plugin.python]", "[plugin.rust]"
    )
    assert parse_manifest(text).python is None


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_wrong_manifest_is_refused_with_all_its_problems(case: dict[str, Any]) -> None:
    """All problems of a file come at once, each with its path and, for a name, the nearest known one."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(case["manifest"])
    assert list(caught.value.problems) == case["problems"]
    assert all(" @ $" in problem for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff\xfe", "not UTF-8: the byte at position 0 belongs to no character @ $"),
        (b"[plugin\n", "not TOML: Expected ']' at the end of a table declaration (at line 1, column 8) @ $"),
        (b"a = [" + b"[" * 100_000, "tables and lists are nested too deeply @ $"),
        (
            b"a = " + b"9" * 5000,
            "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits @ $",
        ),
        (b"#" * (LARGEST_FILE + 1), "more than 1024 KiB @ $"),
        (b"\n" + b"a." * 200_000, "a key of more than 40 parts (at line 2) @ $"),
        (b'x = {"a b"' + b".'c'" * 2000, "a key of more than 40 parts (at line 1) @ $"),
    ],
    ids=["bytes", "syntax", "deep", "digits", "large", "dotted", "quoted"],
)
def test_text_that_is_no_toml_is_refused(data: bytes, problem: str) -> None:
    """What cannot be TOML, or would take a reader hours, is one problem with a place and never a traceback."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(data, "x.toml")
    assert list(caught.value.problems) == [problem]
    assert "x.toml" in str(caught.value)


def test_a_byte_order_mark_is_no_mistake() -> None:
    """A file that an editor began with a byte order mark loads."""
    assert parse_manifest(b"\xef\xbb\xbf" + LEAST.encode()).id == "polite-scraper"


def test_many_dots_on_a_line_are_no_long_key() -> None:
    """A list of forty addresses on one line is read, although it has more dots than a key may."""
    hosts = ", ".join(f'"api{n}.example.org"' for n in range(60))
    manifest = parse_manifest(f"{LEAST}\n[plugin.capabilities]\nnetwork = [{hosts}]\n")
    assert isinstance(manifest.capabilities.network, tuple)
    assert len(manifest.capabilities.network) == 60


def test_a_file_that_cannot_be_read_is_a_manifest_error(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible name are reported like any other mistake."""
    for path, reason in [(tmp_path / "no.toml", "No such file"), (tmp_path, "directory"), (Path("a\0b"), "null byte")]:
        with pytest.raises(ManifestInvalid, match=reason):
            read_manifest(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_manifest(tmp_path: Path) -> None:
    """A named pipe called plugin.toml is refused at once, where opening it would wait for ever."""
    os.mkfifo(tmp_path / "plugin.toml")
    with pytest.raises(ManifestInvalid, match="not an ordinary file"):
        read_manifest(tmp_path / "plugin.toml")


def test_a_flood_of_problems_is_cut() -> None:
    """A file with a hundred thousand mistakes is refused at once, with the first of them."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest("".join(f"key{n} = 1\n" for n in range(50_000)))
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert caught.value.problems[-1] == "more than 50 problems: the rest is not listed @ $"


def test_long_values_are_cut_in_errors() -> None:
    """A sentence repeats at most sixty characters of what the file says."""
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(LEAST.replace('"scraper"', f'"{"x" * 5000}"') + f"{'k' * 5000} = 1\n")
    assert all(len(problem) < 400 for problem in caught.value.problems)


ODD: tuple[Any, ...] = (
    1,
    1.5,
    True,
    "",
    "a",
    "../x",
    [],
    {},
    [1],
    ["a"],
    {"a": 1},
    {"class": "A"},
    [[]],
    "\x00",
    2**70,
)


def _mutated(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.04:
        return dice.choice(ODD)
    if isinstance(value, dict):
        changed = {key: _mutated(each, dice) for key, each in value.items() if dice.random() > 0.02}
        return {**changed, "odd key": 1} if dice.random() < 0.02 else changed
    return [_mutated(each, dice) for each in value] if isinstance(value, list) else value


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\u{ord(each):04x}" for each in value) + '"'
    return str(value).lower()


def test_no_mistake_escapes_as_another_error() -> None:
    """A thousand manifests with random values in random places load or are refused; nothing else ever happens."""
    dice = random.Random(20240229)
    documents = [tomllib.loads((DATA / f"{name}.toml").read_text("utf-8")) for name in ("full", "reasonkit")]
    outcomes = set()
    for n in range(1000):
        document = {key: _mutated(value, dice) for key, value in documents[n % 2].items()}
        text = "".join(f"{_toml(key)} = {_toml(value)}\n" for key, value in document.items())
        try:
            outcomes.add(type(parse_manifest(text)))
        except ManifestInvalid:
            outcomes.add(ManifestInvalid)
    assert outcomes == {Manifest, ManifestInvalid}
