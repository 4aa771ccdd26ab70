"""What a hook's handler is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from time import time
from typing import Any

from attrs import field, frozen


@frozen
class HookContext:
    """Where an event comes from."""

    request_id: str = ""
    protocol: str = ""
    step: str = ""
    source: str = ""
    """Id of the plugin whose call or change it is; empty for the application itself."""
    port: str = ""
    method: str = ""


class _Open:
    """The fields of an event that can still be set."""

    __slots__ = ("__weakref__", "context", "data", "point", "time")


@frozen
class HookEvent(_Open):
    """One event at a hook point."""

    point: str
    """``pre_storage_write``, ``on_startup``, ``post_scraper.scrape``."""
    time: datetime
    """Aware, UTC."""
    data: Mapping[str, Any] = field(factory=dict)
    """For a port method: ``arguments`` (a dict by parameter name) before, ``result`` after, ``error`` on failure."""
    context: HookContext = HookContext()


_time: Any = _Open.time  # type: ignore[attr-defined] # a slot


class _Time:
    """The field ``time`` of an event: what the clock gave until somebody reads it, since most handlers never do."""

    __set__ = _time.__set__

    def __get__(self, event: HookEvent | None, owner: type[HookEvent]) -> Any:
        if event is None:
            return self
        found = _time.__get__(event)
        if isinstance(found, float):
            found = datetime.fromtimestamp(found, UTC)
            _time.__set__(event, found)
        return found


HookEvent.time = _Time()  # type: ignore[assignment]


def new_event(point: str, data: Mapping[str, Any], context: HookContext) -> HookEvent:
    """Return an event that happens now. For hosts, which make one for every call that has hooks.

    It is filled while it is open, and becomes a ``HookEvent`` then: what is frozen from the start sets each field by a
    call, which takes three times as long.
    """
    event: Any = _Open()
    event.point = point
    event.time = time()
    event.data = data
    event.context = context
    event.__class__ = HookEvent
    made: HookEvent = event
    return made


@frozen
class Continue:
    """Go on unchanged; returning None means the same."""


@frozen
class Modify:
    """Go on with other data: new ``arguments`` (before) or another ``result`` (after), by key; the rest stays."""

    data: Mapping[str, Any]


@frozen
class Skip:
    """Do not make the call: ``result`` is its answer. Means something before a call only."""

    result: Any


@frozen
class Abort:
    """Stop the operation: the caller gets ``HookAborted`` with this plugin's id."""

    reason: str


Action = Continue | Modify | Skip | Abort
Handler = Callable[[HookEvent], "Awaitable[Action | None] | Action | None"]
