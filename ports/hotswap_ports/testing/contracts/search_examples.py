"""What the parts of the contract of ``search`` index and ask for."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap_ports.search import Mode, Search
from hotswap_ports.vector import Vector

HERON = "The heron stands in the shallow river and waits for fish."
TRAIN = "A train leaves the station at noon and crosses the river."
CAFE = "Café crème is served on the terrace."


def vector(*values: float, model: str = "m") -> Vector:
    """Return a unit vector."""
    return Vector.of(values, model)


def ids(result: Any) -> list[str]:
    """Return the ids of a result's hits, best first."""
    return [each.id for each in result.hits]


def need(search: Search, *modes: Mode) -> None:
    """Skip where a mode is missing."""
    missing = [each for each in modes if each not in search.features.modes]
    if missing:
        pytest.skip(f"the index does not answer {', '.join(missing)} queries")
