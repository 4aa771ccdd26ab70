"""Every error has a code of its own, is documented, and is reached by a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotswap.error_reference import markdown
from hotswap.errors import HotswapError, error_classes
from hotswap_ports import PortError

ROOT = Path(__file__).parents[2]


def below(cls: type) -> Iterator[type]:
    """Yield all classes below ``cls``."""
    for each in cls.__subclasses__():
        yield each
        yield from below(each)


def own(base: type) -> list[type]:
    """Return the error classes below ``base`` that this project defines."""
    return [each for each in below(base) if each.__module__.partition(".")[0] in {"hotswap", "hotswap_ports"}]


@pytest.mark.parametrize("base", [HotswapError, PortError])
def test_codes_are_unique(base: type) -> None:
    """No two errors share a code."""
    codes = [each.__dict__["code"] for each in own(base)]
    assert len(set(codes)) == len(codes)


def test_the_reference_is_what_the_code_says() -> None:
    """docs/reference/errors.md is up to date: `python -m hotswap.error_reference > docs/reference/errors.md`."""
    assert (ROOT / "docs/reference/errors.md").read_text("utf-8") == markdown()


@pytest.mark.parametrize("name", sorted(each.__name__ for each in error_classes().values()))
def test_an_error_is_reached_by_a_test(name: str) -> None:
    """Each error of the kernel stands in a test that expects it."""
    expected = re.compile(rf"\b{name}\b|\b{ {c.__name__: c.code for c in error_classes().values()}[name] }\b")
    here = Path(__file__)
    tests = [each for each in (ROOT / "tests").rglob("*") if each.suffix in {".py", ".toml", ".json"} and each != here]
    assert any(expected.search(each.read_text("utf-8")) for each in tests)
