"""A plugin whose adapters are there already: by it a kernel is served by what a test holds in its hands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hotswap_ports import Port

PLUGIN = "test-mocks"
"""Its id, and the name of its providers."""
_MANIFEST = """\
[plugin]
id = "{plugin}"
name = "What the test has given"
version = "1.0.0"
type = "bundle"
activation = "eager"
hotswap = {{ min_version = "0.1.0" }}
python = {{ entry_point = "__init__.py" }}

[plugin.provides]
"""
_CODE = """\
from hotswap.testing.served import CLASSES

globals().update(CLASSES[{folder!r}])
"""
CLASSES: dict[str, Mapping[str, type]] = {}
"""By the folder of such a plugin, its classes."""


@contextmanager
def served(adapters: Mapping[type[Port], Port], folder: Path) -> Iterator[Path]:
    """Write a plugin that provides ``adapters`` into an empty folder; it can be opened while the block lasts."""
    classes = {f"Adapter{number}": _class_of(each) for number, each in enumerate(adapters.values())}
    provides = [f"{json.dumps(port.PORT)} = {json.dumps(name)}" for port, name in zip(adapters, classes, strict=True)]
    (folder / "plugin.toml").write_text(_MANIFEST.format(plugin=PLUGIN) + "\n".join(provides) + "\n", "utf-8")
    (folder / "__init__.py").write_text(_CODE.format(folder=str(folder)), "utf-8")
    CLASSES[str(folder)] = classes
    try:
        yield folder
    finally:
        del CLASSES[str(folder)]


def _class_of(adapter: Port) -> type:
    """Return a class whose one instance is ``adapter``."""
    cls: Any = type(adapter)
    made: type = type(cls.__name__, (cls,), {"__new__": lambda _: adapter, "__init__": lambda self: None})
    return made
