"""Whatever happens to providers, and in whatever order: who serves follows from who is unwell, and it ends well."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswap import Kernel
from hotswap_ports import HookEvent, PortError, Unavailable
from tests.moody_plugin import SICK, WELL, ManualTimer, Mood, moody, moody_kernel, quiet
from tests.plugin_folder import Greeter

NAMES = ("a", "b", "c")
EVENTS = st.one_of(
    st.tuples(st.just("sick"), st.sampled_from(NAMES)),
    st.tuples(st.just("well"), st.sampled_from(NAMES)),
    st.tuples(st.just("fails"), st.sampled_from(NAMES)),
    st.tuples(st.just("works"), st.sampled_from(NAMES)),
    st.tuples(st.just("call"), st.integers(1, 8)),
    st.tuples(st.just("time"), st.sampled_from([1, 9, 10, 31, 100, 700])),
    st.tuples(st.just("ask"), st.just(0)),
    st.tuples(st.just("configure"), st.sampled_from(NAMES)),
    st.tuples(st.just("select"), st.permutations(NAMES)),
)


def gone() -> Exception:
    return Unavailable("gone")


class Run:
    """A kernel with three providers, and what is known of it."""

    def __init__(self, kernel: Kernel, timer: ManualTimer, moods: dict[str, Mood], folder: Path) -> None:
        self.kernel, self.timer, self.moods, self.folder = kernel, timer, moods, folder
        self.order: tuple[str, ...] = NAMES
        self.moves: list[tuple[str, str]] = []
        kernel.on("on_failover", self.moved)

    def moved(self, event: HookEvent) -> None:
        if event.data["port"] == "greeter":
            self.moves.append((event.data["before"], event.data["after"]))

    async def do(self, event: str, value: Any) -> None:
        match event:
            case "sick":
                self.moods[value].health = SICK
            case "well":
                self.moods[value].health = WELL
            case "fails":
                self.moods[value].error = gone
            case "works":
                self.moods[value].error = None
            case "call":
                await self.call(value)
            case "time":
                await self.timer.advance(value)
            case "ask":
                await self.kernel.health()
            case "configure":
                await self.configure(value)
            case "select":
                self.order = tuple(value)
                self.moves.clear()  # a person's moves are none of failover's
                await self.kernel.select(Greeter, *value)
        await quiet()
        self.check()

    async def call(self, times: int) -> None:
        for _ in range(times):
            expected, may = self.expected(), set(self.kernel.ports()["greeter"].unwell)
            try:
                answered = await self.kernel.get(Greeter).greet("x")
            except PortError:
                assert any(self.moods[each].error for each in {expected, *may})
            else:
                assert answered in {expected, *may}  # one that is unwell may be having its chance

    async def configure(self, name: str) -> None:
        if self.moods[name].health is WELL:
            await self.kernel.configure(name, {"folder": str(self.folder), "more": self.timer.now})

    def expected(self) -> str:
        unwell = self.kernel.ports()["greeter"].unwell
        return next((each for each in self.order if each not in unwell), self.order[0])

    def check(self) -> None:
        """The first one that is well serves; moves lead from one to another; no lease is lost."""
        assert self.kernel.ports()["greeter"].serving == self.expected()
        assert all(before != after for before, after in self.moves)
        assert all(one[1] == other[0] for one, other in pairwise(self.moves))
        for each in self.kernel._lifecycle.instances.values():
            assert all(generation.leases == 0 for generation in each.generations)
        assert len(self.timer.alarms) == 1

    async def recover(self) -> None:
        """With all of them well and working, and calls being made, the first serves and nothing is left of it."""
        for each in self.moods.values():
            each.health, each.error = WELL, None
        for _ in range(5):
            await self.timer.advance(700)
            await self.call(5)
        await self.call(20)
        assert self.kernel.ports()["greeter"].unwell == {}
        assert await self.kernel.get(Greeter).greet("x") == self.order[0]
        handle: Any = self.kernel.get(Greeter)
        assert type(handle._slot.generation.target).__name__ == "Hello"


@settings(max_examples=40, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_who_serves_follows_from_who_is_unwell_and_it_ends_well(events: list[tuple[str, Any]]) -> None:
    """After any history the first provider that is well serves, and when all is well again, the first one."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            timer, root = ManualTimer(), Path(folder)
            moods = dict(zip(NAMES, moody(root, *NAMES), strict=True))
            async with moody_kernel(root, timer, *NAMES, ports={"greeter": NAMES}) as kernel:
                story = Run(kernel, timer, moods, root)
                for event, value in events:
                    await story.do(event, value)
                await story.recover()
            assert not timer.alarms

    asyncio.run(run())
