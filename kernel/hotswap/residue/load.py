"""One opening of a plugin: what belongs to it, and what must not outlive it.

What the residue check knows of the inside of a kernel is in this module, in ``tap.opening_in``, which knows how a
plugin's task begins, and atop ``trace``, which knows what calls through handles and of handlers look like.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import ref

from attrs import frozen

from hotswap_ports import Plugin

if TYPE_CHECKING:
    from hotswap.kernel import Kernel

LOADED = "hotswap_loaded"
"""The package whose packages are the loads of plugins in plain folders: see ``hotswap.loader``."""
_OURS = frozenset({"hotswap", "hotswap_ports"}) | sys.stdlib_module_names


class Host(Protocol):
    """What is read of a kernel: its ``Lifecycle``."""

    @property
    def instances(self) -> Mapping[str, Any]: ...

    @property
    def notes(self) -> Mapping[str, Any]: ...

    @property
    def wiring(self) -> Any: ...

    @property
    def hooks(self) -> Any: ...


def host_of(kernel: Kernel | Host) -> Host:
    """Return what is read of a kernel."""
    return cast("Host", getattr(kernel, "_lifecycle", kernel))


def opened_in(host: Host) -> Iterator[tuple[Any, asyncio.Task[Any]]]:
    """Yield what is open in a kernel, each with the task that keeps it."""
    for instance in list(host.instances.values()):
        task = instance.keep()
        if task is not None:
            yield instance, task


def is_of(host: Host, instance: Any) -> bool:
    """Return whether an opening, which may not be in force yet, is one of this kernel's."""
    return instance._wiring is host.wiring


def handlers_in(host: Host) -> Sequence[tuple[str, str, Any]]:
    """Return point, plugin id and handler of every hook in force."""
    return [(each.point, each.source, each.handler) for each in host.hooks._registry.of_source(None)]


def errors_in(host: Host) -> Iterator[BaseException]:
    """Yield the errors that a kernel keeps for whoever asks why; they hold the calls in which they came up."""
    for note in list(host.notes.values()):
        error: BaseException | None = note.error
        while error is not None:
            yield error
            error = error.__cause__ or error.__context__


@frozen
class Kept:
    """Something of a plugin that is to be gone when it is closed."""

    name: str
    reference: ref[Any]
    rank: int
    """What says most comes first: an instance, then a class, then a module."""


class Code:
    """The code of one load, known by nothing but the name of its package: it failed, or is long gone."""

    ours = True
    early = False
    """Whether it was open before the watch began: what it did before was not seen."""
    folder: Path | None = None

    def __init__(self, plugin: str, root: str) -> None:
        self.plugin = plugin
        self.root = root
        """The module name under which all of it lives, or lived."""

    @classmethod
    def of(cls, module: str) -> Code:
        """Return the load that a module of a plugin in a plain folder belongs to: its package is named after it."""
        name = module.split(".")[1]
        return cls(name.rpartition("_")[0].replace("_", "-"), f"{LOADED}.{name}")

    @property
    def code_leaves(self) -> bool:
        """Return whether its code goes with it; code in an importable package stays, since others may use it."""
        return self.root.startswith(f"{LOADED}.")

    def is_open(self, host: Host) -> bool:
        """Return whether its code is in use."""
        return self.root in sys.modules

    def owns_module(self, module: str) -> bool:
        """Return whether a module is the plugin's own."""
        return bool(self.root) and (module == self.root or module.startswith(f"{self.root}."))

    def owns_file(self, file: str) -> bool:
        """Return whether a file is the plugin's own, or that of a class that it uses."""
        return False

    def stands_for(self, origin: object) -> bool:
        """Return whether something was made on its behalf."""
        return False


class Load(Code):
    """One opening of a plugin, from its beginning.

    Args:
        instance: the opened plugin; it is held until its task has ended, when all that belongs to it is known.
        task: the one in which it is opened and closed.
        token: stands for it in ``Made.origin``.
        ours: whether it is one of the kernel that is watched.
    """

    def __init__(self, instance: Any, task: asyncio.Task[Any], token: object, *, ours: bool) -> None:
        loaded = instance.prepared.loaded
        super().__init__(instance.id, loaded.root)
        self.token = token
        self.ours = ours
        self.folder: Path = Path(loaded.found.path)
        self.files = frozenset(_files(loaded))
        """Where the classes that it uses and did not write itself come from: other plugins may use them too."""
        self.ended = False
        self._instance = ref(instance)
        self.providers: tuple[Any, ...] = ()
        self.kept: tuple[Kept, ...] = ()
        self._task = ref(task)
        self._note = partial(self._noted, instance)
        task.add_done_callback(self._note)

    def _noted(self, instance: Any, done: object) -> None:
        self.ended = True
        self.providers = tuple(each.provider for each in instance.generations)
        self.kept = tuple(_kept(instance, self.code_leaves))
        del self._note

    def let_go(self) -> None:
        """Do not look any more whether it is closed: nobody watches."""
        task = self._task()
        if not self.ended and task is not None:
            task.remove_done_callback(self._note)
            del self._note

    def __repr__(self) -> str:
        return f"<{'ended' if self.ended else 'open'} load of {self.plugin}: {self.root}>"

    def is_open(self, host: Host) -> bool:
        """Return whether it is open, or still stands for an open plugin."""
        instance = self._instance()
        return not self.ended or (instance is not None and host.instances.get(self.plugin) is instance)

    def owns_file(self, file: str) -> bool:
        """Return whether a file, or its folder, is the plugin's own, or that of a class that it uses."""
        return file in self.files or f"{file}{os.sep}".startswith(f"{self.folder}{os.sep}")

    def stands_for(self, origin: object) -> bool:
        """Return whether something was made on its behalf."""
        return origin is not None and any(origin is each for each in (self.token, *self.providers))

    @property
    def forgotten(self) -> bool:
        """Return whether nothing of it is left."""
        return self.ended and self.ours and all(each.reference() is None for each in self.kept)


def _files(loaded: Any) -> Iterator[str]:
    for cls in (loaded.plugin_class, *loaded.adapters.values()):
        for base in cls.__mro__:
            if "PORT" not in vars(base) and base.__module__.partition(".")[0] not in _OURS:
                file = getattr(sys.modules.get(base.__module__), "__file__", None)
                if file is not None:
                    yield file


def _kept(instance: Any, with_code: bool) -> Iterator[Kept]:
    loaded = instance.prepared.loaded
    things = [(f"adapter {type(each.target).__qualname__}", each.target, 0) for each in instance.generations]
    if instance.plugin is not None:
        things.append((f"plugin object {type(instance.plugin).__qualname__}", instance.plugin, 0))
    if with_code:
        classes = {*loaded.adapters.values(), loaded.plugin_class} - {Plugin}
        things += [(f"class {each.__qualname__}", each, 1) for each in classes]
        prefix = f"{loaded.root}."
        modules = [(name, each) for name, each in list(sys.modules.items()) if f"{name}.".startswith(prefix)]
        things += [(f"module {name}", each, 2) for name, each in modules]
    for name, thing, rank in things:
        with suppress(TypeError):  # a class with __slots__ and no place for weak references cannot be followed
            yield Kept(name, ref(thing), rank)
