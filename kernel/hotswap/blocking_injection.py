"""Constructor injection for threads: looked up on the loop, handed over as blocking handles."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from hotswap.blocking_ports import PORT_OF
from hotswap.injection import parameters_of
from hotswap_ports import is_port


def stand_in(target: Callable[..., object]) -> Callable[..., Mapping[str, object]]:
    """Return a factory that asks for the ports that ``target`` asks for, and makes a mapping of what it is given.

    Raises:
        InjectionFailed: the annotations of ``target`` cannot be read.
    """

    def given(**arguments: object) -> Mapping[str, object]:
        return arguments

    parameters = [each.replace(annotation=in_ports(asked)) for each, asked in parameters_of(target)]
    given.__qualname__ = str(getattr(target, "__qualname__", None) or repr(target))
    given.__annotations__ = {each.name: each.annotation for each in parameters if each.annotation is not each.empty}
    given.__dict__["__signature__"] = inspect.Signature(parameters)
    return given


def in_ports(annotation: Any) -> Any:
    """Return an annotation with ports in the place of their blocking forms.

    ``BlockingStorage`` is the form of ``Storage``. Any other is named beside its port: ``Annotated[Form, Port]``.
    """
    origin, items = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        form, *notes = items
        port = next((each for each in notes if is_port(each)), None) or in_ports(form)
        return Annotated[(port, *notes)]
    if origin in (Union, UnionType):
        return Union[tuple(map(in_ports, items))]  # noqa: UP007 - made at run time
    if origin in (Mapping, dict):
        return Mapping[items[0], in_ports(items[1])]  # type: ignore[misc, valid-type] # made at run time
    return next((port for form, port in PORT_OF.items() if form is annotation), annotation)
