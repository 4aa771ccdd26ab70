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


@pytest.mark.parametrize("error", error_classes().values(), ids=lambda each: each.__name__)
def test_an_error_is_reached_by_a_test(error: type[HotswapError]) -> None:
    """Each error of the kernel is expected by a test: raised, looked for by its code, or named in a case's data."""
    name = error.__name__
    raised = re.compile(rf"raises\(\s*\(?[\w\s,.]*\b{name}\b|isinstance\([^)]*\b{name}\b|\b{error.code}\b")
    named = re.compile(rf"[\"'= ]{name}\b")
    here = Path(__file__)
    code = [each for each in (ROOT / "tests").rglob("*.py") if each != here]
    data = [each for each in (ROOT / "tests" / "data").rglob("*") if each.suffix in {".toml", ".json"}]
    assert any(raised.search(each.read_text("utf-8")) for each in code) or any(
        named.search(each.read_text("utf-8")) for each in data
    )
