"""Blocking handles: live handles for threads, one class a port, with the port's own parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, update_wrapper
from typing import Any, get_args

from hotswap.handles import port_attributes
from hotswap.portal import Portal
from hotswap.portal_stream import Stream
from hotswap_ports import Port, port_of
from hotswap_ports.methods import PortMethod, port_methods


class BlockingHandle:
    """Waits for what the live handle behind it answers; a stream is an iterator, an attribute what it is there."""

    __slots__ = ("_handle", "_portal")

    def __init__(self, portal: Portal, handle: Port) -> None:
        self._portal = portal
        self._handle = handle

    def __repr__(self) -> str:
        return f"<blocking {repr(self._handle).strip('<>')}>"


def blocking_signature(method: PortMethod) -> inspect.Signature:
    """Return the signature of a method's blocking form, ``self`` left out: streams are ``Stream`` of their items."""
    signature = method.signature
    returns: Any = signature.return_annotation
    if method.kind != "stream":
        return signature
    if isinstance(returns, str):
        return signature.replace(return_annotation=returns.replace("AsyncIterator[", "Stream["))
    items: Any = get_args(returns) or (Any,)
    return signature.replace(return_annotation=Stream[items[0]])


def _blocking(method: PortMethod) -> Callable[..., Any]:
    name, bind = method.name, method.signature.bind

    def call(self: BlockingHandle, *args: Any, **kwargs: Any) -> Any:
        return self._portal.call(getattr(self._handle, name), *args, **kwargs)

    def iterate(self: BlockingHandle, *args: Any, **kwargs: Any) -> Stream[Any]:
        bind(*args, **kwargs)  # arguments that do not fit are an error here, and not at the first item
        return self._portal.iterate(getattr(self._handle, name), *args, **kwargs)

    made = update_wrapper(iterate if method.kind == "stream" else call, method.function)
    signature = blocking_signature(method)
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    made.__dict__["__signature__"] = signature.replace(parameters=[myself, *signature.parameters.values()])
    return made


def _forward(name: str) -> property:
    return property(lambda self: getattr(self._handle, name))


@cache
def blocking_class(port: type[Port]) -> type[BlockingHandle]:
    """Return the class of a port's blocking handles."""
    body: dict[str, Any] = {"__slots__": (), "__doc__": port.__doc__, "__module__": port.__module__}
    body.update({name: _forward(name) for name in port_attributes(port)})
    body.update({method.name: _blocking(method) for method in port_methods(port)})
    return type(f"Blocking{port.__name__}", (BlockingHandle,), body)


class BlockingHandles:
    """The blocking handles of one kernel: always the same object over the same handle."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._made: dict[int, BlockingHandle] = {}
        """By the handle's id, which stays its own: what is kept here keeps the handle."""

    def over(self, handle: Port) -> BlockingHandle:
        """Return the blocking handle over a live one."""
        port = port_of(type(handle))
        assert port is not None
        return self._made.setdefault(id(handle), blocking_class(port)(self.portal, handle))


class BlockingMapping(Mapping[str, BlockingHandle]):
    """All providers of a port by name, the selected one first, as they are at the moment of looking."""

    def __init__(self, handles: BlockingHandles, live: Mapping[str, Port]) -> None:
        self._handles = handles
        self._live = live

    def __getitem__(self, name: str) -> BlockingHandle:
        return self._handles.over(self._handles.portal.reach(self._live.__getitem__, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles.portal.reach(tuple, self._live))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __repr__(self) -> str:
        return f"<blocking {repr(self._live).strip('<>')}>"
