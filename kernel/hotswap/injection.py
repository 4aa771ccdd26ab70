"""What a constructor asks for, read from its annotations. Nothing is constructed here."""

from __future__ import annotations

import functools
import inspect
import types
from abc import ABCMeta
from collections.abc import Callable, Collection, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS, Parameter
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from attrs import frozen, has

from hotswap.errors import InjectionFailed
from hotswap_ports import PluginContext, Port, is_port, port_of


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
    """It may stay unfilled: the default holds, or None is passed for a port."""
    has_default: bool = False
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
    plain = _plainly_asked(target)
    for asked in [_Asked.by(*each) for each in parameters_of(target)] if plain is None else plain:
        found = _need(asked)
        if isinstance(found, str):
            gaps.append(f"{asked.name}: {found}")
        elif found is not None:
            if requires is not None and found.port is not None and found.port.PORT not in requires:
                gaps.append(
                    f"{asked.name}: asks for the port {found.port.PORT!r}, which the manifest does not require; "
                    f'add `{found.port.PORT} = ">={found.port.VERSION}"` under [plugin.requires]'
                )
            needs.append(found)
    if gaps:
        raise InjectionFailed(_name(target), gaps)
    return tuple(needs)


def _name(target: Callable[..., Any]) -> str:
    return str(getattr(target, "__qualname__", None) or repr(target))


def _function(target: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return the function whose annotations say what ``target`` needs; None for a class without a constructor."""
    while isinstance(target, functools.partial):
        target = target.func
    if isinstance(target, type):
        made_by: dict[str, Any] = {name: getattr(target, name) for name in ("__init__", "__new__")}
        return next((each for name, each in made_by.items() if each is not getattr(object, name)), None)
    return target if inspect.isroutine(target) else type(target).__call__


class _Asked(NamedTuple):
    """One parameter as it is written."""

    name: str
    annotation: Any
    """``Parameter.empty`` for none."""
    has_default: bool
    is_positional_only: bool = False

    @classmethod
    def by(cls, parameter: Parameter, annotation: Any) -> _Asked:
        has_default = parameter.default is not parameter.empty
        return cls(parameter.name, annotation, has_default, parameter.kind is parameter.POSITIONAL_ONLY)


def _plainly_asked(target: Any) -> list[_Asked] | None:
    """Return the parameters of a constructor that says by the names of classes what it asks for.

    None for any other: ``parameters_of`` knows them all, and takes ten times as long.
    """
    if not _is_plain_class(target):
        return None
    function = target.__init__
    if function is object.__init__:
        return []
    if not isinstance(function, types.FunctionType) or function.__dict__:
        return None
    code, globals_ = function.__code__, function.__globals__
    if code.co_posonlyargcount or not code.co_argcount or code.co_flags & (CO_VARARGS | CO_VARKEYWORDS):
        return None
    first_default = code.co_argcount - len(function.__defaults__ or ())
    by_keyword = function.__kwdefaults__ or {}
    found = []
    for place, name in enumerate(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount], 1):
        annotation = function.__annotations__.get(name)
        if isinstance(annotation, str):
            annotation = globals_.get(annotation)
        if not isinstance(annotation, type):
            return None
        has_default = place >= first_default if place < code.co_argcount else name in by_keyword
        found.append(_Asked(name, annotation, has_default))
    return found


def _is_plain_class(target: Any) -> bool:
    """Return whether nothing but ``__init__`` says how ``target`` is called."""
    if type(target) not in (type, ABCMeta):
        return False
    return target.__new__ is object.__new__ and not hasattr(target, "__signature__")


def parameters_of(target: Callable[..., Any]) -> list[tuple[Parameter, Any]]:
    """Return what can be filled of a class or a factory, each parameter with its annotation; ``empty`` for none.

    Raises:
        InjectionFailed: the annotations cannot be read.
    """
    function = _function(target)
    if function is None:
        return []
    try:
        # The constructor of a named tuple lives in a namespace of its own, where its annotations mean nothing.
        hints = get_type_hints(target if hasattr(target, "_fields") else function, include_extras=True)
        parameters = inspect.signature(target).parameters.values()
    except NameError as error:
        raise InjectionFailed(
            _name(target),
            [
                f"its annotations cannot be read: {error}; import what they name at run time, not under "
                "`if TYPE_CHECKING:`, at the top of the module"
            ],
        ) from error
    except Exception as error:  # an annotation is the author's code, evaluated here
        raise InjectionFailed(
            _name(target), [f"its annotations cannot be read: {type(error).__name__}: {error}"]
        ) from error
    given = target.keywords if isinstance(target, functools.partial) else {}
    plain = [each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    return [(each, hints.get(each.name, Parameter.empty)) for each in plain if each.name not in given]


def _need(asked: _Asked) -> Need | str | None:
    """Return the need, None where the default serves, or the sentence that says what is wrong."""
    has_default, annotation = asked.has_default, asked.annotation
    if asked.is_positional_only:
        return None if has_default else "it is positional only, and parameters are filled by their names"
    if annotation is Parameter.empty:
        return None if has_default else "it has no annotation and no default"
    annotation, name, optional = _bare(annotation)
    optional = optional or has_default
    if is_port(annotation):
        return Need(asked.name, "port", annotation, name, optional, has_default)
    if isinstance(annotation, type) and issubclass(annotation, PluginContext):
        return Need(asked.name, "context", optional=has_default, has_default=has_default)
    if get_origin(annotation) in (Mapping, dict) and is_port(get_args(annotation)[1]):
        return Need(asked.name, "all", port=get_args(annotation)[1], has_default=has_default)
    if asked.name == "config":
        return _config_need(annotation, has_default)
    if has_default:
        return None
    return _nothing_provides(annotation)


def _nothing_provides(annotation: Any) -> str:
    if isinstance(annotation, type) and (port := port_of(annotation)) is not None:
        return f"{annotation.__qualname__} is an adapter; ask for its port, {port.__qualname__}"
    return f"nothing provides {getattr(annotation, '__qualname__', annotation)}"


def _config_need(annotation: Any, has_default: bool) -> Need | str:
    if isinstance(annotation, type) and has(annotation):
        return Need("config", "config", optional=has_default, has_default=has_default, structure=annotation)
    if annotation in (Mapping, dict, Any) or get_origin(annotation) in (Mapping, dict):
        return Need("config", "mapping", optional=has_default, has_default=has_default)
    return "`config` is annotated with an attrs class or Mapping"


def _bare(annotation: Any) -> tuple[Any, str | None, bool]:
    """Return the annotation without ``Annotated`` and ``| None``, the text annotated, and whether None was allowed."""
    name: str | None = None
    optional = False
    while not isinstance(annotation, type):
        if get_origin(annotation) is Annotated:
            annotation, *extras = get_args(annotation)
            name = name or next((each for each in extras if isinstance(each, str)), None)
        elif get_origin(annotation) in (Union, types.UnionType):
            rest = [each for each in get_args(annotation) if each is not type(None)]
            if len(rest) != 1:
                return annotation, name, optional
            annotation, optional = rest[0], True
        else:
            break
    return annotation, name, optional
