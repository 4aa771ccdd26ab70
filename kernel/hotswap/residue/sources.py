"""What the source of a plugin says: where it assigns an attribute, where it calls something by name."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Collection, Iterator
from pathlib import Path

from hotswap.residue.finding import Place

_MOST_FILES = 400
"""How many files of one plugin are read: more is a library that has a manifest in it."""


class Sources:
    """The Python files in some folders, but for some. They are read when they are first asked for."""

    def __init__(self, but: Collection[str] = ()) -> None:
        self._but = but
        self._read: dict[Path, dict[tuple[str, bool], Place]] = {}

    def _places(self, folder: Path) -> dict[tuple[str, bool], Place]:
        """Return, by name, the first places where an attribute of that name is set (True) and used."""
        if folder not in self._read:
            places = self._read[folder] = {}
            files = [each for each in sorted(folder.rglob("*.py")) if str(each) not in self._but]
            for file in files[:_MOST_FILES]:
                for name, is_set, place in _attributes(file):
                    places.setdefault((name, is_set), place)
        return self._read[folder]

    def sets(self, folder: Path | None, name: str) -> Place | None:
        """Return the first line that sets or deletes an attribute ``name`` of something that is not ``self``."""
        return self._first(folder, name, is_set=True)

    def uses(self, folder: Path | None, *names: str) -> Place | None:
        """Return the first line that uses an attribute of one of ``names``; ``atexit.register``: of that module."""
        found = (self._first(folder, each, is_set=False) for each in names)
        return next((each for each in found if each is not None), None)

    def _first(self, folder: Path | None, name: str, *, is_set: bool) -> Place | None:
        return None if folder is None else self._places(folder).get((name, is_set))


def _attributes(file: Path) -> Iterator[tuple[str, bool, Place]]:
    try:
        with tokenize.open(file) as opened:
            tree = ast.parse(opened.read())
    except (OSError, SyntaxError, ValueError):  # what cannot be read says nothing
        return
    yield from _below(tree, str(file), "")


def _below(node: ast.AST, file: str, function: str) -> Iterator[tuple[str, bool, Place]]:
    for child in ast.iter_child_nodes(node):
        inside = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{function}.{child.name}" if function else child.name
        yield from _names_of(child, file, function)
        yield from _below(child, file, inside)


def _names_of(node: ast.AST, file: str, function: str) -> Iterator[tuple[str, bool, Place]]:
    if isinstance(node, ast.Attribute):
        base = _last(node.value)
        is_set = not isinstance(node.ctx, ast.Load)
        if not (is_set and base in ("self", "cls")):
            place = Place(file, node.lineno, function)
            yield node.attr, is_set, place
            yield f"{base}.{node.attr}", is_set, place
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield f"{node.module}.{alias.name}", False, Place(file, node.lineno, function)
    elif isinstance(node, ast.Call) and _last(node.func) in ("setattr", "delattr"):
        match node.args:
            case [target, ast.Constant(value=str(name)), *_]:
                place = Place(file, node.lineno, function)
                yield name, True, place
                yield f"{_last(target)}.{name}", True, place


def _last(node: ast.expr) -> str:
    """Return the last name of ``a.b.c``."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
