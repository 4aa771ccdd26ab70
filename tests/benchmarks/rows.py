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


def print_rows(rows: Iterable[Row], room: float = 1.0) -> bool:
    """Print one line a row; True when every bound, times ``room`` for noise, holds."""
    held = True
    for row in rows:
        holds = row.ratio <= row.bound * room
        held = held and holds
        print(f"{'ok  ' if holds else 'FAIL'} {row.ratio:10.4f} <= {row.bound:<8g} {row.name}")
    return held
