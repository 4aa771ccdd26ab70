"""Which of several providers serves a port."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hotswap.errors import HotswapError, PortAmbiguous, PortUnfilled


def in_order(port: str, selected: tuple[str, ...], unwell: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Return the selection of a port with those that are unwell (port and name) behind the others."""
    if not unwell or len(selected) < 2:
        return selected
    return tuple(sorted(selected, key=lambda each: (port, each) in unwell))


def choose(port: str, names: Collection[str], selected: Sequence[str], current: str) -> str | HotswapError:
    """Return the name of the provider that serves ``port``, or the error that says why none does.

    The first of the ``selected`` names that is there; else the one in use (``current``, empty for none); else, if the
    one in use or selected is gone, the next by name; else the only one. Several with no choice made are an error.
    """
    for name in selected:
        if name in names:
            return name
    if not names:
        return PortUnfilled(port)
    if current in names:
        return current
    if len(names) == 1 or current or selected:
        return min(names)
    return PortAmbiguous(port, names)
