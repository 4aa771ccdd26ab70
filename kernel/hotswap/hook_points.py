"""Which hook points there are, and which calls or moments each one stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal, TypeAlias

from hotswap.errors import HookInvalid, nearest

Stage: TypeAlias = Literal["pre", "post", "error"]
Target: TypeAlias = tuple[str, str, Stage]
"""Port, method, and when: before the call, after it, or after it failed."""

FIRED: frozenset[str] = frozenset(
    {
        "pre_protocol_execution", "post_protocol_execution", "on_protocol_error", "pre_step", "post_step",
        "on_startup", "on_shutdown", "on_plugin_load", "on_plugin_unload", "on_config_change",
        "on_trial_end",
        "on_failover",
    }
)  # fmt: skip
"""Points that somebody fires by name; the others belong to the calls of a port."""

_GENERATE = ("complete", "stream")
_READ = ("read", "get", "exists", "get_json", "list")
_WRITE = ("put", "put_json", "delete")
_NAMED: Mapping[str, tuple[Stage, str, tuple[str, ...]]] = {
    "pre_llm_request": ("pre", "ai", _GENERATE),
    "post_llm_response": ("post", "ai", _GENERATE),
    "on_llm_error": ("error", "ai", _GENERATE),
    "pre_storage_read": ("pre", "storage", _READ),
    "post_storage_read": ("post", "storage", _READ),
    "pre_storage_write": ("pre", "storage", _WRITE),
    "post_storage_write": ("post", "storage", _WRITE),
}
_STAGES: tuple[Stage, ...] = ("pre", "post", "error")
_EVENT = re.compile(r"event\.[a-z][a-z0-9-]*\.[A-Za-z0-9][A-Za-z0-9_.-]*")


class Points:
    """The hook points of one host, made from its ports when somebody asks for one."""

    def __init__(self, ports: Mapping[str, Iterable[str]]) -> None:
        self._ports = ports

    @cached_property
    def _targets(self) -> dict[str, frozenset[Target]]:
        methods = {port: frozenset(names) for port, names in self._ports.items()}
        targets: dict[str, frozenset[Target]] = {point: frozenset() for point in FIRED}
        for point, (stage, port, names) in _NAMED.items():
            known = methods.get(port, frozenset())
            targets[point] = frozenset((port, name, stage) for name in names if name in known)
        for port, known in methods.items():
            for name in known:
                for stage in _STAGES:
                    targets[f"{stage}_{port}.{name}"] = frozenset({(port, name, stage)})
        return targets

    @property
    def names(self) -> tuple[str, ...]:
        """Return every point but the events of plugins, sorted."""
        return tuple(sorted(self._targets))

    def targets(self, point: str) -> frozenset[Target]:
        """Return the calls that ``point`` stands for; none for a point that is fired by name.

        Raises:
            HookInvalid: there is no such point.
        """
        targets = self._targets.get(point)
        if targets is not None:
            return targets
        if _EVENT.fullmatch(point):
            return frozenset()
        hint = (
            nearest(point, self._targets) or "docs/reference/hooks.md lists them; a plugin's own are event.<id>.<name>."
        )
        raise HookInvalid(point, "there is no such point.", hint)

    def check_fired(self, point: str) -> None:
        """Raise HookInvalid unless ``point`` is one that is fired by name."""
        if point not in FIRED and self.targets(point) is self._targets.get(point):
            raise HookInvalid(point, "it belongs to the calls of a port, and is not fired by name.")
