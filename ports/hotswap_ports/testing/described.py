"""Whether what a test says of calls can be: the name of a method, a pattern, the names of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import attrs

from hotswap_ports.errors import InvalidRequest
from hotswap_ports.methods import PortMethod, port_methods
from hotswap_ports.port import Port
from hotswap_ports.testing.fitting import parameter_types
from hotswap_ports.testing.rules import check_match


def check_described(port: type[Port], method: str, match: object, arguments: Mapping[str, object]) -> None:
    """Raise InvalidRequest for calls that the port cannot have, or for what is no pattern."""
    methods = {each.name: each for each in port_methods(port)}
    if method != "*" and method not in methods:
        raise InvalidRequest(f"{port.PORT} has no method {method!r}.{_near(method, methods)}")
    meant = [each for each in methods.values() if method in ("*", each.name)]
    known = {name for each in meant for name in parameter_types(each)}
    if unknown := sorted(arguments.keys() - known):
        hints = "".join(_field(name, method, meant) or _near(name, known) for name in unknown)
        raise InvalidRequest(f"{port.PORT}.{method} has no parameter {', '.join(unknown)}.{hints}")
    check_match(match)


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(str(name), known, 1)
    return f" Did you mean {near[0]!r}?" if near else f" It has {', '.join(sorted(known)) or 'none'}."


def _field(name: str, method: str, meant: Iterable[PortMethod]) -> str:
    """Return what to write for a name that is a field of what a parameter takes; empty for another."""
    for each in meant:
        for parameter, kind in parameter_types(each).items():
            if isinstance(kind, type) and attrs.has(kind) and name in attrs.fields_dict(kind):
                rule = f'on("{method}", lambda call: call.arguments["{parameter}"].{name} == ...)'
                return f" {name} is a field of {parameter}: write {rule}."
    return ""
