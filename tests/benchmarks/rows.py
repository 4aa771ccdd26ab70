"""What a benchmark says: a ratio taken within one run, and the bound it has to hold."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen


@frozen
class Row:
    """One measured ratio."""

    name: str
    ratio: float
    bound: float


def print_rows(rows: Iterable[Row]) -> bool:
    """Print one line a row; True when every bound holds."""
    held = True
    for row in rows:
        holds = row.ratio <= row.bound
        held = held and holds
        print(f"{'ok  ' if holds else 'FAIL'} {row.ratio:10.4f} <= {row.bound:<8g} {row.name}")
    return held
