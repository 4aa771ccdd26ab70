"""Large mappings that differ in little: each is a thin layer over a table that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_THICK = 100
"""Entries of a layer from which on it is made a table of its own."""
_GONE: Any = object()


class Layered(Mapping[K, V]):
    """A frozen mapping. What it was made from stays as it is, and costs no memory twice."""

    __slots__ = ("_layer", "_table")

    def __init__(self, table: Mapping[K, V]) -> None:
        self._table = dict(table)
        self._layer: dict[K, V] = {}

    @classmethod
    def over(cls, table: Mapping[K, V]) -> Layered[K, V]:
        """Return a mapping as one of these, itself if it is one."""
        return table if isinstance(table, Layered) else cls(table)

    def changed(self, put: Mapping[K, V], drop: Iterable[K] = ()) -> Layered[K, V]:
        """Return the mapping without some keys and with some others, at the cost of these alone."""
        after: Layered[K, V] = Layered({})
        after._table = self._table
        after._layer = {**self._layer, **dict.fromkeys(drop, _GONE), **put}
        return after if len(after._layer) < _THICK else Layered(after.to_dict())

    def to_dict(self) -> dict[K, V]:
        """Return a copy."""
        found = {**self._table, **self._layer}
        for key, value in self._layer.items():
            if value is _GONE:
                del found[key]
        return found

    def __getitem__(self, key: K) -> V:
        if key not in self._layer:
            return self._table[key]
        value = self._layer[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    def __contains__(self, key: Any) -> bool:
        return self._layer[key] is not _GONE if key in self._layer else key in self._table

    def __iter__(self) -> Iterator[K]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __repr__(self) -> str:
        return repr(self.to_dict())
