"""What is public is a file under review: ``tests/data/public_api.txt``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hotswap
import hotswap_ports
from hotswap import port_reference, testing_reference
from hotswap.hook_points import Points

SNAPSHOT = Path(__file__).parents[1] / "data" / "public_api.txt"
PAGES = Path(__file__).parents[2] / "docs" / "reference"


def lines(module: ModuleType) -> Iterator[str]:
    """Describe a module's public names, a line each."""
    for name in sorted(module.__all__):
        value = getattr(module, name)
        if isinstance(value, type):
            yield f"class {module.__name__}.{name}{_signature(value)}"
            yield from (f"    {each}" for each in _members(value))
        elif callable(value):
            yield f"def {module.__name__}.{name}{_signature(value)}"
        else:
            yield f"{module.__name__}.{name}"


def _signature(value: object) -> str:
    try:
        return _steady(str(inspect.signature(value)))  # type: ignore[arg-type] # a class or function; ValueError says it is not
    except ValueError:
        return ""


def _steady(signature: str) -> str:
    """Put the members of a frozenset in a signature in order: Python prints them in another one each time."""
    return re.sub(r"\{([^{}]*)\}", lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", signature)


def _members(cls: type) -> Iterator[str]:
    for name, member in sorted(vars(cls).items()):
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            yield f"{name}{inspect.signature(member)}"
        elif isinstance(member, property | classmethod | staticmethod):
            yield name


def test_the_public_api_is_the_one_that_was_reviewed() -> None:
    """A change of the public API changes the snapshot: run this file to write it anew, and review the difference."""
    assert SNAPSHOT.read_text("utf-8").splitlines() == [*lines(hotswap), *lines(hotswap_ports)]


def test_all_is_sorted_and_true() -> None:
    """__all__ is sorted and every name in it is there."""
    for module in (hotswap, hotswap_ports):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)


def test_the_reference_of_the_ports_is_what_the_code_says() -> None:
    """docs/reference/ports.md is up to date: `python -m hotswap.port_reference > docs/reference/ports.md`."""
    assert (PAGES / "ports.md").read_text("utf-8") == port_reference.markdown()


def test_the_reference_of_the_test_kit_is_what_the_code_says() -> None:
    """docs/reference/testing.md is up to date: `python -m hotswap.testing_reference > docs/reference/testing.md`."""
    assert (PAGES / "testing.md").read_text("utf-8") == testing_reference.markdown()


def test_the_page_on_hooks_names_every_point() -> None:
    """docs/reference/hooks.md has every hook point with a name of its own, and names none that is not there."""
    names = {each for each in Points({"ai": ["complete"], "storage": ["get", "put"]}).names if "." not in each}
    written = set(re.findall(r"`((?:pre|post|on)_[a-z_]+)`", (PAGES / "hooks.md").read_text("utf-8")))
    assert written == names


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join([*lines(hotswap), *lines(hotswap_ports)]) + "\n", "utf-8")
