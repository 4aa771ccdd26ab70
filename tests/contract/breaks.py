"""Breaks of the adapters here: a real adapter with one piece replaced, which its own contract class must notice.

A module ``broken_<port>.py`` beside this one makes ``Breaks`` of the class that holds the adapter and adds functions to
it. Each function replaces one piece, and says in its docstring how the word of the port is broken::

    breaks = Breaks(test_storage.TestSqliteStorage)

    @breaks.noticed_by("test_list_comes_in_pages")
    def one_key_too_many(patch: pytest.MonkeyPatch) -> None:
        '''A page has one key more than its limit.'''
        edit(patch, SqliteStorage, "list", {"rows[:limit]": "rows"})

``faulty_suite`` runs that test over the broken adapter, and ``test_faulty`` wants it to fail.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

Replace = Callable[[pytest.MonkeyPatch], None]


@frozen
class Break:
    """One piece of an adapter replaced."""

    held: type
    """The class that holds the unbroken adapter."""
    replace: Replace
    """Puts another piece in place before the adapter is made."""
    noticed_by: str
    """The test of the contract that is about the word that is broken."""

    @property
    def name(self) -> str:
        """Return what its suite is called after ``Test``: ``SqliteStorage_one_key_too_many``."""
        return f"{self.held.__name__.removeprefix('Test')}_{self.replace.__name__}"

    def suite(self) -> type:
        """Return ``held`` over the broken adapter, with the one test."""
        replace = self.replace

        def broken(_: object, monkeypatch: pytest.MonkeyPatch) -> None:
            replace(monkeypatch)

        tests = [each for each in dir(self.held) if each.startswith("test_")]
        if self.noticed_by not in tests:
            raise LookupError(f"{self.name}: {self.held.__name__} has no {self.noticed_by}")
        others = {each: None for each in tests if each != self.noticed_by}
        body = {"broken": pytest.fixture(autouse=True)(broken), "__doc__": replace.__doc__, **others}
        body["pytestmark"] = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # left open
        return type(f"Test{self.name}", (self.held,), body)


class Breaks:
    """The breaks of one adapter."""

    def __init__(self, held: type) -> None:
        self._held = held
        self._all: list[Break] = []

    def noticed_by(self, test: str) -> Callable[[Replace], Replace]:
        """Add a break that ``test`` of the contract notices."""

        def added(replace: Replace) -> Replace:
            self._all.append(Break(self._held, replace, test))
            return replace

        return added

    def __iter__(self) -> Iterator[Break]:
        return iter(self._all)


def breaks_by_module() -> dict[str, list[Break]]:
    """Return the breaks of every module ``broken_*.py`` in this folder, by its name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("broken_*.py")):
        values = vars(import_module(f"tests.contract.{path.stem}")).values()
        found[path.stem] = [each for value in values if isinstance(value, Breaks) for each in value]
    return found


def edit(patch: pytest.MonkeyPatch, owner: Any, name: str, changes: Mapping[str, str]) -> None:
    """Replace a function or method by itself with pieces of its text changed; each stands in it once."""
    function = getattr(owner, name)
    text = textwrap.dedent(inspect.getsource(function))
    for old, new in changes.items():
        if text.count(old) != 1:
            raise LookupError(f"{old!r} stands {text.count(old)} times in {function.__qualname__}: adapt its break")
        text = text.replace(old, new)
    made: dict[str, Any] = {}
    code = compile(text, f"<broken {function.__qualname__}>", "exec", flags=__future__.annotations.compiler_flag)
    exec(code, function.__globals__, made)
    patch.setattr(owner, name, made[name])


def around(patch: pytest.MonkeyPatch, owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace ``owner.name`` by the decorated function, which is given the original as its first argument."""
    whole = getattr(owner, name)

    def put(function: Callable[..., Any]) -> None:
        patch.setattr(owner, name, lambda *args, **kwargs: function(whole, *args, **kwargs))

    return put
