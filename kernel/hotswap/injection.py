"""What a constructor asks for, read from its annotations. Nothing is constructed here."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from attrs import frozen, has

from hotswap.errors import InjectionFailed
from hotswap_ports import PluginContext, Port, is_port


@frozen
class Need:
    """One parameter and what fills it."""

    parameter: str
    kind: Literal["port", "all", "config", "context", "mapping"]
    """``all``: every provider of the port by name. ``mapping``: the settings as they are, without a class."""
    port: type[Port] | None = None
    name: str | None = None
    """The provider asked for by name."""
    optional: bool = False
    """A port: None is passed when nobody provides it. Else: there is a default."""
    structure: type | None = None
    """For ``config``: the attrs class."""


def needs_of(target: Callable[..., Any], *, requires: Collection[str] | None = None) -> tuple[Need, ...]:
    """Read what ``target`` (a class or a factory) has to be given.

    Args:
        requires: for a plugin's class, the ports its manifest requires: asking for another one is a gap.

    Raises:
        InjectionFailed: lists every parameter that nothing can fill.
    """
    needs, gaps = [], []
    for parameter, annotation in _parameters(target):
        found = _need(parameter, annotation)
        if isinstance(found, str):
            gaps.append(f"{parameter.name}: {found}")
        elif found is not None:
            if requires is not None and found.port is not None and found.port.PORT not in requires:
                gaps.append(
                    f"{parameter.name}: asks for the port {found.port.PORT!r}, which the manifest does not require; "
                    f'add `{found.port.PORT} = ">={found.port.VERSION}"` under [plugin.requires]'
                )
            needs.append(found)
    if gaps:
        raise InjectionFailed(_name(target), gaps)
    return tuple(needs)


def _name(target: Callable[..., Any]) -> str:
    return str(getattr(target, "__qualname__", target))


def _parameters(target: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc] # read, not called
    if function is object.__init__:
        return []
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:  # an annotation is the author's code, evaluated here
        raise InjectionFailed(
            _name(target), [f"its annotations cannot be read: {type(error).__name__}: {error}"]
        ) from error
    skip = 1 if isinstance(target, type) else 0
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    plain = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    return [(each, hints.get(each.name, inspect.Parameter.empty)) for each in plain]


def _need(parameter: inspect.Parameter, annotation: Any) -> Need | str | None:
    """Return the need, None where the default serves, or the sentence that says what is wrong."""
    has_default = parameter.default is not inspect.Parameter.empty
    if annotation is inspect.Parameter.empty:
        return None if has_default else "it has no annotation and no default"
    name = None
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        name = next((each for each in extras if isinstance(each, str)), None)
    annotation, optional = _without_none(annotation)
    if is_port(annotation):
        return Need(parameter.name, "port", port=annotation, name=name, optional=optional or has_default)
    if isinstance(annotation, type) and issubclass(annotation, PluginContext):
        return Need(parameter.name, "context", optional=has_default)
    if get_origin(annotation) in (Mapping, dict) and is_port(get_args(annotation)[1]):
        return Need(parameter.name, "all", port=get_args(annotation)[1])
    if parameter.name == "config":
        return _config_need(annotation, has_default)
    if has_default:
        return None
    return f"nothing provides {getattr(annotation, '__qualname__', annotation)}"


def _config_need(annotation: Any, optional: bool) -> Need | str:
    if isinstance(annotation, type) and has(annotation):
        return Need("config", "config", optional=optional, structure=annotation)
    if annotation in (Mapping, dict, Any) or get_origin(annotation) in (Mapping, dict):
        return Need("config", "mapping", optional=optional)
    return "`config` is annotated with an attrs class or Mapping"


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return annotation, False
