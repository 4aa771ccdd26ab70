"""The reference of the test kit, written from its code: ``docs/reference/testing.md``.

``python -m hotswap.testing_reference > docs/reference/testing.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import hotswap.testing as kit
import hotswap_ports.testing as parts
from hotswap.port_reference import signature_of, text_of
from hotswap.testing import pytest_plugin

_HEAD = """# The test kit

What `pip install "hotswap[testing]"` gives those who write plugins and adapters.
[The tutorial](../tutorial-plugin.md) uses it step by step.

| from | there is |
|---|---|
| pytest, by itself | the fixtures and the marker below |
| `hotswap.testing` | a plugin alone: `PluginHarness`; `check`, `within`, `matching` |
| `hotswap_ports.testing` | mocks, cassettes, twins in memory, contract suites: without a kernel |
| `hotswap plugin test` | the plugin's tests, which contracts it keeps, and what of its code was run |

<!-- Generated: python -m hotswap.testing_reference > docs/reference/testing.md -->
"""
_PYTEST = """## In pytest

The plugin under test is the one that the marker names, or `hotswap_plugin` in pytest's configuration, or the
`plugin.toml` nearest above the test. Async tests and fixtures need anyio's plugin (`anyio_mode = auto` and a fixture
`anyio_backend` that returns `"asyncio"`) or pytest-asyncio (`asyncio_mode = auto`).

`@pytest.mark.hotswap(...)` takes the plugin and what `PluginHarness` takes, for the fixtures `harness` and `kernel`; of
two markers around a test the nearest outweighs. `--hotswap-report FILE` writes which contracts were kept, as JSON.
"""


def markdown() -> str:
    """Return the page."""
    lines = [_HEAD, _PYTEST, *_fixtures(), "## A plugin alone\n"]
    for name in ("PluginHarness", "Run"):
        lines += _class(getattr(kit, name))
    lines.append("## Assertions\n")
    for name in ("check", "within", "matching"):
        lines += _function(getattr(kit, name))
    lines.append("## Mocks\n")
    for cls in (parts.Mock, parts.Rule, parts.Call):
        lines += _class(cls)
    lines += _function(parts.mock_of)
    lines += _table("mock", "Mock", "what its patterns and texts are")
    lines.append("## Cassettes\n")
    for part in (parts.record, parts.replay):
        lines += _function(part)
    lines += _class(parts.NotRecorded)
    lines.append("## Twins\n")
    lines += _table("twin", "Memory", "what it does")
    lines.append("## Contract suites\n")
    lines.append("A class of tests inherits one, and supplies its fixtures.\n")
    lines += _table("suite", "", "what it wants", "Contract")
    return "\n".join(lines) + "\n"


def _fixtures() -> Iterator[str]:
    yield "| fixture | what it is |\n|---|---|"
    for name in (
        "hotswap_plugin",
        "harness",
        "kernel",
        *(each for each in vars(pytest_plugin) if each.startswith("mock_")),
    ):
        yield f"| `{name}` | {_line(getattr(pytest_plugin, name))} |"
    yield ""


def _class(cls: type) -> Iterator[str]:
    yield f"### `{cls.__name__}`\n"
    if "__init__" in vars(cls) and cls.__module__.startswith("hotswap.testing"):
        yield f"```python\n{cls.__name__}{signature_of(vars(cls)['__init__'])}\n```\n"
    yield f"{text_of(cls)}\n"
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else member
        if isinstance(function, FunctionType) and not name.startswith("_") and inspect.getdoc(function):
            yield from _member(cls.__name__, name, function, is_property=isinstance(member, property))


def _member(owner: str, name: str, function: FunctionType, *, is_property: bool) -> Iterator[str]:
    keyword = "async def" if inspect.iscoroutinefunction(function) else "def"
    yield f"#### `{owner}.{name}`\n"
    if not is_property:
        yield f"```python\n{keyword} {name}{signature_of(function)}\n```\n"
    yield f"{text_of(function)}\n"


def _function(function: Any) -> Iterator[str]:
    yield f"### `{function.__name__}`\n"
    yield f"```python\n{function.__name__}{signature_of(inspect.unwrap(function))}\n```\n"
    yield f"{text_of(function)}\n"


def _table(what: str, prefix: str, meaning: str, suffix: str = "") -> Iterator[str]:
    yield f"| {what} | {meaning} |\n|---|---|"
    for name in parts.__all__:
        if name.startswith(prefix) and name.endswith(suffix) and name != prefix:
            yield f"| `{name}` | {_line(getattr(parts, name))} |"
    yield ""


def _line(documented: object) -> str:
    """Return the docstring of something as one line of a table."""
    return " ".join(text_of(documented).split()).replace("|", "&#124;")


if __name__ == "__main__":
    print(markdown(), end="")
