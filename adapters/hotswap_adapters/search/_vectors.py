"""Vectors in memory, compared with a query one by one: exact, and fast enough for some hundred thousand."""

from __future__ import annotations

import sqlite3
import threading
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from hotswap_ports import Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = 6
"""Decimals that a similarity is rounded to: float32 has no more, and equal documents must score alike."""

Scored = tuple[float, int]
"""A similarity and the number of a document."""


class Space(Protocol):
    """The vectors of one model and length, by the numbers of their documents, which only grow."""

    def extended(self, rows: Sequence[tuple[int, bytes]]) -> Space:
        """Return a space that has ``rows`` too; this one stays as it is, for readers of an older snapshot."""

    def nearest(self, query: Vector, most: int, upto: int, allowed: Collection[int] | None) -> list[Scored]:
        """Return at least the ``most`` best and all that are as good as the last of them, in no order."""


class ArraySpace:
    """With numpy: one float32 matrix, 4 bytes a value."""

    def __init__(self, numbers: NDArray[np.int64], matrix: NDArray[np.float32]) -> None:
        self._numbers = numbers
        self._matrix = matrix

    @classmethod
    def empty(cls, dimensions: int) -> ArraySpace:
        """Return a space without vectors."""
        import numpy as np

        return cls(np.empty(0, np.int64), np.empty((0, dimensions), np.float32))

    def extended(self, rows: Sequence[tuple[int, bytes]]) -> ArraySpace:
        """Copy the matrix and add ``rows`` at its end."""
        import numpy as np

        numbers = np.fromiter((number for number, _ in rows), np.int64, len(rows))
        added = np.frombuffer(b"".join(data for _, data in rows), "<f4").reshape(len(rows), self._matrix.shape[1])
        return ArraySpace(np.concatenate((self._numbers, numbers)), np.concatenate((self._matrix, added)))

    def nearest(self, query: Vector, most: int, upto: int, allowed: Collection[int] | None) -> list[Scored]:
        """Multiply the matrix with the query in float32, then those that may be among the best in float64."""
        import numpy as np

        count = int(np.searchsorted(self._numbers, upto, side="right"))
        wanted = np.frombuffer(query.data, "<f4")
        numbers, matrix = self._numbers[:count], self._matrix[:count]
        if allowed is not None:
            mask = np.isin(numbers, np.fromiter(allowed, np.int64, len(allowed)))
            numbers, matrix = numbers[mask], matrix[mask]
        if len(numbers) > most:
            # The product's last digits depend on a row's place in the matrix: equal vectors could come out unlike.
            rough = matrix @ wanted
            error = 2 * query.dimensions * np.finfo(np.float32).eps
            mask = rough >= np.partition(rough, -most)[-most] - error
            numbers, matrix = numbers[mask], matrix[mask]
        scores = np.einsum("ij,j->i", matrix, wanted, dtype=np.float64).round(DIGITS)
        return list(zip(scores.tolist(), numbers.tolist(), strict=True))


class PlainSpace:
    """Without numpy: the same, about a hundred times slower."""

    def __init__(self, rows: Sequence[tuple[int, bytes]] = ()) -> None:
        self._rows = list(rows)

    def extended(self, rows: Sequence[tuple[int, bytes]]) -> PlainSpace:
        """Return a space with ``rows`` at its end."""
        return PlainSpace([*self._rows, *rows])

    def nearest(self, query: Vector, most: int, upto: int, allowed: Collection[int] | None) -> list[Scored]:
        """Compare one by one."""
        end = bisect_right(self._rows, upto, key=lambda row: row[0])
        scored = [
            (round(query.similarity(Vector(data, query.model)), DIGITS), number)
            for number, data in self._rows[:end]
            if allowed is None or number in allowed
        ]
        if len(scored) > most:
            last = sorted((score for score, _ in scored), reverse=True)[most - 1]
            scored = [each for each in scored if each[0] >= last]
        return scored


class VectorCache:
    """Spaces as they were read last, brought up to the snapshot of whoever asks.

    What other processes write is seen: numbers of documents only grow, so a space is extended by those above its last
    one; ``removals`` counts the transactions that took vectors away, and another count means reading all again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spaces: dict[tuple[str, int], tuple[int, int, Space]] = {}

    def nearest(
        self, connection: sqlite3.Connection, query: Vector, most: int, allowed: Collection[int] | None
    ) -> list[Scored]:
        """Compare ``query`` with the vectors of its model that the connection's snapshot has."""
        removals, last = connection.execute(
            "SELECT removals, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'documents'), 0) FROM state"
        ).fetchone()
        with self._lock:
            space = self._space(connection, query, removals, last)
        return [] if space is None else space.nearest(query, most, last, allowed)

    def _space(self, connection: sqlite3.Connection, query: Vector, removals: int, last: int) -> Space | None:
        key = (query.model, len(query.data))
        known = self._spaces.get(key)
        if known is not None and known[0] == removals:
            seen, space = known[1], known[2]
            if seen >= last:
                return space
        else:
            seen, space = 0, _empty(query.dimensions)
        rows = connection.execute(
            "SELECT number, data FROM vectors WHERE number > ? AND model = ? AND length(data) = ? ORDER BY number",
            (seen, *key),
        ).fetchall()
        if not rows and not seen:
            if known is not None and known[0] < removals:
                del self._spaces[key]
            return None  # nothing is kept for a model that no document has
        if rows:
            space = space.extended(rows)
        if known is None or known[0] <= removals:
            self._spaces[key] = (removals, last, space)
        return space


def _empty(dimensions: int) -> Space:
    try:
        return ArraySpace.empty(dimensions)
    except ImportError:
        return PlainSpace()
