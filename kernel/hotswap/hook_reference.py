"""The reference of all hook points, written from the code: ``docs/reference/hooks.md``.

``python -m hotswap.hook_reference > docs/reference/hooks.md`` writes it anew; a test holds the file to it.
"""

from __future__ import annotations

from hotswap.handles import port_methods
from hotswap.hook_points import FIRED, Points
from hotswap.port_directory import PortDirectory

_HEAD = """# Hook points

A handler is registered with `kernel.on(point, handler)`, or with `context.events.on(...)` in a plugin. It gets a
`HookEvent` and returns `Continue`, `Modify`, `Skip`, `Abort` or nothing. Lower priorities run first; `before=` and
`after=` name plugins and beat priorities. A handler that raises, or takes longer than 10 seconds, is logged, counted
and passed over. This page is generated from the code.

## Moments

These are fired by name. The points of steps and protocols are there for plugins that execute them; the kernel itself
fires the others.

| point | data |
|---|---|
"""
_DATA = {
    "on_startup": "nothing; all plugins are open",
    "on_shutdown": "nothing; all plugins are still open",
    "on_plugin_load": "`plugin`, `version`",
    "on_plugin_unload": "`plugin`, `version`",
    "on_config_change": "`plugin`, `keys` (the settings that were given; no values)",
}
_EVENTS = """
A plugin's own events are `event.<plugin id>.<name>`, with the data that the plugin gives to `context.events.emit`.

## Groups of calls

| point | stands for |
|---|---|
"""
_CALLS = """
## Calls

Each async method of each port has three points: `pre_<port>.<method>` (data: `arguments`, a dict by parameter name),
`post_<port>.<method>` (`arguments`, `result`) and `error_<port>.<method>` (`arguments`, `error`).

| port | methods |
|---|---|
"""


def markdown() -> str:
    """Return the page, for the ports that hotswap brings along."""
    ports = {each.PORT: [m.name for m in port_methods(each) if m.kind != "sync"] for each in PortDirectory.own()}
    points = Points(ports)
    named = [each for each in points.names if each not in FIRED and "." not in each]
    moments = [f"| `{each}` | {_DATA.get(each, 'what the plugin gives')} |" for each in sorted(FIRED)]
    groups = [f"| `{each}` | {_targets(points, each)} |" for each in named]
    calls = [f"| `{port}` | {', '.join(f'`{each}`' for each in ports[port])} |" for port in sorted(ports)]
    return "\n".join([_HEAD.rstrip(), *moments, _EVENTS.rstrip(), *groups, _CALLS.rstrip(), *calls]) + "\n"


def _targets(points: Points, point: str) -> str:
    return ", ".join(f"`{stage}_{port}.{method}`" for port, method, stage in sorted(points.targets(point)))


if __name__ == "__main__":
    print(markdown(), end="")
