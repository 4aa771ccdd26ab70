"""Which files of a plugin's folder are its own code, and not its tests, its scripts or what lies there besides."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_BESIDES = frozenset(
    {"bench", "benchmarks", "bin", "build", "dist", "doc", "docs", "example", "examples", "node_modules", "scripts"}
    | {"test", "tests", "testing", "tools"}
)
"""Folders that hold something else than a plugin's code, wherever they lie."""


def own_code(folder: Path, entry_point: str, *, is_package: bool) -> list[Path]:
    """Return the files of a plugin.

    All of a package. Of a plain folder, what is in its folders, and beside its manifest what the entry point leads to:
    there lie scripts too.

    Args:
        folder: around its ``plugin.toml``.
        entry_point: as the manifest has it.
        is_package: whether a distribution names the folder.
    """
    files = [each for each in sorted(_below(folder)) if not _is_test(each)]
    if is_package:
        return files
    top = {each.stem: each for each in files if each.parent == folder}
    reached: dict[str, None] = {}
    waiting = [*_names(entry_point), "__init__", *_imported(each for each in files if each.parent != folder)]
    while waiting:
        name = waiting.pop()
        if name in top and name not in reached:
            reached[name] = None
            waiting += _imported([top[name]])
    return [each for each in files if each.parent != folder or each.stem in reached]


def others(folder: Path, own: list[Path]) -> list[str]:
    """Return what else is there, as patterns of coverage: whole folders, and files."""
    kept = {*own, *(parent for each in own for parent in each.parents)}
    return list(_others(folder, kept))


def _others(folder: Path, kept: set[Path]) -> Iterator[str]:
    for each in sorted(folder.iterdir()):
        if each.is_dir():
            if each in kept:
                yield from _others(each, kept)
            else:
                yield f"{each}/*"
        elif each.suffix == ".py" and each not in kept:
            yield str(each)


def _below(folder: Path) -> Iterator[Path]:
    for each in folder.iterdir():
        if each.is_file() and each.suffix == ".py":
            yield each
        elif each.is_dir() and not _is_besides(each):
            yield from _below(each)


def _is_besides(folder: Path) -> bool:
    if folder.name in _BESIDES or folder.name.startswith((".", "__pycache__")):
        return True
    return any((folder / name).exists() for name in ("pyvenv.cfg", "plugin.toml", "pyproject.toml"))


def _is_test(file: Path) -> bool:
    return file.name == "conftest.py" or file.stem.startswith("test_") or file.stem.endswith("_test")


def _names(entry_point: str) -> list[str]:
    return entry_point.replace("\\", "/").removesuffix(".py").replace("/", ".").lstrip(".").split(".")


def _imported(files: Iterator[Path] | list[Path]) -> list[str]:
    """Return every name that an import in some files speaks of, each part of it by itself."""
    found: list[str] = []
    for file in files:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # it cannot be imported either
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [part for each in node.names for part in each.name.split(".")]
            elif isinstance(node, ast.ImportFrom):
                found += [*(node.module or "").split("."), *(each.name for each in node.names)]
    return found
