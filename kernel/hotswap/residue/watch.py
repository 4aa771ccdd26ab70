"""A residue check: what was there before plugins came, and what is there when they have gone."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from hotswap.residue.attributes import Attributes, patched
from hotswap.residue.descriptors import descriptors, left_open
from hotswap.residue.finding import Finding, Kind, Residue
from hotswap.residue.load import Host, errors_in, host_of
from hotswap.residue.outside import Outside
from hotswap.residue.owners import Owners
from hotswap.residue.processes import children, left_running
from hotswap.residue.recorder import recorder
from hotswap.residue.records import Records
from hotswap.residue.registrations import changed_environment, environment, left_registered, registrations
from hotswap.residue.sources import Sources
from hotswap.residue.survivors import left_alive, left_modules
from hotswap.residue.tap import attach, detach
from hotswap.residue.workers import left_tasks, left_threads, left_timers

if TYPE_CHECKING:
    from hotswap.kernel import Kernel

Excused: TypeAlias = Callable[[object], bool]

PATIENCE = 1.0
"""Seconds for which what is still ending is waited for: ``finally`` blocks, and threads on their way out."""
_TURNS = 5
"""Turns of the event loop in which callbacks run that are due: a cancelled task ends in two."""
_PAUSE = 0.005
_LOOKS = 5
"""How often it is looked at least: a machine that is busy may take all of the patience for one."""
_LONGEST_PAUSE = 0.05
"""Seconds between two looks at what is still ending: more each time, up to this."""


class Watch:
    """One residue check, from before plugins come until after they have gone; an async context manager.

    Inside it, things are made a little more slowly: where each is made is remembered. See ``watching``.
    """

    def __init__(
        self, kernel: Kernel | Host, plugins: tuple[str, ...], *, alone: bool, patience: float, excused: Excused | None
    ) -> None:
        self._host = host_of(kernel)
        self._plugins = plugins
        self._alone = alone
        self._patience = patience
        self._excused = excused

    async def __aenter__(self) -> Watch:
        self._loop = asyncio.get_running_loop()
        self._outside = Outside()
        self._owners = Owners(self._host, self._plugins, self._outside.files)
        self._records = Records(self._owners.born)
        recorder.start(self._records)
        attach(self._loop)
        try:
            self._look()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def _look(self) -> None:
        """Note what is there before plugins come."""
        self._descriptors = descriptors()
        self._children = children()
        self._registered = frozenset(each.key for each in registrations(self._host, self._loop))
        self._environment = environment()
        self._modules = frozenset(sys.modules)
        self._attributes: Attributes | None = Attributes(self._owners)
        self._patches: list[tuple[Finding, int]] = []

    async def __aexit__(self, *exc_info: object) -> None:
        detach(self._loop)
        recorder.stop(self._records)
        self._owners.let_go()

    async def residue(self) -> Residue:
        """Return what is left of the plugins that were open meanwhile and are closed now.

        What is on its way out is waited for. It may be asked within the ``async with`` and after it, of what was
        closed within it, and more than once; patched attributes are compared the first time.
        """
        await self._settle()
        found = sorted(self._left(), key=lambda each: (each.plugin, _ORDER[each.kind]))
        return Residue(tuple(found))

    @property
    def closed(self) -> tuple[str, ...]:
        """Return the plugins that were open meanwhile, or about to be, and are closed now."""
        return tuple(each.plugin for each in self._owners.closed)

    def forget(self) -> None:
        """Let go of what is remembered of openings that nothing is left of, before memory is measured."""
        self._owners.forget()

    async def _settle(self) -> None:
        """Let what is ending end, and what nobody refers to go."""
        until = self._loop.time() + self._patience
        pause = _PAUSE
        for looks in count(1):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            gc.collect()
            ending = any(True for _ in self._busy()) or self._is_held()
            if not ending or (looks >= _LOOKS and self._loop.time() >= until):
                return
            await asyncio.sleep(pause)  # other threads run meanwhile: one that is ending may hold something
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _is_held(self) -> bool:
        """Return whether anything of what is closed is still alive, and nobody has an excuse for that."""
        if not self._owners.alive or self._excused is None:
            return self._owners.alive
        return any(True for _ in left_alive(self._owners, (), self._is_excused))

    def _busy(self) -> Iterator[tuple[Finding, Any]]:
        """Yield what is still there and may end by itself, each with the object that it is about."""
        owners, records = self._owners, self._records
        yield from left_tasks(owners, records)
        yield from left_timers(owners, records, self._loop)
        yield from left_threads(owners, records, self._loop)
        yield from left_running(self._children, owners, records, self._nobodys)
        yield from ((each, None) for each in left_open(self._descriptors, owners, records, self._nobodys))

    @property
    def _nobodys(self) -> str | None:
        """Return whose that is which nothing ties to a plugin; None leaves it out: others may be at work."""
        closed = self._owners.closed
        return None if not self._alone else closed[0].plugin if len(closed) == 1 else ""

    def _left(self) -> list[Finding]:
        owners, sources, nobodys = self._owners, Sources(self._outside.files), self._nobodys
        found = list(changed_environment(self._environment, owners, self._records))
        if self._attributes is not None:
            changes = self._attributes.changes(owners)
            self._patches = [(each, id(value)) for each, value in patched(changes, owners, sources, nobodys)]
            self._attributes = None
            del changes
        modules = left_modules(self._modules, owners)
        now = registrations(self._host, self._loop)
        known = {number for _, number in self._patches} | {id(each) for each in errors_in(self._host)}
        registered = left_registered(self._registered, now, owners, sources, nobodys)
        for each, thing in (*modules, *self._busy(), *registered):
            found.append(each)
            known.add(id(thing))
        found += (each for each, _ in self._patches)
        return [*found, *left_alive(owners, known, self._is_excused)]

    def _is_excused(self, holder: object) -> bool:
        return self._excused is not None and (self._outside.holds(holder) or self._excused(holder))


def watching(
    kernel: Kernel | Host,
    *plugins: str,
    alone: bool = False,
    patience: float = PATIENCE,
    excused: Excused | None = None,
) -> Watch:
    """Return a residue check of a kernel: ``async with watching(kernel, "my-plugin") as watch: ...``.

    Open plugins, use them and close them within it, then ask ``await watch.residue()``. What plugins have that are open
    is none of it, nor is what others do meanwhile: the application, other plugins, another kernel.

    Args:
        kernel: it may be entered within the check, and left; the lifecycle of one will do.
        plugins: ids of those to look at; none: all that are open at any time meanwhile.
        alone: nothing but plugins is at work in this process meanwhile. Then what cannot be traced to anybody counts
            too, such as a pipe, or a function of Python's own put in the place of another.
        patience: seconds for which to wait for what is ending by itself.
        excused: plugins are looked at by a test, which may hold what it likes, as may the errors and the log that tell
            of it, and whatever this says of a holder. None: what anybody holds of a plugin is left.
    """
    return Watch(kernel, plugins, alone=alone, patience=patience, excused=excused)


_ORDER = {each: number for number, each in enumerate(Kind)}
