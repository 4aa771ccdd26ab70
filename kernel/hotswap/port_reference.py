"""The reference of the ports, written from their code: ``docs/reference/ports.md``.

``python -m hotswap.port_reference > docs/reference/ports.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import attrs

import hotswap_ports
from hotswap_ports import Port, is_port
from hotswap_ports.methods import port_methods

_HEAD = """# Ports

What an application asks the kernel for. All methods are `async`; requests and answers are frozen values. What a port
raises is listed with each method and in [errors](errors.md).

<!-- Generated: python -m hotswap.port_reference > docs/reference/ports.md -->
"""


def markdown() -> str:
    """Return the page."""
    own = [getattr(hotswap_ports, name) for name in hotswap_ports.__all__]
    ports = sorted((each for each in own if is_port(each)), key=lambda each: str(each.PORT))
    return "\n".join([_HEAD, *(line for port in ports for line in _port(port))]) + "\n"


def _port(port: type[Port]) -> Iterator[str]:
    yield f"## `{port.PORT}`: {port.__name__} {port.VERSION}\n"
    yield f"{_text(port)}\n"
    if port.READS:
        yield f"Change nothing: {', '.join(f'`{each}`' for each in sorted(port.READS))}.\n"
    for method in port_methods(port):
        keyword = "def" if method.kind == "stream" else "async def"
        yield f"### `{port.__name__}.{method.name}`\n"
        yield f"```python\n{keyword} {method.name}{_signature(method.function)}\n```\n"
        yield f"{_text(method.function)}\n"
    yield f"### Values of `{port.PORT}`\n"
    module = sys.modules[port.__module__]
    for value in vars(module).values():
        if isinstance(value, type) and attrs.has(value) and value.__module__ == module.__name__:
            yield from _value(value)


def _signature(function: object) -> str:
    text = str(inspect.signature(function))  # type: ignore[arg-type] # a function, as port_methods found it
    return text.replace("'", "").replace("(self, ", "(").replace("(self)", "()")


def _text(documented: object) -> str:
    doc = inspect.getdoc(documented) or ""
    paragraphs = []
    for block in doc.replace("``", "`").split("\n\n"):
        title, _, rest = block.partition("\n")
        if title.startswith(("Raises", "Args")) and title.endswith(":"):
            items = "\n".join(f"- {line.strip()}" for line in _joined(rest))
            paragraphs.append(f"{title}\n\n{items}")
        else:
            paragraphs.append(" ".join(block.split()))
    return "\n\n".join(paragraphs)


def _joined(block: str) -> list[str]:
    """Return a docstring's indented items, each on one line."""
    found: list[str] = []
    for line in block.splitlines():
        if line.startswith("        ") and found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    return found


def _value(cls: type) -> Iterator[str]:
    yield f"#### `{cls.__name__}`\n"
    yield f"{_text(cls)}\n"
    notes = _attribute_docs(cls)
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for each in attrs.fields(cls):
        kind = str(each.type).replace("|", "&#124;")
        lines.append(f"| `{each.name}` | `{kind}` | {_default(each)} | {notes.get(each.name, '')} |")
    yield "\n".join(lines) + "\n"


def _default(field: attrs.Attribute[object]) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type] # a class at run time, a function to mypy
        default = default.factory() or "empty"
        return default if isinstance(default, str) else f"`{default!r}`"
    if isinstance(default, frozenset):
        return ", ".join(f"`{each}`" for each in sorted(map(str, default))) or "empty"
    return f"`{default!r}`".replace("|", "&#124;")


def _attribute_docs(cls: type) -> dict[str, str]:
    """Return the texts that stand below a class's fields."""
    import ast

    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for here, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name) and isinstance(below, ast.Expr):
            text = ast.literal_eval(below.value)
            found[here.target.id] = " ".join(str(text).split()).replace("``", "`").replace("|", "&#124;")
    return found


if __name__ == "__main__":
    print(markdown(), end="")
