"""A point in an embedding space, compact enough to keep by the thousand."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Iterator

from attrs import frozen


@frozen
class Vector:
    """One embedding: ``data`` holds float32 values, little-endian, shape ``(dimensions,)``, of unit length (L2).

    Vectors of different ``model`` values live in different spaces and must not be compared.
    """

    data: bytes
    model: str

    @classmethod
    def of(cls, values: Iterable[float], model: str) -> Vector:
        """Build a vector from plain numbers, scaled to unit length (an all-zero one stays so).

        Raises:
            ValueError: a value is not finite, or there is none.
        """
        numbers = list(values)
        norm = math.sqrt(math.fsum(each * each for each in numbers))
        if not numbers or not math.isfinite(norm):
            raise ValueError("a vector needs at least one value, and all of them finite")
        packed = array("f", (each / norm if norm else 0.0 for each in numbers))
        if sys.byteorder == "big":
            packed.byteswap()
        return cls(packed.tobytes(), model)

    @property
    def dimensions(self) -> int:
        """Return how many values there are."""
        return len(self.data) // 4

    def __iter__(self) -> Iterator[float]:
        values = array("f", self.data)
        if sys.byteorder == "big":
            values.byteswap()
        return iter(values)

    def similarity(self, other: Vector) -> float:
        """Return the cosine of the angle to ``other``, in [-1, 1].

        Raises:
            ValueError: the two are of different models or dimensions.
        """
        if self.model != other.model or len(self.data) != len(other.data):
            raise ValueError(f"vectors of {self.model!r} and {other.model!r} cannot be compared")
        return math.fsum(a * b for a, b in zip(self, other, strict=True))
