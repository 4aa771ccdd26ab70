"""The trials of one kernel: one a port, from its beginning to what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import frozen
from loguru import logger

from hotswap.changes import Changes
from hotswap.errors import HookAborted, HotswapError, TeardownFailed, TrialRefused, says
from hotswap.generation import Generation
from hotswap.plan import Plan
from hotswap.relays import Policy
from hotswap.trials.canary import Canary
from hotswap.trials.course import Course
from hotswap.trials.shadow import Shadowing
from hotswap.trials.stats import Kind, Verdict
from hotswap.trials.terms import CanaryTerms, ShadowTerms
from hotswap.trials.trial import Trial

LEFT = "the kernel was left"


@frozen(eq=False)
class UnderWay:
    """A trial that is under way, and what it stands on."""

    course: Course
    mode: Canary | Shadowing
    """What directs the calls."""
    names: tuple[str, ...]
    """What is selected when the candidate is promoted: the candidate, then those to fall back on."""
    selected: tuple[str, ...]
    """The selection of the port when it began."""


class Trials:
    """Starts trials, ends those whose ground is gone, and carries out what is decided.

    Args:
        clock: returns seconds.
    """

    def __init__(self, changes: Changes, clock: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._board = changes.lifecycle.wiring
        self._clock = clock
        self._closed = False
        self._trials: dict[str, Trial] = {}
        self._under_way: dict[str, UnderWay] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        changes.committed.append(self._look)

    def all(self) -> Mapping[str, Trial]:
        """Return the last trial of each port by its name, those under way and those that are over."""
        return MappingProxyType(self._trials)

    async def start(self, port: str, names: tuple[str, ...], terms: CanaryTerms | ShadowTerms) -> Trial:
        """Try ``names[0]`` beside the provider of a port; it is opened first if it is not open.

        Raises:
            PortUnknown, ProviderNotFound: there is no such port, or no such provider of it.
            TrialRefused: the port has a trial, or nobody to compare with, or the candidate serves it already.
            HotswapError: the candidate could not be opened.
        """
        self._changes.plan(select={port: names})  # looks before it touches: it raises what cannot be done
        self._check_free(port, names[0])
        if names[0] not in self._board.providers(port):
            plugin = self._changes.planner.catalog.provider(port, names[0])[0]
            await self._changes.change(("enable", plugin), lambda changes: changes.plan(enable=[plugin]))
        await self._wake(port, names[0])
        self._check_free(port, names[0])
        return self._begin(port, names, terms)

    async def _wake(self, port: str, candidate: str) -> None:
        """Open both sides where the first call was to do it: a trial compares what is open."""
        serving, activation = self._board.serving(port), self._changes.lifecycle.activation
        sides = [self._board.providers(port).get(candidate), None if isinstance(serving, HotswapError) else serving]
        for each in sides:
            if each is not None and activation is not None:
                await activation.wake(each.provider.plugin)

    def _check_free(self, port: str, candidate: str) -> None:
        if port in self._under_way:
            hint = "Await its verdict(), or stop() it."
            raise TrialRefused(port, candidate, f"{self._trials[port].candidate!r} is on trial there", hint)

    def _begin(self, port: str, names: tuple[str, ...], terms: CanaryTerms | ShadowTerms) -> Trial:
        candidate, serving = self._board.providers(port).get(names[0]), self._board.serving(port)
        if candidate is None or self._closed:
            raise TrialRefused(port, names[0], LEFT if self._closed else "it is not open")
        if isinstance(serving, HotswapError):
            hint = f"Select one first: `await kernel.select({port!r}, ...)`."
            raise TrialRefused(port, names[0], f"there is nobody to compare it with: {serving}", hint)
        if serving is candidate:
            raise TrialRefused(port, names[0], "it serves the port already", "Try it beside another provider.")
        under = self._under(serving, candidate, names, terms)
        trial = self._trials[port] = Trial(under.course)
        self._under_way[port] = under
        self._board.route(port, lambda current: self._policy(under, current))
        task = asyncio.create_task(self._see_through(under), name=f"hotswap: {trial.kind} for {port}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        logger.info("Began the {}", trial)
        return trial

    def _under(
        self, current: Generation, candidate: Generation, names: tuple[str, ...], terms: CanaryTerms | ShadowTerms
    ) -> UnderWay:
        course = Course(_kind(terms), current.provider, candidate.provider, self._clock)
        mode: Canary | Shadowing
        if isinstance(terms, CanaryTerms):
            mode = Canary(course, candidate, terms)
        else:
            mode = Shadowing(course, candidate, terms, self._changes.lifecycle.redact)
        return UnderWay(course, mode, names, self._selected(course.port))

    def _selected(self, port: str) -> tuple[str, ...]:
        return tuple(self._board.selected.get(port, ()))

    def _policy(self, under: UnderWay, current: Generation) -> Policy | None:
        """Return what a slot that leads to ``current`` does with its calls; part of every switch of the port."""
        self._check(under)
        return None if under.course.decided else under.mode.beside(current)

    def _look(self) -> None:
        for each in self._under_way.values():
            self._check(each)

    def _check(self, under: UnderWay) -> None:
        if not under.course.decided and (reason := self._broken(under)):
            under.course.decide("aborted", reason)

    def _broken(self, under: UnderWay) -> str:
        """Return what a trial has lost of the ground it stands on; empty for nothing."""
        course, selected = under.course, self._selected(under.course.port)
        if tuple(each for each in under.selected if each in selected) != selected:  # names may go with their plugins
            return "another selection was made"
        there = self._board.providers(course.port).get(course.candidate)
        if there is None:
            return f"{course.candidate} was closed"
        if there is not under.mode.candidate or self._board.stood_in_for(there):
            return f"{course.candidate} was replaced by another generation of itself"
        serving = self._board.serving(course.port)
        name = "nobody" if isinstance(serving, HotswapError) else serving.provider.name
        return "" if name == course.current else f"{name} serves the port now"

    async def _see_through(self, under: UnderWay) -> None:
        """Wait for the decision, and carry it out."""
        course, mode = under.course, under.mode
        decision = await course.decision()
        self._board.route(course.port, None)
        outcome, reason = decision.outcome, decision.reason
        if outcome == "promoted" and (problem := await self._promote(under)):
            outcome, reason = "aborted", f"{reason}, and could not be selected: {problem}"
        await mode.finish(patiently=outcome == "stopped")
        del self._under_way[course.port]
        verdict = course.conclude(outcome, reason)
        level = "WARNING" if outcome == "aborted" and not self._closed else "INFO"
        logger.log(level, "Ended the {}; {}; {}", verdict.headline, verdict.stats.current, verdict.stats.candidate)
        await self._tell(course, verdict)

    async def _promote(self, under: UnderWay) -> str:
        """Select the candidate for good; return why it could not be done, empty when it is done."""
        course = under.course

        def make(changes: Changes) -> Plan:
            if self._closed or (reason := self._broken(under)):
                raise TrialRefused(course.port, course.candidate, LEFT if self._closed else reason)
            return changes.plan(select={course.port: under.names})

        if self._closed:
            return LEFT
        try:
            await self._changes.change(("promote", course.port, *under.names), make)
        except TeardownFailed as error:  # it is selected; what it replaced did not close cleanly
            logger.warning("{}", error)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told as what came of the trial
            return f"{type(error).__name__}: {says(error)}"
        return ""

    async def _tell(self, course: Course, verdict: Verdict) -> None:
        data = {"port": course.port, "provider": course.candidate, "outcome": verdict.outcome}
        try:
            await self._changes.lifecycle.hooks.fire(
                "on_trial_end", {**data, "reason": verdict.reason, "stats": verdict.stats}
            )
        except HookAborted as error:
            logger.warning("It is too late to abort the end of a trial: {}", error)

    def close(self) -> None:
        """Decide all trials, and begin no more: the kernel is being left."""
        self._closed = True
        for each in self._under_way.values():
            each.course.decide("aborted", LEFT)

    async def finish(self) -> None:
        """Wait until all is carried out that was decided."""
        if self._tasks:
            await asyncio.wait(self._tasks)


def _kind(terms: CanaryTerms | ShadowTerms) -> Kind:
    return "canary" if isinstance(terms, CanaryTerms) else "shadow"
