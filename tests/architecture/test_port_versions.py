"""A port's shape changes with its version: ``tests/data/ports`` holds what each version looks like."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from packaging.version import Version

import hotswap_ports
from hotswap.handles import port_attributes
from hotswap_ports import Port, is_port
from hotswap_ports.methods import port_methods

FOLDER = Path(__file__).parents[1] / "data" / "ports"
NAMED = [getattr(hotswap_ports, name) for name in hotswap_ports.__all__]
PORTS: list[type[Port]] = sorted(filter(is_port, NAMED), key=lambda port: port.PORT)


def shape(port: type[Port]) -> list[str]:
    """Describe everything of a port that its callers and adapters count on, a line each, sorted."""
    lines = [f"reads {name}" for name in port.READS]
    lines += [f"{each.kind} {each.name}{each.signature}" for each in port_methods(port)]
    hints: dict[str, Any] = {}
    for each in reversed(port.__mro__[: port.__mro__.index(Port)]):
        hints |= each.__annotations__
    lines += [f"attribute {name}: {hints.get(name, 'Any')}" for name in port_attributes(port)]
    for value in sorted(_values(port), key=lambda cls: cls.__name__):
        lines += [f"value {value.__name__}.{line}" for line in _fields(value)]
    return sorted(lines)


def _values(port: type[Port]) -> set[type]:
    """Return the attrs classes that a port's signatures lead to."""
    found: set[type] = set()
    todo: list[Any] = [port.features] if not isinstance(port.__dict__.get("features"), property) else []
    for method in port_methods(port):
        todo += inspect.get_annotations(method.function, eval_str=True).values()
    while todo:
        each = todo.pop()
        cls = each if isinstance(each, type) else type(each) if attrs.has(type(each)) else None
        if cls is not None and attrs.has(cls) and cls not in found:
            found.add(cls)
            todo += inspect.get_annotations(cls, eval_str=True).values()
        todo += get_args(each)
    return found


def _fields(value: type) -> Iterator[str]:
    for each in attrs.fields(value):
        default = ""
        if each.default is not attrs.NOTHING:
            default = " = ..." if hasattr(each.default, "factory") else f" = {_steady(each.default)}"
        yield f"{each.name}: {each.type}{default}"


def _steady(value: Any) -> str:
    """Return a representation that is the same in every process: sets have no order."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    if attrs.has(type(value)):
        names = [each.name for each in attrs.fields(type(value))]
        return f"{type(value).__name__}({', '.join(f'{name}={_steady(getattr(value, name))}' for name in names)})"
    return repr(value)


def write() -> None:
    """Write the shapes as they are now; refuses where a version did not move on."""
    FOLDER.mkdir(exist_ok=True)
    for port in PORTS:
        path = FOLDER / f"{port.PORT}.txt"
        if path.is_file():
            problem = problem_of(port, path.read_text("utf-8").splitlines())
            if problem and "run this file" not in problem:
                raise SystemExit(problem)
        path.write_text("\n".join([port.VERSION, *shape(port)]) + "\n", "utf-8")


def problem_of(port: type[Port], known: list[str]) -> str:
    """Return what is wrong between a port and what is known of it; empty when nothing is."""
    version, before = known[0], set(known[1:])
    now = set(shape(port))
    if now == before:
        return "" if version == port.VERSION else f"{port.PORT}: only its version changed; run this file"
    old, new = Version(version), Version(port.VERSION)
    gone, come = before - now, now - before
    enough = new.major > old.major if gone else (new.major, new.minor) > (old.major, old.minor)
    if not enough:
        changed = "\n  ".join([*(f"- {each}" for each in sorted(gone)), *(f"+ {each}" for each in sorted(come))])
        step = "major" if gone else "minor"
        return f"{port.PORT} {port.VERSION} is a {step} step from {version}: raise Port.VERSION.\n  {changed}"
    return f"{port.PORT}: its version moved on; run this file to write its shape down"


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.PORT)
def test_a_port_keeps_its_shape_or_changes_its_version(port: type[Port]) -> None:
    """What is gone or different is a major step, what is new a minor one; ``python FILE`` writes shapes down."""
    known = (FOLDER / f"{port.PORT}.txt").read_text("utf-8").splitlines()
    assert problem_of(port, known) == ""


def test_a_changed_shape_is_noticed() -> None:
    """The check can fail: a line less is a major step, a line more a minor one."""
    port = PORTS[0]
    known = [port.VERSION, *shape(port)]
    assert problem_of(port, known) == ""
    assert "is a major step" in problem_of(port, [*known, "async gone(self)"])
    assert "is a minor step" in problem_of(port, known[:-1])


if __name__ == "__main__":
    sys.exit(write())
