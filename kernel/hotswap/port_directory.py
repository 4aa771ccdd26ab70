"""Which ports this host has: ours, those of installed distributions, and those an application brings along."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from packaging.version import Version

import hotswap_ports
from hotswap.entry_points import installed
from hotswap.errors import HotswapError, PortInvalid, PortUnknown
from hotswap_ports import Port, is_port

ENTRY_POINTS = "hotswap.ports"
"""Entry points of this group name port classes (``billing = "shop.ports:Billing"``)."""


class PortDirectory:
    """The ports of one kernel, by name. A manifest names ports; the directory turns names into classes.

    ``environ`` stands for ``os.environ`` (``HOTSWAP_CACHE``).
    """

    def __init__(self, extra: Iterable[type[Port]] = (), environ: Mapping[str, str] | None = None) -> None:
        self._ports: dict[str, type[Port]] = {each.PORT: each for each in self.own()}
        self._versions: Mapping[str, Version] | None = None
        self.problems: list[HotswapError] = []
        """What installed distributions name as a port and cannot be one; it does not stop the host."""
        for each in installed(os.environ if environ is None else environ).groups[ENTRY_POINTS]:
            try:
                self._add(each.load(), f"The entry point {each.name!r} of {ENTRY_POINTS!r}")
            except PortInvalid as error:
                self.problems.append(error)
            except Exception as error:  # noqa: BLE001 - a distribution's code, imported here: reported as its problem
                reason = f"{each.value} cannot be imported: {type(error).__name__}: {error}"
                self.problems.append(PortInvalid(f"The entry point {each.name!r} of {ENTRY_POINTS!r}", reason))
        for port in extra:
            self._add(port, "Kernel(ports=...)")

    def _add(self, port: object, where: str) -> None:
        """Take a port in.

        Raises:
            PortInvalid: it is none, or its name is taken by another one.
        """
        if not isinstance(port, type) or not is_port(port):
            raise PortInvalid(where, f"{port!r} sets no PORT of its own")
        wanted = cast("type[Port]", port)
        known = self._ports.setdefault(wanted.PORT, wanted)
        if known is not wanted:
            raise PortInvalid(where, f"{wanted.PORT!r} is {known.__module__}.{known.__qualname__} already")

    @staticmethod
    def own() -> list[type[Port]]:
        """Return the ports that hotswap brings along."""
        return list(_own())

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
        if self._versions is None:
            self._versions = MappingProxyType({name: Version(port.VERSION) for name, port in self._ports.items()})
        return self._versions

    def names(self) -> Collection[str]:
        """Return the name of each port."""
        return self._ports.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._ports

    def __iter__(self) -> Iterator[type[Port]]:
        return iter(self._ports.values())


@functools.cache
def _own() -> tuple[type[Port], ...]:
    return tuple(each for name in hotswap_ports.__all__ if is_port(each := getattr(hotswap_ports, name)))
