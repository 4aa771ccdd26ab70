"""Other libraries in the same harness: one module each, each used the way its own documentation says.

They are the dependency group ``peers``. What is not installed is left out, and named.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Protocol

from tests.benchmarks.swap.work import CALL, Provider

DISTRIBUTIONS = {
    "pluggy": "pluggy",
    "ipopo": "iPOPO",
    "injector": "dependency-injector",
    "dishka": "dishka",
    "wireup": "wireup",
    "anvilcore": "anvilcore",
    "stevedore": "stevedore",
}
"""Module in this package -> distribution."""


class Peer(Protocol):
    """One provider of one thing, replaced while it is called."""

    async def start(self, first: Provider) -> None:
        """Bring the library up with its first provider, which is open."""

    async def call(self, seconds: float = CALL) -> str:
        """Make one call, by what the library offers to a caller."""
        raise NotImplementedError

    async def swap(self, new: Provider) -> None:
        """Put ``new``, which is not open yet, in the place of the provider, and have the old one closed."""

    async def stop(self) -> None:
        """Take the library down."""


def version(module: str) -> str | None:
    """Return the installed version of a peer's distribution; None where it is not installed."""
    try:
        return metadata.version(DISTRIBUTIONS[module])
    except metadata.PackageNotFoundError:
        return None


def present() -> dict[str, str]:
    """Return the peers that are installed: module -> version."""
    return {each: found for each in DISTRIBUTIONS if (found := version(each)) is not None}


def missing() -> list[str]:
    """Return the distributions that are not installed."""
    return [DISTRIBUTIONS[each] for each in DISTRIBUTIONS if version(each) is None]


def offering(attribute: str) -> Iterator[tuple[str, object]]:
    """Yield the peers that take part in something: the distribution's name, and what the module has for it."""
    for each in present():
        module = import_module(f"{__name__}.{each}")
        if hasattr(module, attribute):
            yield DISTRIBUTIONS[each], getattr(module, attribute)
