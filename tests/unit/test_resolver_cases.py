"""The cases in ``tests/data/resolver``: a catalog, what is wanted, and what comes of it, each with its sentence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hotswap.errors import HotswapError
from hotswap.manifest import Dependency, HostRange, Manifest, Provide, PythonCode, Require
from hotswap.resolver import Request, Solution, resolve, verify

CASES = sorted((Path(__file__).parent.parent / "data" / "resolver").glob("*.toml"))


def _lines(lines: list[str], word: str) -> Iterator[tuple[str, SpecifierSet]]:
    for line in lines:
        if line.split()[0] == word:
            parsed = Requirement(line.removeprefix(word))
            yield parsed.name, parsed.specifier


def _manifest(title: str, lines: list[str]) -> Manifest:
    plugin, version = title.split()
    words = [line.split() for line in lines]
    host = next((each[1:] for each in words if each[0] == "host"), ["0.1.0"])
    python = next((specifier for line in lines for specifier in _python(line)), SpecifierSet())
    needs = tuple(line.removeprefix("python-needs ") for line in lines if line.startswith("python-needs "))
    required = [Dependency(each, specifier) for each, specifier in _lines(lines, "depends")]
    optional = [Dependency(each, specifier, optional=True) for each, specifier in _lines(lines, "maybe")]
    ports = [Require(each, specifier) for each, specifier in _lines(lines, "requires")]
    liked = [Require(each, specifier, optional=True) for each, specifier in _lines(lines, "likes")]
    return Manifest(
        id=plugin,
        name=plugin,
        version=Version(version),
        raw_version=version,
        type="utility",
        host=HostRange(Version(host[0]), Version(host[1]) if host[1:] else None),
        python=PythonCode("m", python_version=python, dependencies=needs),
        provides=tuple(
            Provide(each[1], "Class", each[3] if each[2:] else plugin) for each in words if each[0] == "provides"
        ),
        requires=(*ports, *liked),
        dependencies=(*required, *optional),
        conflicts=tuple(Dependency(each, specifier) for each, specifier in _lines(lines, "conflicts")),
    )


def _python(line: str) -> Iterator[SpecifierSet]:
    if line.startswith("python "):
        yield SpecifierSet(line.removeprefix("python "))


def request_of(case: dict[str, Any]) -> Request:
    """Return the request that a case describes."""
    catalog: dict[str, list[Manifest]] = {}
    for title, lines in case["catalog"].items():
        manifest = _manifest(title, lines)
        catalog.setdefault(manifest.id, []).append(manifest)
    return Request(
        versions=catalog,
        wanted={each: SpecifierSet(text) for each, text in case["wanted"].items()},
        ports={"storage": Version("1.2"), "search": Version("2.0")},
        hosts={"hotswap": Version("1.0.0")},
        python=Version("3.11.7"),
        distributions={"there": Version("2.0")}.get,
        selected={port: tuple(names) for port, names in case.get("selected", {}).items()},
        locked={each: Version(text) for each, text in case.get("locked", {}).items()},
        active={each: Version(text) for each, text in case.get("active", {}).items()},
        excluded=frozenset(case.get("excluded", ())),
    )


@pytest.mark.parametrize("path", CASES, ids=lambda each: each.stem)
def test_case(path: Path) -> None:
    """Each file's own sentence holds, whatever order its tables are in."""
    case = tomllib.loads(path.read_text())
    request = request_of(case)
    backwards = evolve(
        request,
        versions={each: request.versions[each][::-1] for each in reversed(list(request.versions))},
        wanted=dict(reversed(list(request.wanted.items()))),
    )
    for each in (request, backwards):
        if "error" in case["expect"]:
            _refused(each, case["expect"])
        else:
            _solved(each, case["expect"])


def _solved(request: Request, expect: dict[str, Any]) -> None:
    solution = resolve(request)
    assert [f"{each.id} {_raw(request, each.id, each.version)}" for each in solution.plugins] == expect["order"]
    ports = {f"{each.id}.{port}": filler or "" for each in solution.plugins for port, filler in each.ports.items()}
    assert expect.get("ports", {}).items() <= ports.items()
    assert expect.get("reasons", {}).items() <= {each.id: each.reason for each in solution.plugins}.items()
    assert verify(request, solution.versions()) == []
    assert resolve(request, solution) == solution
    again = resolve(evolve(request, locked=solution.versions()))
    assert isinstance(again, Solution)
    assert again.versions() == solution.versions()


def _raw(request: Request, plugin: str, version: Version) -> str:
    return next(each.raw_version for each in request.versions[plugin] if each.version == version)


def _refused(request: Request, expect: dict[str, Any]) -> None:
    with pytest.raises(HotswapError) as caught:
        resolve(request)
    error = caught.value
    assert type(error).__name__ == expect["error"]
    for fragment in expect.get("text", ()):
        assert fragment in str(error)
    for fragment in expect.get("hint", ()):
        assert fragment in error.hint


def test_there_are_forty_cases() -> None:
    """The cases are at least forty, and each says in a sentence what it proves."""
    assert len(CASES) >= 40
    assert all(tomllib.loads(each.read_text())["says"].endswith(".") for each in CASES)
