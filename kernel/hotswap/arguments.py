"""What a kernel is called with, looked at before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotswap.errors import CallInvalid, PortUnknown
from hotswap.plan import Plan
from hotswap.port_directory import PortDirectory


def check_id(call: str, plugin: object) -> None:
    """Raise CallInvalid for what cannot be the id of a plugin."""
    if not isinstance(plugin, str):
        hint = "Several at once go into one `kernel.change(enable=[...], disable=[...], configure={...})`."
        raise CallInvalid(f"kernel.{call}", "the id of a plugin", plugin, hint)


def check_plan(plan: object) -> None:
    """Raise CallInvalid for what is no plan."""
    if not isinstance(plan, Plan):
        raise CallInvalid("kernel.apply", "a plan", plan, "Make one first: `await kernel.plan(...)`.")


def check_values(values: object) -> None:
    """Raise CallInvalid for what cannot be settings of a plugin."""
    if not isinstance(values, Mapping):
        raise CallInvalid("kernel.configure", "values by their names", values, 'Say {"name": value}.')


def names_of(names: object) -> tuple[str, ...]:
    """Return the names of providers: of one, or of several in order. Raises CallInvalid for what is neither."""
    found = tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)
    for each in found:
        if not isinstance(each, str):
            hint = "`kernel.ports()` has the names of each port's providers."
            raise CallInvalid("A selection", "names of providers", each, hint)
    return found


def port_name(port: object, ports: PortDirectory) -> str:
    """Return the name of a port that is given by it, or as a class. Raises PortUnknown for what is neither."""
    name = port if isinstance(port, str) else getattr(port, "PORT", None)
    if not isinstance(name, str):
        raise unknown_port(port, ports)
    return name


def unknown_port(port: object, ports: PortDirectory) -> PortUnknown:
    """Return the error of a class that is no port of a kernel."""
    name = getattr(port, "__qualname__", None) or repr(port)
    return PortUnknown(name, [each.__qualname__ for each in ports], where="which was asked for as a class")
