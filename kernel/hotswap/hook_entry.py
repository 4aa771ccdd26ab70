"""One handler at one point."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from attrs import field, frozen

from hotswap.hook_points import Target
from hotswap.hook_record import HookCount
from hotswap_ports.hooks import Handler


@frozen(eq=False)
class Entry:
    """One registration of a handler."""

    point: str
    source: str
    """The plugin's id; empty for the application."""
    handler: Handler
    targets: frozenset[Target]
    """The calls that the point stands for; none where it is fired by name."""
    number: int
    """Grows with every registration."""
    count: HookCount
    priority: int = 0
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    owner: object = None
    """Stands for the generation of the plugin that it leaves with; None for the application's."""
    is_async: bool = field(init=False)
    mark: frozenset[object] = field(init=False)
    """Stands for the entry in contexts. Tasks inherit and keep these, and a plugin must not be kept with them."""

    @is_async.default
    def _decide(self) -> bool:
        return _is_async(self.handler)

    @mark.default
    def _mark(self) -> frozenset[object]:
        return frozenset((object(),))


def _is_async(handler: Any) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
