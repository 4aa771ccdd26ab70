"""One port whose selection names several providers: which of them stand in for which."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen
from loguru import logger

from hotswap.chance import PROOF, Chance
from hotswap.errors import HotswapError, says
from hotswap.generation import Generation
from hotswap.probation import Counted, Probation
from hotswap.standing import Standing
from hotswap.switchboard import Layer, Switchboard
from hotswap_ports import Health


@frozen
class Move:
    """A port is served by another provider of its selection."""

    port: str
    before: str
    after: str
    reason: str


@frozen
class Surroundings:
    """What an order needs of the kernel."""

    wiring: Switchboard
    now: Callable[[], float]
    wait: Callable[[], float]
    """Returns ``fail_back_after``."""
    asked: Callable[[str], bool]
    """Returns whether a plugin is asked how it is, without the application doing so."""
    failed: Callable[[Generation, Exception], None]
    """Put on the generations of the order as their ``on_failure``."""
    suspected: Callable[[Order], None]
    """Told when a first call has failed."""
    moved: Callable[[Move], None]
    changed: Callable[[], None]
    """Told when the order has to be looked at at another time than before."""
    redact: Callable[[str], str]


class Order:
    """The providers of one port in the order of its selection, and how each of them stands."""

    def __init__(self, port: str, around: Surroundings) -> None:
        self.port = port
        self._around = around
        self._wiring = around.wiring
        self._generations: Mapping[str, Generation] = {}
        self._standings: dict[str, Standing] = {}
        self._probations: dict[Generation, Probation] = {}
        self._chance: Chance | None = None

    @property
    def plugins(self) -> set[str]:
        """Return the plugins behind the order."""
        return {each.provider.plugin for each in self._generations.values()}

    def follow(self, generations: Mapping[str, Generation]) -> None:
        """Look after these providers, the first one first. What was opened anew begins as well."""
        before = self._serving()
        for name, old in self._generations.items():
            if generations.get(name) is not old:
                self._forget(name, old)
        self._generations = dict(generations)
        self._standings = {name: self._standings.get(name, Standing()) for name in generations}
        for generation in generations.values():
            generation.on_failure = self._around.failed
        for each in [each for each in self._probations if not self._in_service(each)]:
            self._end_probation(each)
        self._settle(before, "it was opened anew")
        self.look()

    def end(self) -> None:
        """Look after nobody any more. Slots lead to where they lead until somebody refreshes them."""
        self._give_chance(None)
        for name, each in self._generations.items():
            self._forget(name, each)
        self._generations = {}

    def _forget(self, name: str, generation: Generation) -> None:
        generation.on_failure = None
        self._end_probation(generation)
        if self._chance is not None and self._chance.name == name:
            self._give_chance(None)
        del self._standings[name]
        self._wiring.unwell.pop((self.port, name), None)

    def heard(self, plugin: str, health: Health) -> None:
        """Take note of how a plugin says it is."""
        for name, each in self._generations.items():
            if each.provider.plugin == plugin and not each.retired:  # what is being replaced is not judged any more
                if health.status == "unhealthy":
                    self._fall(name, f"its plugin is unhealthy: {health.message}".rstrip(": "), by_calls=False)
                else:
                    self._standings[name].healthy(self._around.now())
        self.look()

    def failed(self, generation: Generation, error: Exception) -> None:
        """Take note that a call has failed. From the first one on the provider's calls are counted, for a while."""
        name = generation.provider.name
        if self._generations.get(name) is not generation or generation.retired or self._standings[name].reason:
            return
        first = generation not in self._probations
        if first and not self._in_service(generation):
            return
        if first:
            self._suspect(generation)
        probation = self._probations[generation]
        probation.failed(says(error), self._around.now())
        self._weigh(probation)
        if first:
            self._around.suspected(self)

    def _suspect(self, generation: Generation, proven: int = 0) -> None:
        self._probations[generation] = Probation(generation, self._around.now(), proven, self._weigh)
        self._wiring.route(self.port, self._counted, Layer.COUNT)

    def _counted(self, generation: Generation) -> Counted | None:
        probation = self._probations.get(generation)
        return None if probation is None else Counted(generation, probation)

    def _end_probation(self, generation: Generation) -> None:
        if self._probations.pop(generation, None) is not None:
            self._wiring.route(self.port, self._counted if self._probations else None, Layer.COUNT)

    def _weigh(self, probation: Probation) -> None:
        if self._probations.get(probation.generation) is not probation:
            return
        if probation.down:
            self._fall(probation.generation.provider.name, str(probation), by_calls=True)
            self.look()
        elif probation.over(self._around.now()):
            self._end_probation(probation.generation)
        self._around.changed()

    def _fall(self, name: str, reason: str, *, by_calls: bool) -> None:
        before, standing = self._serving(), self._standings[name]
        reason = " ".join(self._around.redact(reason).split())  # a line: what an adapter says may be many
        now, wait = self._around.now(), self._around.wait()
        if not standing.reason:
            logger.bind(plugin=self._generations[name].provider.plugin).warning(
                "{}: the provider {} is unwell: {}", self.port, name, reason
            )
        if by_calls:
            standing.judge(reason, now, wait)
        else:
            standing.sick(reason, now, wait)
        self._wiring.unwell[self.port, name] = reason
        self._end_probation(self._generations[name])
        self._settle(before, f"{name} is unwell: {reason}")

    def _rise(self, name: str, reason: str) -> None:
        before = self._serving()
        self._standings[name].rise(self._around.now())
        del self._wiring.unwell[self.port, name]
        logger.bind(plugin=self._generations[name].provider.plugin).info(
            "{}: the provider {} is well again: {}", self.port, name, reason
        )
        self._settle(before, reason)

    def look(self) -> None:
        """Let come back who may by now, and end suspicions that have come to nothing."""
        now = self._around.now()
        for generation in [each for each, probation in self._probations.items() if probation.over(now)]:
            self._end_probation(generation)
        for name, standing in self._standings.items():
            if standing.recovering and not standing.judged and self._nobody_is_well():
                self._rise(name, f"{name} says it is well, and nobody else is")
            elif self._is_due(name) and not (standing.judged and self._would_serve(name)):
                self._rise(name, f"{name} has been well for {standing.wait:g} s")
        tried = [name for name in self._standings if self._is_due(name)]
        self._give_chance(tried[0] if tried else None)
        self._around.changed()

    def _is_due(self, name: str) -> bool:
        """Return whether a provider has waited long enough, and has been asked since, if it is asked at all."""
        due, plugin = self._standings[name].due, self._generations[name].provider.plugin
        if due is None or due > self._around.now():
            return False
        return self._standings[name].heard >= due or not self._around.asked(plugin)

    def _nobody_is_well(self) -> bool:
        return all(each.reason for each in self._standings.values())

    def _would_serve(self, name: str) -> bool:
        """Return whether a provider would serve if it were well: none before it is."""
        names = list(self._generations)
        return all(self._standings[each].reason for each in names[: names.index(name)])

    def _give_chance(self, name: str | None) -> None:
        if name == (self._chance.name if self._chance is not None else None):
            return
        self._chance = None
        if name is not None:
            self._chance = Chance(name, lambda: self._wiring.free(self.port, name), self._tried)
        self._wiring.route(self.port, None if self._chance is None else self._chance.policy, Layer.CHANCE)

    def _tried(self, chance: Chance, good: bool | None, error: Exception | None) -> None:
        """Take note of how a call ended by which a provider was given a chance."""
        if chance is not self._chance or good is None:
            return
        if error is not None and not good:
            self._fall(chance.name, f"it was tried again, and failed with: {says(error)}", by_calls=True)
        elif chance.good >= PROOF:
            self._give_chance(None)
            self._rise(chance.name, f"calls of {chance.name} succeed again")
            self._suspect(self._generations[chance.name], proven=PROOF)
        self.look()

    def alarm(self) -> float | None:
        """Return when the order has to be looked at again if nothing happens; None for not at all."""
        now = self._around.now()
        times = [each.ends for each in self._probations.values()]
        times += [each.due for each in self._standings.values() if each.due is not None]
        return min((each for each in times if each > now), default=None)

    def _serving(self) -> str:
        found = self._wiring.serving(self.port)
        return "" if isinstance(found, HotswapError) else found.provider.name

    def _in_service(self, generation: Generation) -> bool:
        """Return whether calls that name no provider go there, be it those of a plugin that wraps its own port."""
        slots = self._wiring.slots.of_port(self.port)
        return any(each.name is None and each.generation.provider is generation.provider for each in slots)

    def _settle(self, before: str, reason: str) -> None:
        """Let the port lead to where it should now."""
        self._wiring.refresh(self.port)
        after = self._serving()
        if before != after:
            self._around.moved(Move(self.port, before, after, reason))
