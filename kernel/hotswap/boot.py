"""Coming up: every wanted plugin is opened if it can be, and one that cannot stops nobody but its dependants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from itertools import groupby

from attrs import frozen
from loguru import logger

from hotswap.activation import Activation, to_open
from hotswap.changes import Changes
from hotswap.errors import HotswapError, LockInvalid, PluginInitFailed
from hotswap.found import Found
from hotswap.guard import describe
from hotswap.keeper import end_all
from hotswap.lifecycle import Lifecycle
from hotswap.loader import undo
from hotswap.lock import parse, read_bytes
from hotswap.manifest import Manifest
from hotswap.plan import Plan, ProviderNames, Step
from hotswap.planner import LOCK_NAME
from hotswap.prepared import Prepared, prepare_many
from hotswap.resolver.model import Chosen, Solution
from hotswap.solution_cache import Distributions, SolutionCache
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
        try:
            return min(self.first * self.factor ** (attempt - 1), self.most)
        except OverflowError:
            return self.most


class Boot:
    """Opens what the settings want, plugin by plugin, and goes on trying those that were not ready yet."""

    def __init__(self, changes: Changes, lifecycle: Lifecycle, backoff: Backoff | None = None) -> None:
        self._changes = changes
        self._lifecycle = lifecycle
        self._backoff = backoff or Backoff()
        self._retrying: asyncio.Task[None] | None = None
        self._waiting: dict[str, Chosen] = {}
        self._changed = asyncio.Event()
        self._prepared: dict[str, Prepared | HotswapError] = {}
        self.activation = Activation(lifecycle, lambda: changes.settings, self._not_awake)
        self.problems: list[HotswapError] = []

    async def start(self) -> None:
        """Solve, then open in the solution's order; whoever wants to hear of it is told when all is done."""
        async with self._changes.turn:
            await self._open_all()
            news = self._lifecycle.take_news()
        self.problems += [each for each in await self._lifecycle.tell(news) if isinstance(each, HotswapError)]
        self._changes.committed.append(self._changed.set)
        if self._waiting:
            self._begin_retries()

    def _begin_retries(self) -> None:
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry(), name="hotswap: retry plugins that were not ready")

    async def _open_all(self) -> None:
        changes = self._changes
        solution, founds, left_out = self._solve()
        for plugin, error in left_out.items():
            self._lifecycle.note(plugin, State.BLOCKED, describe(error), error)
        self._settle(solution, founds)
        opening = to_open(founds, changes.settings)
        chosen = {each.id: each for each in solution.plugins} if opening else {}
        for each in chosen.values():
            self._lifecycle.note(each.id, State.RESOLVED, each.reason)
        life = self._lifecycle
        self._prepared = await prepare_many(opening.values(), life.ports, changes.settings, life.environ)
        for awake, group in groupby(founds, lambda each: each.id in opening) if opening else ((False, founds),):
            if not awake:
                self._rest(group)
                continue
            for found in group:
                if not await self._open(chosen[found.id], found):
                    self._settle_without(found.id)
        for left_over in self._prepared.values():
            if isinstance(left_over, Prepared):
                undo(left_over.loaded)
        self._prepared.clear()
        self._lifecycle.wiring.settled = True

    def _rest(self, founds: Iterable[Found]) -> None:
        """Put in force what is opened by the first call that needs it."""
        for found, error in self.activation.rest(founds):
            self._lifecycle.note(found.id, State.FAILED, describe(error), error)
            self._settle_without(found.id)

    def _settle(self, solution: Solution, founds: Sequence[Found]) -> None:
        """Take this for the solution: what failed is no part of it, so that nobody counts on it."""
        self._changes.solution = solution
        self._changes.providers = ProviderNames(lambda: [each.provides for each in founds])

    def _settle_without(self, plugin: str) -> None:
        solution = Solution(tuple(each for each in self._changes.solution.plugins if each.id != plugin))
        self._settle(solution, self._changes.planner.founds_of(solution))

    async def stop(self) -> None:
        """End the retries."""
        if self._retrying is not None:
            await end_all([self._retrying])

    def _solve(self) -> tuple[Solution, Sequence[Found], dict[str, HotswapError]]:
        """Return what to open, where that is, and for each plugin left out the error that says why.

        The project's lock is asked first; one that cannot be read is a problem, and decides nothing.
        """
        planner, settings = self._changes.planner, self._changes.settings
        path = settings.folder / LOCK_NAME
        try:
            data = read_bytes(path) if path.is_file() else None
            cache = SolutionCache(planner, settings, data, self._lifecycle.environ)
            known = cache.get()
            if known is not None:
                return *known, {}
            lock = None if data is None else parse(data, str(path))
        except LockInvalid as error:
            self.problems.append(error)
            solution, left_out = planner.solve_most(settings)
            return solution, planner.founds_of(solution), left_out
        distributions = Distributions()
        solution, left_out = planner.solve_most(settings, lock, distributions)
        if not left_out:
            cache.put(solution, distributions.answers)
        return solution, planner.founds_of(solution), left_out

    async def _open(self, chosen: Chosen, found: Found) -> bool:
        """Open a plugin on the way up; return whether it is open."""
        changes, life = self._changes, self._lifecycle
        missing = self._missing(chosen, found.manifest)
        if missing:
            self._wait(chosen, f"it waits for {', '.join(missing)}", blocked_by=missing)
            return False
        step = Step("start", chosen.id, after=found.manifest.raw_version, reason=chosen.reason)
        selected = life.wiring.selected
        plan = Plan((step,), changes.solution, changes.settings, selected, changes.providers, changes.revision)
        prepared = {chosen.id: self._prepared.pop(chosen.id)} if chosen.id in self._prepared else {}
        return await self._try(chosen, life.apply(plan, {chosen.id: found}, prepared=prepared))

    def _not_awake(self, plugin: str, error: Exception) -> None:
        """Note that a plugin could not be opened when a call needed it, and try again where that may help."""
        chosen = [each for each in self._changes.solution.plugins if each.id == plugin]
        self._settle_without(plugin)
        if _not_yet(error) and chosen:
            reason = f"it is not ready yet: {error}" if isinstance(error, NotReady) else describe(error)
            self._wait(chosen[0], reason, error)
            self._begin_retries()
        else:
            self._lifecycle.note(plugin, State.FAILED, describe(error), error)

    async def _try(self, chosen: Chosen, work: Awaitable[object]) -> bool:
        try:
            await work
        except NotReady as error:
            self._wait(chosen, f"it is not ready yet: {error}", error)
            return False
        except HotswapError as error:
            if _not_yet(error):
                self._wait(chosen, describe(error), error)
                return False
            self._lifecycle.note(chosen.id, State.FAILED, describe(error), error)
            self._waiting.pop(chosen.id, None)
            return False
        self._waiting.pop(chosen.id, None)
        return True

    def _wait(
        self, chosen: Chosen, reason: str, error: Exception | None = None, blocked_by: Sequence[str] = ()
    ) -> None:
        self._waiting[chosen.id] = chosen
        self._lifecycle.note(chosen.id, State.WAITING, reason, error, blocked_by)

    def _missing(self, chosen: Chosen, manifest: Manifest) -> list[str]:
        """Return the plugins that this one needs and that are not open."""
        life = self._lifecycle
        missing = {each.id for each in manifest.dependencies if not each.optional and not life.has(each.id)}
        for each in manifest.requires:
            provider = chosen.ports.get(each.port)
            if provider and not each.optional and not life.has(provider) and not life.wiring.providers(each.port):
                missing.add(provider)
        return sorted(missing)

    async def _retry(self) -> None:
        """Try what waits: after a while where something was not ready, and whenever something else was changed."""
        attempt = 1
        while self._waiting:
            unready = any(_not_yet(self._lifecycle.notes[each].error) for each in self._waiting)
            self._changed.clear()
            try:
                async with asyncio.timeout(self._backoff.wait(attempt) if unready else None):
                    await self._changed.wait()
            except TimeoutError:
                attempt += 1
            for chosen in list(self._waiting.values()):
                async with self._changes.turn:
                    await self._open_waiting(chosen)
                    news = self._lifecycle.take_news()
                await self._lifecycle.tell(news)

    async def _open_waiting(self, chosen: Chosen) -> None:
        """Open a plugin that waited, unless it was opened or disabled meanwhile, or still has to wait."""
        changes, plugin = self._changes, chosen.id
        if self._lifecycle.notes[plugin].state is not State.WAITING or plugin not in changes.planner.catalog:
            self._waiting.pop(plugin, None)
        elif not self._missing(chosen, changes.planner.catalog.get(plugin).manifest):
            await self._try(chosen, self._plan_and_open(plugin))

    async def _plan_and_open(self, plugin: str) -> None:
        left = await self._changes.carry_out(self._changes.plan_also(plugin))
        for error in await self._lifecycle.retire(left):
            logger.warning("What {} replaced did not close cleanly: {}", plugin, error)


def _not_yet(error: Exception | None) -> bool:
    """Return whether a plugin may open later: it says that it is not ready, or that it is not well (a check that
    raises says so too; one that would end the process is a defect)."""
    if isinstance(error, PluginInitFailed) and error.step == "health":
        return error.__cause__ is None or isinstance(error.__cause__, Exception)
    return isinstance(error, NotReady)
