"""Code in, code out: imports a plugin's modules and holds its classes against the manifest.

A plugin inside an importable package (``hotswap_plugins.research``) is imported by its own name. One in a plain folder
gets a package name of its own for each load, ``hotswap_loaded.<id>_<n>``, whose path is that folder: relative imports
work as in any package, two versions side by side do not mix, and dropping the name drops the code.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterable, Mapping
from types import ModuleType

from attrs import field, frozen

from hotswap.errors import HotswapError, PluginLoadFailed
from hotswap.found import Found
from hotswap.import_thread import Overdue, one_by_one
from hotswap.loader.classes import adapter_class, plugin_class
from hotswap.loader.entry_point import EntryPoint, entry_point_of
from hotswap.loader.finder import FINDER
from hotswap.loader.folder import FolderModules
from hotswap.loader.importing import import_of
from hotswap.loader.module_set import ModuleSet
from hotswap.loader.source import CheckedLoader, FreshLoader, SourceLoader
from hotswap.manifest import Provide
from hotswap.port_directory import PortDirectory
from hotswap_ports import Plugin, Port

_OVERDUE = "Code that runs on import belongs into start(); or raise open_timeout under [plugins] in hotswap.toml."


@frozen
class Loaded:
    """A plugin's code, held against its manifest."""

    found: Found
    module: ModuleType | None
    adapters: Mapping[Provide, type[Port]]
    plugin_class: type[Plugin]
    root: str
    """The module name under which everything of this load lives."""
    modules: ModuleSet | None = field(default=None, eq=False, repr=False)
    """What ``undo`` takes back; None when there was nothing to import, or others may have imported it since."""


def load(found: Found, ports: PortDirectory, *, fresh: bool = False) -> Loaded:
    """Import a plugin's code; ``fresh`` compiles it anew, even where a package of that name is in use.

    A package that is in use with another version of the plugin is imported anew in any case.

    Raises:
        PluginLoadFailed: it cannot be imported, or lacks what its manifest names. Everything is as it was before.
        PortUnknown: it provides a port that this host does not have.
    """
    return _Loading(found, ports, fresh).run()


async def load_beside(found: Found, ports: PortDirectory, seconds: float, *, fresh: bool = False) -> Loaded:
    """Do as ``load``, in a thread: callers go on meanwhile. Code whose import does not end is left to itself.

    Raises:
        PluginLoadFailed: as ``load``, or the import took longer than ``seconds``.
        PortUnknown: as ``load``.
    """
    (outcome,) = await _load_all([_Loading(found, ports, fresh)], seconds)
    if isinstance(outcome, HotswapError):
        raise outcome
    return outcome


async def load_many(founds: Iterable[Found], ports: PortDirectory, seconds: float) -> dict[str, Loaded | HotswapError]:
    """Do as ``load_beside`` for many plugins, one after another in one thread; return by id what came of each.

    One that fails, or takes longer than ``seconds``, is its own failure. What the caller does not use of the rest is
    handed to ``undo``.
    """
    loadings = [_Loading(each, ports) for each in founds]
    outcomes = await _load_all(loadings, seconds)
    return {each.found.id: outcome for each, outcome in zip(loadings, outcomes, strict=True)}


def undo(loaded: Loaded) -> None:
    """Take a load back that nothing was made of: what was in use before is in its place again."""
    if loaded.modules is not None:
        FINDER.withdraw(loaded.modules)


def drop(root: str) -> None:
    """Forget the modules of a load that was closed, importers before what they import.

    The newest code of an importable package stays, since others may have imported it too.
    """
    modules = FINDER.in_force(root)
    if modules is not None and modules.has_own_name:
        FINDER.withdraw(modules)
    else:
        FINDER.settle(root)


async def _load_all(loadings: list[_Loading], seconds: float) -> list[Loaded | HotswapError]:
    outcomes: list[Loaded | HotswapError] = []
    for loading, answer in zip(loadings, await one_by_one(loadings, seconds=seconds), strict=True):
        if isinstance(answer, (Loaded, HotswapError)):  # a union would be made anew for each
            outcomes.append(answer)
        elif isinstance(answer, Overdue):
            reason = f"importing it took longer than {seconds:g} s"
            outcomes.append(PluginLoadFailed(loading.found.id, reason, _OVERDUE))
        else:  # no plugin's failure
            for each in loadings:
                each.abandon()
            raise answer
    return outcomes


class _Loading:
    """One load on its way, in any thread; whoever waits for it may abandon it."""

    def __init__(self, found: Found, ports: PortDirectory, fresh: bool = False) -> None:
        self.found = found
        self._ports = ports
        self._fresh = fresh
        self._lock = threading.Lock()
        self._abandoned = False
        self._modules: ModuleSet | None = None
        self._is_shared = False

    @property
    def name(self) -> str:
        """Return what the thread is called meanwhile."""
        return f"hotswap: import {self.found.id}"

    def abandon(self) -> None:
        """Take the load back, however far it has come."""
        with self._lock:
            self._abandoned = True
        self._take_back()

    def _take_back(self) -> None:
        if self._modules is not None:
            FINDER.withdraw(self._modules)

    def run(self) -> Loaded:
        """Import the code and hold it against the manifest."""
        manifest = self.found.manifest
        wanted = {each: self._ports.get(each.port, where=f"provided by {manifest.id}") for each in manifest.provides}
        if manifest.python is None:
            if wanted:
                raise PluginLoadFailed(manifest.id, "its manifest has no [plugin.python], so there is no code to load")
            return Loaded(self.found, None, {}, Plugin, "")
        entry = entry_point_of(self.found, manifest.python.entry_point)
        try:
            self._begin(entry)
            work = self._modules.import_module if self._modules else importlib.import_module
            module = import_of(manifest.id, entry.folder, entry.module, work)
            adapters = {each: adapter_class(manifest, module, each, port) for each, port in wanted.items()}
            undone = None if self._is_shared else self._modules
            loaded = Loaded(self.found, module, adapters, plugin_class(manifest, module), entry.root, undone)
        except BaseException:
            self._take_back()
            raise
        if self._modules is not None:
            FINDER.complete(self._modules)
        if self._abandoned:
            self._take_back()
        return loaded

    def _begin(self, entry: EntryPoint) -> None:
        """Let the names of this load lead to its own modules, unless it shares those that are in use already."""
        anew = self._fresh
        if not entry.has_own_name and entry.root in sys.modules:
            anew = anew or self._is_other_version(FINDER.in_force(entry.root))
            if not anew:
                return
        modules: ModuleSet
        if entry.has_own_name:
            modules = FolderModules(entry.root, FreshLoader if anew else CheckedLoader, entry.folder)
        else:
            folder = None if entry.is_elsewhere else entry.folder
            modules = ModuleSet(entry.root, FreshLoader if anew else SourceLoader, folder)
            self._is_shared = not anew
            modules.versions[self.found.id] = self.found.manifest.raw_version
        with self._lock:
            if self._abandoned:
                raise PluginLoadFailed(self.found.id, "nobody waits for it any more")
            self._modules = modules
            FINDER.begin(modules)

    def _is_other_version(self, used: ModuleSet | None) -> bool:
        """Return whether the modules in use are another version of this plugin; they are noted as its own if not."""
        version = self.found.manifest.raw_version
        return used is not None and used.versions.setdefault(self.found.id, version) != version
