"""What the process and the event loop have been given to keep: handlers, callbacks, settings, entries of paths."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from hotswap.residue.finding import Finding, Kind
from hotswap.residue.load import Host, Load, handlers_in
from hotswap.residue.owners import Owners, defined
from hotswap.residue.records import Records
from hotswap.residue.sources import Sources
from hotswap.residue.tap import factory_of, is_inner

_USED: Mapping[Kind, tuple[str, ...]] = {
    Kind.LOG_HANDLER: ("addHandler", "addFilter", "logger.add", "logging.basicConfig"),
    Kind.SIGNAL_HANDLER: ("add_signal_handler", "signal.signal"),
    Kind.EXIT_CALLBACK: ("atexit.register",),
    Kind.LOOP_SETTING: ("set_exception_handler", "set_task_factory"),
    Kind.IMPORT_PATH: ("sys.path", "sys.meta_path", "sys.path_hooks"),
}
"""How a plugin's source would register one."""


Key: TypeAlias = tuple[str, str, Any]
"""What tells a registration from any other: for an object, which one it is."""


@frozen(eq=False)
class Registration:
    """One thing that was given to be kept."""

    kind: Kind
    name: str
    value: Any
    plugin: str = ""
    """Whose it is, where it says so itself."""

    @property
    def key(self) -> Key:
        """Return what tells it from any other."""
        value = self.value if isinstance(self.value, str | int | None) else id(self.value)
        return self.kind.label, self.name, value


def registrations(host: Host, loop: asyncio.AbstractEventLoop) -> Iterator[Registration]:
    """Yield what is registered now."""
    for point, source, handler in handlers_in(host):
        yield Registration(Kind.HOOK, f"a handler of {point}", handler, source)
    yield from _log_handlers()
    yield from _signal_handlers(loop)
    for number in range(atexit._ncallbacks()):  # how many is all that can be known
        yield Registration(Kind.EXIT_CALLBACK, "called when the interpreter ends", number)
    yield Registration(Kind.LOOP_SETTING, "its exception handler", loop.get_exception_handler())
    yield Registration(Kind.LOOP_SETTING, "its task factory", factory_of(loop))
    for name in ("path", "meta_path", "path_hooks"):
        for entry in getattr(sys, name):
            if type(entry).__module__.startswith("hotswap."):  # the loader's own finder stays after the first load
                continue
            text = f" {entry!r}" if isinstance(entry, str) else ""
            yield Registration(Kind.IMPORT_PATH, f"sys.{name}{text}", entry)


def _log_handlers() -> Iterator[Registration]:
    loggers = {"root": logging.root, **logging.root.manager.loggerDict}
    for name, logger in list(loggers.items()):
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if type(handler) is not logging.NullHandler:  # libraries add one to say nothing
                    yield Registration(Kind.LOG_HANDLER, f"{type(handler).__name__} of the logger {name}", handler)
            for each in logger.filters:
                yield Registration(Kind.LOG_HANDLER, f"a filter of the logger {name}", each)
    if "loguru" in sys.modules:
        for number, sink in dict(sys.modules["loguru"].logger._core.handlers).items():
            yield Registration(Kind.LOG_HANDLER, f"sink {number} of loguru", _sink(sink))


def _sink(handler: Any) -> Any:
    """Return the function or stream that a handler of loguru writes to; itself where it is another kind."""
    sink = getattr(handler, "_sink", None)
    return getattr(sink, "_function", None) or getattr(sink, "_stream", None) or handler


def _signal_handlers(loop: asyncio.AbstractEventLoop) -> Iterator[Registration]:
    for number in sorted(signal.valid_signals()):
        name = number.name if isinstance(number, signal.Signals) else f"signal {number}"
        handler = signal.getsignal(number)
        if not is_inner(handler):  # it stands there for those below
            yield Registration(Kind.SIGNAL_HANDLER, name, handler)
    for number, handle in dict(getattr(loop, "_signal_handlers", {})).items():
        yield Registration(Kind.SIGNAL_HANDLER, f"{signal.Signals(number).name} of the event loop", handle._callback)


def left_registered(
    before: Collection[Key], now: Iterable[Registration], owners: Owners, sources: Sources, nobodys: str | None
) -> Iterator[tuple[Finding, Any]]:
    """Yield what plugins have registered and left, each with the registered value.

    Args:
        before: what was registered when the watch began.
        nobodys: the plugin of those that nothing ties to one; None leaves them out.
    """
    for each in now:
        found = _by_itself(each, before, owners, sources)
        if found is None and each.key not in before and each.value is not None:
            found = _by_source(each, owners, sources, nobodys)
        if found is not None:
            yield found, each.value


def _by_itself(each: Registration, before: Collection[Key], owners: Owners, sources: Sources) -> Finding | None:
    """Return what says by itself whose it is: by its code, or because it was registered in a plugin's name."""
    load = owners.author(each.value)
    if isinstance(load, Load) or (load is not None and each.key not in before):
        place = sources.uses(load.folder, *_USED.get(each.kind, ()))
        return Finding(each.kind, load.plugin, each.name, place or defined(each.value))
    if each.plugin and owners.looks_at(each.plugin) and each.plugin not in owners.host.instances:
        return Finding(each.kind, each.plugin, each.name, defined(each.value))
    return None


def _by_source(each: Registration, owners: Owners, sources: Sources, nobodys: str | None) -> Finding | None:
    """Return what was registered meanwhile, by the plugin that has it in its folder or whose source does so."""
    if each.kind is Kind.IMPORT_PATH and isinstance(each.value, str):
        for load in owners.closed:
            if load.owns_file(each.value):
                return Finding(each.kind, load.plugin, each.name, sources.uses(load.folder, *_USED[each.kind]))
    if nobodys is None or each.kind not in _USED:
        return None
    for load in owners.closed:
        place = sources.uses(load.folder, *_USED[each.kind])
        if place is not None:
            return Finding(each.kind, load.plugin, each.name, place)
    if each.kind is Kind.EXIT_CALLBACK:
        return None  # libraries register theirs when they are imported, and stay
    return Finding(each.kind, nobodys, each.name)


def environment() -> dict[str, str]:
    """Return the variables of the process, and its working folder as ``.``."""
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        folder = ""
    return {**os.environ, ".": folder}


def changed_environment(before: Mapping[str, str], owners: Owners, records: Records) -> Iterator[Finding]:
    """Yield the variables that plugins changed; their values may be secret."""
    now = environment()
    for name, made in records.environment.items():
        load = owners.maker(made)
        if load is not None and before.get(name) != now.get(name):
            what = "the working folder" if name == "." else f"the variable {name}"
            yield Finding(Kind.ENVIRONMENT, load.plugin, what, owners.place(made, load))
