"""What a hook's handler is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
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


@frozen
class HookEvent:
    """One event at a hook point."""

    point: str
    """``pre_storage_write``, ``on_startup``, ``post_scraper.scrape``."""
    time: datetime
    """Aware, UTC."""
    data: Mapping[str, Any] = field(factory=dict)
    """For a port method: ``arguments`` (a dict by parameter name) before, ``result`` after, ``error`` on failure."""
    context: HookContext = HookContext()


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
