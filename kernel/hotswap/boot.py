"""Coming up: every wanted plugin is opened if it can be, and one that cannot stops nobody but its dependants."""

from __future__ import annotations

import asyncio

import attrs
from attrs import frozen

from hotswap.changes import Changes
from hotswap.errors import HotswapError, LockInvalid
from hotswap.instance import describe
from hotswap.lifecycle import Lifecycle
from hotswap.lock import Lock, read
from hotswap.manifest import Manifest
from hotswap.plan import Step, provider_names
from hotswap.planner import LOCK_NAME
from hotswap.resolver.model import Chosen
from hotswap.states import State
from hotswap_ports import NotReady


@frozen
class Backoff:
    """How long to wait before a plugin that was not ready is tried again, in seconds."""

    first: float = 0.5
    factor: float = 2.0
    most: float = 60.0

    def wait(self, attempt: int) -> float:
        """Return the seconds before attempt number ``attempt`` (from 1)."""
        return min(self.first * self.factor ** (attempt - 1), self.most)


class Boot:
    """Opens what the settings want, plugin by plugin, and goes on trying those that were not ready yet."""

    def __init__(self, changes: Changes, lifecycle: Lifecycle, backoff: Backoff | None = None) -> None:
        self._changes = changes
        self._lifecycle = lifecycle
        self._backoff = backoff or Backoff()
        self._retrying: asyncio.Task[None] | None = None
        self.problems: list[HotswapError] = []

    async def start(self) -> None:
        """Solve, then open in the solution's order."""
        changes = self._changes
        solution, left_out = changes.planner.solve_most(changes.settings, lock=self._lock())
        for plugin, error in left_out.items():
            self._lifecycle.note(plugin, State.BLOCKED, describe(error), error)
        changes.solution = solution
        changes.providers = provider_names(changes.planner.manifests_of(solution).values())
        for chosen in solution.plugins:
            self._lifecycle.note(chosen.id, State.RESOLVED, chosen.reason)
        for chosen in solution.plugins:
            await self._open(chosen)
        self._lifecycle.wiring.settled = True
        if self._waiting():
            self._retrying = asyncio.create_task(self._retry(), name="hotswap: retry plugins that were not ready")

    async def stop(self) -> None:
        """End the retries."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)

    def _lock(self) -> Lock | None:
        """Return the project's lock; one that cannot be read is a problem, and decides nothing."""
        path = self._changes.settings.folder / LOCK_NAME
        try:
            return read(path) if path.is_file() else None
        except LockInvalid as error:
            self.problems.append(error)
            return None

    async def _open(self, chosen: Chosen) -> None:
        lifecycle, changes = self._lifecycle, self._changes
        found = changes.planner.catalog.get(chosen.id, chosen.version)
        missing = self._missing(chosen, found.manifest)
        if missing:
            names = ", ".join(missing)
            lifecycle.note(chosen.id, State.WAITING, f"it waits for {names}", blocked_by=missing)
            return
        step = Step("start", chosen.id, after=found.manifest.raw_version, reason=chosen.reason)
        plan = attrs.evolve(changes.no_steps(changes.settings), steps=(step,))
        try:
            await lifecycle.apply(plan, {chosen.id: found})
        except NotReady as error:
            lifecycle.note(chosen.id, State.WAITING, f"it is not ready yet: {error}", error)
        except HotswapError as error:
            lifecycle.note(chosen.id, State.FAILED, describe(error), error)

    def _missing(self, chosen: Chosen, manifest: Manifest) -> list[str]:
        """Return the plugins that this one needs and that are not open."""
        instances = self._lifecycle.instances
        needed = [each.id for each in manifest.dependencies if not each.optional]
        for each in manifest.requires:
            provider = chosen.ports.get(each.port)
            if not each.optional and provider and not self._lifecycle.wiring.providers(each.port):
                needed.append(provider)
        return sorted({each for each in needed if each not in instances})

    def _waiting(self) -> list[Chosen]:
        notes = self._lifecycle.notes
        return [each for each in self._changes.solution.plugins if notes[each.id].state is State.WAITING]

    async def _retry(self) -> None:
        attempt = 1
        while any(isinstance(self._lifecycle.notes[each.id].error, NotReady) for each in self._waiting()):
            await asyncio.sleep(self._backoff.wait(attempt))
            for each in self._waiting():
                async with self._changes.turn:
                    if self._lifecycle.notes[each.id].state is State.WAITING:
                        await self._open(each)
            attempt += 1
