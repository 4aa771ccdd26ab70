"""Hooks at a point that belongs to no call: somebody fires it by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

from hotswap.hook_chain import Chain, HookResult, Moment, Unusable
from hotswap.hook_entry import Entry
from hotswap.hook_leases import Leased
from hotswap.hook_points import FIRED
from hotswap.hook_record import HookRecord
from hotswap_ports.hooks import HookContext, Skip


@frozen
class HookOutcome:
    """What came of firing a point."""

    point: str
    data: Mapping[str, Any]
    """What was fired, with what handlers changed in it."""
    results: tuple[HookResult, ...] = ()
    """One a handler, in the order they ran."""
    skip: Skip | None = None
    """Before a step or a protocol: a handler's answer in its place; handlers after it did not run."""


class FiredHooks(Leased):
    """The handlers at one point, as they were when it was made."""

    __slots__ = ("_chain", "_point")

    def __init__(self, point: str, entries: Iterable[Entry], record: HookRecord, seconds: float) -> None:
        self._point = point
        self._chain = Chain(entries, record, seconds)
        super().__init__(self._chain)

    async def fire(self, data: dict[str, Any], context: HookContext) -> HookOutcome:
        """Call the handlers.

        Raises:
            HookAborted: a handler returned Abort.
        """
        moment = _Fired().of(context, MappingProxyType(data))
        moment.results = []
        moment.point = self._point
        self.join()
        try:
            waits = self._chain.begin(self._chain.walk(moment), moment)
            if waits is not None:
                await waits
        finally:
            self.leave()
        return HookOutcome(self._point, moment.data, tuple(moment.results or ()), moment.skip)


class _Fired(Moment):
    __slots__ = ("point",)

    point: str

    def modify(self, changes: Mapping[str, Any]) -> None:
        if not isinstance(changes, Mapping):
            raise Unusable(f"Modify takes a mapping, and not {type(changes).__name__}")
        self.data = MappingProxyType({**self.data, **changes})

    def take_skip(self, action: Skip) -> None:
        if self.point not in FIRED or not self.point.startswith("pre_"):
            super().take_skip(action)
        self.skip = action
