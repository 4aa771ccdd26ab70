"""Which ports this host has: ours, those of installed distributions, and those an application brings along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.version import Version

import hotswap_ports
from hotswap.errors import PortUnknown
from hotswap_ports import Port, is_port

ENTRY_POINTS = "hotswap.ports"
"""Entry points of this group name port classes (``billing = "shop.ports:Billing"``)."""


class PortDirectory:
    """The ports of one kernel, by name. A manifest names ports; the directory turns names into classes."""

    def __init__(self, extra: Iterable[type[Port]] = ()) -> None:
        self._ports: dict[str, type[Port]] = {}
        for each in (*self.own(), *_from_entry_points(), *extra):
            if is_port(each):
                self._ports.setdefault(each.PORT, each)

    @staticmethod
    def own() -> list[type[Port]]:
        """Return the ports that hotswap brings along."""
        return [each for name in hotswap_ports.__all__ if is_port(each := getattr(hotswap_ports, name))]

    def get(self, name: str, *, where: str = "") -> type[Port]:
        """Return the port's class.

        Raises:
            PortUnknown: this host has no port of that name.
        """
        try:
            return self._ports[name]
        except KeyError:
            raise PortUnknown(name, self._ports, where=where) from None

    def versions(self) -> Mapping[str, Version]:
        """Return each port's version by name."""
        return {name: Version(port.VERSION) for name, port in self._ports.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._ports

    def __iter__(self) -> Iterator[type[Port]]:
        return iter(self._ports.values())


def _from_entry_points() -> Iterator[object]:
    from importlib.metadata import entry_points  # slow to import, and only a booting kernel comes here

    for each in entry_points(group=ENTRY_POINTS):
        yield each.load()
