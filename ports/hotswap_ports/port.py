"""What makes a class a port."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar


class Port(ABC):
    """Base of every port: an abstract class whose methods are async, and which is itself the key that callers ask with.

    A port sets ``PORT`` and ``VERSION`` in its own body; an adapter subclasses the port and sets neither.
    """

    PORT: ClassVar[str]
    """The name by which manifests and settings call it: ``scraper``."""
    VERSION: ClassVar[str]
    """Semantic version of the port's shape; requirements such as ``storage = ">=1,<2"`` are held against it."""
    READS: ClassVar[frozenset[str]] = frozenset()
    """Names of the methods that change nothing, so that a host may make a call of theirs twice."""


def is_port(candidate: object) -> bool:
    """Return whether ``candidate`` is a port itself (not an adapter of one)."""
    return isinstance(candidate, type) and issubclass(candidate, Port) and "PORT" in candidate.__dict__


def port_of(adapter: type) -> type[Port] | None:
    """Return the port that ``adapter`` implements, nearest first; None for a class that implements none."""
    return next((each for each in adapter.__mro__ if is_port(each)), None)
