"""Failover and fail-back, through a real kernel whose plugins feel what the test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from hotswap import Kernel, PlanOutdated, PluginInitFailed, State
from hotswap.boot import Backoff
from hotswap.generation import Generation
from hotswap.switchboard import Layer
from hotswap_ports import (
    Abort,
    AdapterFailed,
    Conflict,
    FeatureUnsupported,
    Health,
    HookEvent,
    InvalidContent,
    InvalidRequest,
    NotFound,
    NotWritable,
    PortError,
    RateLimited,
    Refused,
    TimedOut,
    TooLarge,
    Unavailable,
)
from tests.moody_plugin import SICK, WELL, Counter, ManualTimer, Mood, moody, moody_kernel, own_tasks, quiet
from tests.plugin_folder import JOURNAL, Clock, Greeter, write_plugin
from tests.waiting import until


@pytest.fixture
def timer() -> ManualTimer:
    return ManualTimer()


@pytest.fixture
async def pair(tmp_path: Path, timer: ManualTimer) -> AsyncIterator[tuple[Kernel, Mood, Mood]]:
    """A kernel whose ports ``greeter`` and ``counter`` have the order ``a``, ``b``, and their moods."""
    a, b = moody(tmp_path, "a", "b")
    async with moody_kernel(tmp_path, timer, "a", "b") as kernel:
        yield kernel, a, b


def serving(kernel: Kernel, port: str = "greeter") -> str:
    return kernel.ports()[port].serving


def unwell(kernel: Kernel) -> dict[str, str]:
    return dict(kernel.ports()["greeter"].unwell)


def gone() -> Exception:
    return Unavailable("gone")


def behind(kernel: Kernel, port: type[Any] = Greeter) -> Any:
    """Return what a call of the port is made on."""
    handle: Any = kernel.get(port)
    return handle._slot.generation.target


def is_plain(kernel: Kernel) -> bool:
    """Return whether nothing lies between a call and the adapter."""
    return type(behind(kernel)).__name__ == "Hello"


async def fail(kernel: Kernel, times: int = 1) -> None:
    """Make calls that fail."""
    for _ in range(times):
        with pytest.raises(PortError):
            await kernel.get(Greeter).greet("x")


async def succeed(kernel: Kernel, times: int = 1) -> list[str]:
    """Make calls that succeed; return who answered them."""
    return [await kernel.get(Greeter).greet("x") for _ in range(times)]


# Health


async def test_the_next_one_serves_while_the_first_says_it_is_unhealthy(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """An unhealthy provider is found at the next check, and the next of the order serves; settings stay as written."""
    kernel, a, _ = pair
    settings, told = kernel.settings, []
    kernel.on("on_failover", lambda event: told.append(dict(event.data)))
    assert await succeed(kernel) == ["a"]
    a.health = SICK
    await timer.advance(9)
    assert await succeed(kernel) == ["a"]
    await timer.advance(1)
    assert await succeed(kernel) == ["b"]
    assert (serving(kernel), serving(kernel, "counter")) == ("b", "b")
    assert unwell(kernel) == {"a": "its plugin is unhealthy: no power"}
    assert "as 'a' it is unwell (its plugin is unhealthy: no power), and b serves 'greeter'" in str(kernel.why("a"))
    assert kernel.plugins()["a"].state is State.ACTIVE
    assert kernel.settings is settings
    reason = "a is unwell: its plugin is unhealthy: no power"
    assert told == [{"port": each, "before": "a", "after": "b", "reason": reason} for each in ("greeter", "counter")]


async def test_it_serves_again_when_it_has_been_healthy_for_long_enough(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """The first one comes back fail_back_after seconds after it was found healthy; a bad answer begins them anew."""
    kernel, a, _ = pair
    a.health = SICK
    await timer.advance(10)
    a.health = WELL
    await timer.advance(10)
    a.health = SICK
    await timer.advance(10)
    a.health = Health("degraded", "slow")
    await timer.advance(10)  # found healthy here
    await timer.advance(29.9)
    assert await succeed(kernel) == ["b"]
    await timer.advance(0.2)
    assert await succeed(kernel) == ["a"]
    assert unwell(kernel) == {}
    assert str(kernel.why("a")) == "a is active: enabled in the settings"


async def test_it_is_asked_once_more_before_it_comes_back(pair: tuple[Kernel, Mood, Mood], timer: ManualTimer) -> None:
    """A provider that has become unhealthy since the last check does not come back for a moment."""
    kernel, a, _ = pair
    told: list[Any] = []
    kernel.on("on_failover", lambda event: told.append(event.data["after"]))
    a.health = SICK
    await timer.advance(10)
    a.health = WELL
    await timer.advance(39)
    a.health = SICK
    await timer.advance(100)
    assert told == ["b", "b"]  # one a port


@pytest.mark.parametrize("health", [RuntimeError("oops"), "hang"], ids=["raises", "hangs"])
async def test_a_check_that_raises_or_hangs_is_unhealthy_and_keeps_nobody_waiting(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer, health: Exception | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugins are asked at the same time; one that does not answer is unhealthy after the time for an answer."""
    kernel, a, b = pair
    instance = kernel._lifecycle.instances["a"]
    whole = instance.health
    monkeypatch.setattr(instance, "health", lambda: whole(0.05))
    a.health = health
    await timer.advance(10)
    assert (serving(kernel), b.asked) == ("b", 2)
    assert unwell(kernel)["a"].startswith("its plugin is unhealthy: health() ")


async def test_what_the_application_asks_counts_at_once(pair: tuple[Kernel, Mood, Mood]) -> None:
    """kernel.health() tells failover what it heard, without any time going by."""
    kernel, a, _ = pair
    a.health = SICK
    assert serving(kernel) == "a"
    assert (await kernel.health())["a"] == SICK
    assert serving(kernel) == "b"


async def test_with_an_interval_of_0_nobody_is_asked_unless_the_application_does(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """health_interval = 0 leaves health to the application; a provider comes back though, if it was found healthy."""
    a, _ = moody(tmp_path, "a", "b")
    async with moody_kernel(tmp_path, timer, "a", "b", health_interval=0.0) as kernel:
        assert not timer.alarms
        a.health, a.error = SICK, gone
        await fail(kernel)
        await timer.advance(100)
        assert (serving(kernel), a.asked) == ("a", 1)  # once when it was opened
        await kernel.health()
        assert serving(kernel) == "b"
        a.health, a.error = WELL, None
        await kernel.health()
        await timer.advance(29)
        assert serving(kernel) == "b"
        await timer.advance(1)
        assert (serving(kernel), a.asked) == ("a", 3)


async def test_a_failed_call_makes_failover_ask_at_once(pair: tuple[Kernel, Mood, Mood], timer: ManualTimer) -> None:
    """The first failure is enough where the plugin itself says that it is down, and no time has to go by."""
    kernel, a, _ = pair
    a.health, a.error = SICK, gone
    await fail(kernel)
    await quiet()
    assert (await succeed(kernel), timer.now) == (["b"], 1000.0)


async def test_flapping_health_moves_a_port_more_and_more_rarely(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """One that falls soon after it came back waits twice as long each time, up to 10 minutes."""
    kernel, a, _ = pair
    moves: list[float] = []
    kernel.on("on_failover", lambda event: moves.append(timer.now) if event.data["port"] == "greeter" else None)
    for _ in range(400):  # well for 60 s, unwell for 10: about 7.8 hours
        a.health = SICK
        await timer.advance(10)
        a.health = WELL
        await timer.advance(60)
    waits = [back - fell for fell, back in zip(moves[::2], moves[1::2], strict=False)]
    assert waits[0] == 40  # it waited 30 s, and was healthy only 10 s after it had fallen
    assert len(waits) == 1  # from then on it has never been healthy for a minute without a break
    a.health = WELL
    await timer.advance(60)
    assert serving(kernel) == "a"


async def test_a_provider_that_keeps_falling_waits_up_to_ten_minutes(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """It falls whenever it is back: 30 s, 60 s, 120 s ... 600 s; once it served as long as it waited, 30 s again."""
    kernel, a, _ = pair
    waits = []
    for _ in range(7):
        a.health = SICK
        await kernel.health()
        a.health = WELL
        await kernel.health()
        since = timer.now
        while serving(kernel) == "b":
            await timer.advance(10)
        waits.append(timer.now - since)
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    await timer.advance(600)
    a.health = SICK
    await kernel.health()
    a.health = WELL
    await kernel.health()
    await timer.advance(30)
    assert serving(kernel) == "a"


# Calls


async def test_nothing_lies_between_a_call_and_its_adapter_before_one_has_failed(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """Calls are counted from the first failure on, and no longer than until 20 in a row are good."""
    kernel, a, _ = pair
    assert is_plain(kernel)
    await timer.advance(100)
    assert is_plain(kernel)
    a.error = gone
    await fail(kernel)
    assert not is_plain(kernel)
    a.error = None
    await succeed(kernel, 19)
    assert not is_plain(kernel)
    await succeed(kernel)
    assert is_plain(kernel)
    a.error = gone
    await fail(kernel)
    assert not is_plain(kernel)
    await timer.advance(30)
    assert is_plain(kernel)


async def test_three_failures_and_at_least_half_of_the_calls_are_enough(pair: tuple[Kernel, Mood, Mood]) -> None:
    """A provider that says it is healthy while its calls fail is judged by its calls."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel, 2)
    assert serving(kernel) == "a"
    await fail(kernel)
    assert await succeed(kernel) == ["b"]
    assert unwell(kernel) == {"a": "3 of its last 3 calls failed, the last one with: gone"}
    assert serving(kernel, "counter") == "a"  # its other port was not judged
    assert is_plain(kernel)


async def test_failures_that_are_fewer_than_half_are_not_enough(pair: tuple[Kernel, Mood, Mood]) -> None:
    """A provider that fails now and then goes on serving, for however long; one that stops working is found soon."""
    kernel, a, _ = pair
    for _ in range(100):
        a.error = gone
        await fail(kernel)
        a.error = None
        assert await succeed(kernel, 2) == ["a", "a"]
    a.error = gone
    failed = 0
    while serving(kernel) == "a":
        await fail(kernel)
        failed += 1
    assert failed <= 10


async def test_good_calls_that_were_inside_already_count_as_well(pair: tuple[Kernel, Mood, Mood]) -> None:
    """A busy provider is not condemned for a few bad calls among many that are under way."""
    kernel, a, _ = pair
    a.gate = asyncio.Event()
    inside = []
    for number in range(40):
        a.error = gone if number % 4 == 0 else None
        inside.append(asyncio.create_task(kernel.get(Greeter).greet("x")))
        while a.calls <= number:
            await asyncio.sleep(0)
    a.gate.set()
    ended = await asyncio.gather(*inside, return_exceptions=True)
    assert (ended.count("a"), serving(kernel)) == (30, "a")
    a.error, a.calls, a.gate = gone, 0, asyncio.Event()
    inside = [asyncio.create_task(fail(kernel)) for _ in range(20)]
    while a.calls < 20:
        await asyncio.sleep(0)
    a.gate.set()
    await asyncio.gather(*inside)
    assert serving(kernel) == "b"


async def test_a_failure_that_is_counted_hides_no_good_call_that_is_not(pair: tuple[Kernel, Mood, Mood]) -> None:
    """Three failures and four good calls of before the suspicion: fewer than half have failed."""
    kernel, a, _ = pair
    inside, gates = [], [asyncio.Event() for _ in range(4)]
    for number, a.gate in enumerate(gates):
        inside.append(asyncio.create_task(kernel.get(Greeter).greet("x")))
        while a.calls <= number:
            await asyncio.sleep(0)
    a.gate, a.error = None, gone
    await fail(kernel)
    for number in (0, 1):
        gates[number].set()
        await inside[number]
    await fail(kernel)
    for number in (2, 3):
        gates[number].set()
        await inside[number]
    await fail(kernel)
    assert serving(kernel) == "a"
    await fail(kernel)
    assert serving(kernel) == "b"


async def test_one_without_a_health_of_its_own_is_judged_by_its_calls(tmp_path: Path, timer: ManualTimer) -> None:
    """The least plugin, a class and a manifest, fails over too."""
    a, _ = moody(tmp_path, "a", "b", python={})
    async with moody_kernel(tmp_path, timer, "a", "b") as kernel:
        a.error = lambda: RuntimeError("broken pipe")
        await fail(kernel, 3)
        assert await succeed(kernel) == ["b"]
        assert "RuntimeError: broken pipe" in unwell(kernel)["a"]


@pytest.mark.parametrize(
    "error",
    [
        NotFound("x"),
        Conflict("x", 1, 2),
        InvalidRequest("x"),
        InvalidContent("x"),
        FeatureUnsupported("x", "y"),
        Refused("x"),
        TooLarge("x", 1),
        RateLimited("x", 1.0),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_answers_that_are_errors_are_no_failures(pair: tuple[Kernel, Mood, Mood], error: Exception) -> None:
    """What is wrong with a request, or with how often it is made, moves nothing."""
    kernel, a, _ = pair
    a.error = lambda: error
    await fail(kernel, 30)
    assert serving(kernel) == "a"
    assert is_plain(kernel)


@pytest.mark.parametrize(
    "error", [TimedOut("x", 1.0), NotWritable("x"), ValueError("x")], ids=lambda each: type(each).__name__
)
async def test_errors_of_a_provider_that_cannot_serve_are_failures(
    pair: tuple[Kernel, Mood, Mood], error: Exception
) -> None:
    """What says that the provider is not there, too slow, full or broken moves its port."""
    kernel, a, _ = pair
    a.error = lambda: error
    await fail(kernel, 3)
    assert serving(kernel) == "b"


async def test_a_rate_limit_neither_clears_nor_condemns(pair: tuple[Kernel, Mood, Mood]) -> None:
    """Calls that meet a rate limit are left out of the count."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel, 2)
    a.error = lambda: RateLimited("slowly", 1.0)
    await fail(kernel, 30)
    a.error = gone
    await fail(kernel)
    assert unwell(kernel) == {"a": "3 of its last 3 calls failed, the last one with: gone"}


async def test_calls_that_were_under_way_end_where_they_began(pair: tuple[Kernel, Mood, Mood]) -> None:
    """A move is a switch like any other: what is inside the old provider ends there."""
    kernel, a, _ = pair
    a.gate = asyncio.Event()
    inside = [asyncio.create_task(kernel.get(Greeter).greet("x")) for _ in range(3)]
    while a.calls < 3:
        await asyncio.sleep(0)
    a.health = SICK
    await kernel.health()
    assert await succeed(kernel) == ["b"]
    a.gate.set()
    assert await asyncio.gather(*inside) == ["a", "a", "a"]


async def test_streams_are_counted_by_their_end(pair: tuple[Kernel, Mood, Mood]) -> None:
    """A stream that breaks off is a failure, one that ends is none, one that its reader leaves says nothing."""
    kernel, a, _ = pair
    counter = kernel.get(Counter)
    a.error = gone
    for _ in range(3):
        assert serving(kernel, "counter") == "a"
        left: Any = counter.count(2)
        assert await anext(left) == "a 0"
        await left.aclose()
        with pytest.raises(Unavailable):
            _ = [each async for each in counter.count(2)]
    assert [each async for each in counter.count(2)] == ["b 0", "b 1"]
    assert serving(kernel) == "a"


async def test_a_cancelled_call_says_nothing_of_its_provider(pair: tuple[Kernel, Mood, Mood]) -> None:
    """Callers that give up are no evidence."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel)
    a.error, a.gate = None, asyncio.Event()
    for _ in range(30):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await succeed(kernel)
    assert serving(kernel) == "a"
    assert not is_plain(kernel)


async def test_a_synchronous_method_that_fails_in_a_thread_raises_suspicion(pair: tuple[Kernel, Mood, Mood]) -> None:
    """Whatever thread a call fails in, it is on the kernel's loop that the plugins are asked."""
    kernel, a, _ = pair
    a.error, a.health = gone, SICK
    with pytest.raises(Unavailable):
        await asyncio.to_thread(kernel.get(Counter).now)
    await asyncio.sleep(0)
    await quiet()
    assert serving(kernel, "counter") == "b"
    assert threading.current_thread() is threading.main_thread()


async def test_a_failure_of_a_provider_behind_is_not_that_of_the_one_before_it(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """A plugin whose own calls go through is not to blame for the port that it calls, however it puts that."""
    code = """
        from hotswap_ports import Unavailable
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter) -> None:
                self.greeter = greeter
            async def now(self):
                {}
    """
    passed_on = code.format("return await self.greeter.greet('x')")
    wrapped = code.format(
        """
                try:
                    return await self.greeter.greet('x')
                except Unavailable as error:
                    raise RuntimeError("no greeter") from error
        """
    )
    tables = {"provides": {"clock": "Ticks"}, "requires": {"greeter": ">=1"}}
    write_plugin(tmp_path, "passes", passed_on, **tables)
    write_plugin(tmp_path, "wraps", wrapped, **tables)
    (a,) = moody(tmp_path, "a")
    order = {"greeter": ("a",), "clock": ("passes", "wraps")}
    async with moody_kernel(tmp_path, timer, "a", "passes", "wraps", ports=order, config={}) as kernel:
        await kernel.configure("a", {"folder": str(tmp_path)})
        a.error = gone
        for _ in range(2):
            for _ in range(10):
                with pytest.raises((Unavailable, AdapterFailed)):
                    await kernel.get(Clock).now()
            assert kernel.ports()["clock"].unwell == {}
            await kernel.select(Clock, "wraps", "passes")
        assert kernel.ports()["clock"].serving == "wraps"


# Coming back by calls


async def test_one_that_fell_for_its_calls_is_tried_by_one_call_at_a_time(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """When it has waited, single calls go to it while the others stay; three good ones, and it serves."""
    kernel, a, b = pair
    a.error = gone
    await fail(kernel, 3)
    await timer.advance(29.9)
    assert await succeed(kernel, 3) == ["b", "b", "b"]
    a.error, a.gate, a.calls = None, asyncio.Event(), 0
    await timer.advance(0.1)
    trying = asyncio.create_task(succeed(kernel))
    while not a.calls:
        await asyncio.sleep(0)
    assert await succeed(kernel, 20) == ["b"] * 20
    a.gate.set()
    assert await trying == ["a"]
    assert serving(kernel) == "b"
    assert await succeed(kernel, 2) == ["a", "a"]
    assert serving(kernel) == "a"
    assert (await succeed(kernel, 17), is_plain(kernel)) == (["a"] * 17, True)
    assert not any(each.error for each in (a, b))


async def test_streams_try_it_too_and_one_that_is_left_early_says_nothing(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """A stream is a call like any other: from its first item to its end it is the one that tries."""
    kernel, a, _ = pair
    counter = kernel.get(Counter)
    a.error = gone
    for _ in range(3):
        with pytest.raises(Unavailable):
            _ = [each async for each in counter.count(2)]
    a.error = None
    await timer.advance(30)
    trying: Any = counter.count(2)
    assert await anext(trying) == "a 0"
    assert [each async for each in counter.count(2)] == ["b 0", "b 1"]
    assert counter.now() == 1
    await trying.aclose()
    for _ in range(3):
        assert serving(kernel, "counter") == "b"
        assert [each async for each in counter.count(2)] == ["a 0", "a 1"]
    assert serving(kernel, "counter") == "a"
    assert counter.now() == 1
    assert kernel.get(Greeter).features == frozenset()


async def test_one_that_is_opened_anew_needs_no_chance(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer, tmp_path: Path
) -> None:
    """Another generation in the place of one that was just being tried serves at once."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel, 3)
    a.error = None
    await timer.advance(30)
    assert await succeed(kernel) == ["a"]
    await kernel.configure("a", {"folder": str(tmp_path), "more": 1})
    assert (serving(kernel), unwell(kernel), is_plain(kernel)) == ("a", {}, True)


async def test_a_stand_in_that_fails_when_it_is_asked_by_name_raises_no_suspicion(
    pair: tuple[Kernel, Mood, Mood],
) -> None:
    """Whom nobody is led to is not judged."""
    kernel, _, b = pair
    b.error = gone
    for _ in range(5):
        with pytest.raises(Unavailable):
            await kernel.get(Greeter, "b").greet("x")
    assert (serving(kernel), unwell(kernel), is_plain(kernel)) == ("a", {}, True)


async def test_one_that_fails_again_costs_one_call_and_waits_twice_as_long(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """30 s, 60 s, 120 s ... 600 s: each time one call finds out, and the port does not move."""
    kernel, a, _ = pair
    moves: list[Any] = []
    kernel.on("on_failover", lambda event: moves.append(event.data["after"]))
    a.error = gone
    await fail(kernel, 3)
    for wait in (30, 60, 120, 240, 480, 600, 600):
        await timer.advance(wait - 0.1)
        assert await succeed(kernel, 5) == ["b"] * 5
        await timer.advance(0.1)
        await fail(kernel)
        assert await succeed(kernel, 5) == ["b"] * 5
        assert unwell(kernel) == {"a": "it was tried again, and failed with: gone"}
    assert moves == ["b"]
    a.error = None
    await timer.advance(600)
    assert await succeed(kernel, 4) == ["a"] * 4
    await quiet()
    assert moves == ["b", "a"]


async def test_one_that_is_unhealthy_too_waits_for_its_health_first(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """A provider that fell for its calls is not tried while its plugin says it is unhealthy."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel, 3)
    a.error, a.health = None, SICK
    await timer.advance(100)
    assert await succeed(kernel, 5) == ["b"] * 5
    assert unwell(kernel) == {"a": "its plugin is unhealthy: no power"}
    a.health = WELL
    await timer.advance(39)
    assert await succeed(kernel) == ["b"]
    await timer.advance(1)
    assert await succeed(kernel, 3) == ["a"] * 3
    assert serving(kernel) == "a"


async def test_a_chance_ends_when_its_plugin_becomes_unhealthy(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """Between two calls that try it, a provider's health still counts."""
    kernel, a, _ = pair
    a.error = gone
    await fail(kernel, 3)
    a.error = None
    await timer.advance(30)
    assert await succeed(kernel) == ["a"]
    a.health = SICK
    await kernel.health()
    assert (await succeed(kernel), is_plain(kernel)) == (["b"], True)


async def test_a_stand_in_that_is_not_needed_comes_back_without_being_tried(tmp_path: Path, timer: ManualTimer) -> None:
    """Calls try a provider only where it would serve: one behind a well one has served its time, and that is all."""
    a, b, _ = moody(tmp_path, "a", "b", "c")
    async with moody_kernel(tmp_path, timer, "a", "b", "c") as kernel:
        a.health = SICK
        await kernel.health()
        b.error = gone
        await fail(kernel, 3)
        assert await succeed(kernel) == ["c"]
        a.health = WELL
        await timer.advance(40)
        assert (await succeed(kernel, 5), unwell(kernel)) == (["a"] * 5, {})


async def test_a_plugin_that_wraps_its_own_port_is_not_tried_by_its_own_calls(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """The call by which a cache asks those behind it is not led back to the cache that is being tried."""
    code = """
        from hotswap_ports import PluginContext
        from tests.moody_plugin import mood
        from tests.plugin_folder import Greeter

        class Cache(Greeter):
            def __init__(self, greeter: Greeter, context: PluginContext) -> None:
                self.greeter = greeter
                self.context = context
            async def greet(self, name, *, loud=False):
                await mood(self.context).called()
                return "cached " + await self.greeter.greet(name)
    """
    tables: dict[str, Any] = {"provides": {"greeter": "Cache"}, "python": {}, "requires": {"greeter": ">=1"}}
    (cache,) = moody(tmp_path, "cache", code=code, **tables)
    a, _ = moody(tmp_path, "a", "b")
    order = {"greeter": ("cache", "a", "b")}
    async with moody_kernel(tmp_path, timer, "cache", "a", "b", ports=order) as kernel:
        assert await succeed(kernel) == ["cached a"]
        a.error = gone  # behind the cache, which is not to blame
        await fail(kernel, 3)
        assert (await succeed(kernel), list(unwell(kernel))) == (["cached b"], ["a"])
        cache.error, a.error = gone, None
        await fail(kernel, 3)
        assert await succeed(kernel) == ["b"]
        cache.error = None
        await timer.advance(30)
        assert await kernel.get(Greeter, "cache").greet("x") == "cached b"
        assert await succeed(kernel, 3) == ["cached b"] * 3
        assert await succeed(kernel) == ["cached a"]
        assert (serving(kernel), unwell(kernel)) == ("cache", {})


# All of them


async def test_when_all_are_unwell_the_first_serves_and_ports_says_why(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """Absence is designed: somebody serves, and everybody can see how things are."""
    kernel, a, b = pair
    a.health = SICK
    b.health = Health("unhealthy", "no disk")
    await kernel.health()
    assert await succeed(kernel) == ["a"]
    reasons = {"a": "its plugin is unhealthy: no power", "b": "its plugin is unhealthy: no disk"}
    assert unwell(kernel) == reasons
    assert kernel.ports()["greeter"].problem == ""
    b.health = WELL
    await timer.advance(10)
    assert await succeed(kernel) == ["b"]  # the first to be well again need not wait: there is nobody to wait with
    a.health = WELL
    await timer.advance(39)
    assert serving(kernel) == "b"
    await timer.advance(1)
    assert serving(kernel) == "a"


async def test_when_the_calls_of_all_fail_the_first_serves_and_recovers_by_its_calls(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """With nobody to stand in for it, a provider's good calls clear it when it has waited."""
    kernel, a, b = pair
    a.error = b.error = gone
    await fail(kernel, 6)
    assert (serving(kernel), set(unwell(kernel))) == ("a", {"a", "b"})
    await fail(kernel, 10)
    a.error = None
    assert await succeed(kernel) == ["a"]
    await timer.advance(30)
    assert await succeed(kernel, 3) == ["a"] * 3
    assert (serving(kernel), unwell(kernel)) == ("a", {})  # b, which is not needed, has waited too


# Changes meanwhile


async def test_nothing_runs_while_no_port_has_an_order(tmp_path: Path, timer: ManualTimer) -> None:
    """Failover wakes up with the second provider of a selection, and goes back to sleep without it."""
    a, _ = moody(tmp_path, "a", "b")
    config = {each: {"folder": str(tmp_path)} for each in ("a", "b")}
    order = {"greeter": ("a", "b")}
    async with moody_kernel(tmp_path, timer, "a", ports=order, disabled=("b",), config=config) as kernel:
        a.health = SICK
        assert not timer.alarms
        assert not own_tasks()
        await kernel.enable("b")
        assert len(timer.alarms) == 1
        await kernel.configure("b", {"folder": str(tmp_path)})
        await timer.advance(10)
        assert await succeed(kernel) == ["b"]
        await kernel.select(Greeter, "b")
        assert not timer.alarms
        assert (unwell(kernel), is_plain(kernel)) == ({}, True)
        assert all(each.on_failure is None for each in generations(kernel))


def generations(kernel: Kernel) -> Iterator[Generation]:
    """Yield all open generations."""
    for each in kernel._lifecycle.instances.values():
        yield from each.generations


async def test_one_that_is_disabled_while_unwell_is_forgotten(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """Disabling an unwell provider moves nothing; enabled again it was opened anew, and the order leads to it."""
    kernel, a, _ = pair
    a.health = SICK
    await kernel.health()
    await kernel.disable("a")
    assert (await succeed(kernel), unwell(kernel)) == (["b"], {})
    a.health = WELL
    await kernel.enable("a")
    assert (await succeed(kernel), unwell(kernel)) == (["a"], {})


async def test_when_the_stand_in_is_disabled_the_unwell_one_serves(
    pair: tuple[Kernel, Mood, Mood], timer: ManualTimer
) -> None:
    """With nobody left to stand in for it a provider serves, however it is."""
    kernel, a, _ = pair
    a.health = SICK
    await kernel.health()
    plan = await kernel.disable("b")
    assert "select greeter b -> a (selected in the settings)" in map(str, plan.steps)
    assert (await succeed(kernel), unwell(kernel)) == (["a"], {})
    assert not timer.alarms


async def test_one_that_is_opened_anew_begins_as_well(pair: tuple[Kernel, Mood, Mood], tmp_path: Path) -> None:
    """A person who gives an unwell provider other settings need not wait for it: it was asked when it was opened."""
    kernel, a, _ = pair
    told: list[Any] = []
    kernel.on("on_failover", lambda event: told.append((event.data["after"], event.data["reason"])))
    a.health = SICK
    await kernel.health()
    a.health = WELL
    await kernel.configure("a", {"folder": str(tmp_path), "more": 1})
    await quiet()
    assert (await succeed(kernel), unwell(kernel)) == (["a"], {})
    assert told[-1] == ("a", "it was opened anew")


async def test_plans_know_who_is_unwell(pair: tuple[Kernel, Mood, Mood], tmp_path: Path) -> None:
    """A plan names the provider that will serve, and not the one that would if it were well."""
    kernel, a, _ = pair
    moody(tmp_path, "c")
    a.health = SICK
    await kernel.health()
    assert str(await kernel.plan(disable=[], enable=[])) == "Nothing to do."
    assert str(await kernel.plan(select={Greeter: ["a", "b"]})) == "Nothing to do."
    assert str(await kernel.plan(select={Greeter: ["a"]})) == "select greeter b -> a (selected)"
    await kernel.select(Greeter, "a", "b")
    assert await succeed(kernel) == ["b"]
    await kernel.select(Greeter, "a")  # whoever names it alone gets it
    assert await succeed(kernel) == ["a"]


async def test_a_plan_from_before_a_move_is_outdated(pair: tuple[Kernel, Mood, Mood]) -> None:
    """It says who serves before it, and decides who is rebuilt by that."""
    kernel, a, _ = pair
    plan = await kernel.plan(disable=["b"])
    a.health = SICK
    await kernel.health()
    with pytest.raises(PlanOutdated):
        await kernel.apply(plan)


async def test_consumers_that_ask_for_it_are_rebuilt_once_when_moves_come_in_numbers(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """A move opens those anew that say rebind = "rebuild"; of many moves in a row, the last one alone."""
    code = """
        from hotswap_ports import PluginContext
        from tests.plugin_folder import JOURNAL, Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter, context: PluginContext) -> None:
                JOURNAL.setdefault(context.config.get("folder"), []).append("made")
            async def now(self):
                return 0.0
    """
    requires = {"greeter": {"version": ">=1", "rebind": "rebuild"}}
    write_plugin(
        tmp_path, "ticks", code, provides={"clock": "Ticks"}, requires=requires, capabilities={"config_access": True}
    )
    a, _ = moody(tmp_path, "a", "b")
    order = {"greeter": ("a", "b")}
    async with moody_kernel(tmp_path, timer, "a", "b", "ticks", ports=order, fail_back_after=0.0) as kernel:
        revision = kernel._running.revision
        async with kernel._running.turn:
            for health in (SICK, WELL) * 5 + (SICK,):
                a.health = health
                await kernel.health()
            assert serving(kernel) == "b"
        await quiet()
        assert JOURNAL[str(tmp_path)] == ["made", "made"]
        assert kernel._running.revision >= revision + 11


async def test_what_goes_wrong_after_a_move_is_logged_and_undoes_nothing(tmp_path: Path, timer: ManualTimer) -> None:
    """A hook that aborts comes too late, and a consumer that cannot be opened anew goes on as it is."""
    code = """
        from hotswap_ports import PluginContext
        from tests.moody_plugin import mood
        from tests.plugin_folder import Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter, context: PluginContext) -> None:
                self.greeter = greeter
                if mood(context).error:
                    raise RuntimeError("not now")
            async def now(self):
                return await self.greeter.greet("x")
    """
    requires = {"greeter": {"version": ">=1", "rebind": "rebuild"}}
    (ticks,) = moody(tmp_path, "ticks", code=code, provides={"clock": "Ticks"}, requires=requires, python={})
    a, _ = moody(tmp_path, "a", "b")
    order = {"greeter": ("a", "b")}
    lines: list[str] = []
    async with moody_kernel(tmp_path, timer, "a", "b", "ticks", ports=order) as kernel:
        kernel.on("on_failover", lambda event: Abort("no"))
        ticks.error = gone
        a.health = SICK
        sink = logger.add(lambda line: lines.append(str(line)), level="ERROR", format="{message}")
        try:
            await kernel.health()
            await quiet()
        finally:
            logger.remove(sink)
        assert serving(kernel) == "b"
        assert str(await kernel.get(Clock).now()) == "b"
    assert [each.partition(":")[0] for each in lines] == ["after the failover of greeter"] * 2
    assert "stopped this at on_failover: no" in lines[0]
    assert "not now" in lines[1]


async def test_a_persons_choice_outruns_the_follow_up_of_a_move(tmp_path: Path, timer: ManualTimer) -> None:
    """A selection that is made before consumers of a move are rebuilt rebuilds them; the move does not do so again."""
    code = """
        from hotswap_ports import PluginContext
        from tests.plugin_folder import JOURNAL, Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter, context: PluginContext) -> None:
                JOURNAL.setdefault(context.config.get("folder"), []).append("made")
            async def now(self):
                return 0.0
    """
    requires = {"greeter": {"version": ">=1", "rebind": "rebuild"}}
    tables: dict[str, Any] = {"capabilities": {"config_access": True}, "requires": requires}
    write_plugin(tmp_path, "ticks", code, provides={"clock": "Ticks"}, **tables)
    a, *_ = moody(tmp_path, "a", "b", "c")
    order = {"greeter": ("a", "b")}
    async with moody_kernel(tmp_path, timer, "a", "b", "c", "ticks", ports=order) as kernel:
        async with kernel._running.turn:
            chosen = asyncio.create_task(kernel.select(Greeter, "c"))
            await asyncio.sleep(0)
            a.health = SICK
            await kernel.health()
            await asyncio.sleep(0)
        await chosen
        await quiet()
        assert (serving(kernel), JOURNAL[str(tmp_path)]) == ("c", ["made", "made"])


async def test_a_move_while_another_change_is_under_way_does_not_wait_for_it(
    pair: tuple[Kernel, Mood, Mood], tmp_path: Path
) -> None:
    """Calls go to the stand-in at once, though a plugin is just being opened."""
    kernel, a, b = pair
    b.gate = asyncio.Event()
    inside = asyncio.create_task(kernel.get(Greeter, "b").greet("x"))
    while not b.calls:
        await asyncio.sleep(0)
    change = asyncio.create_task(kernel.configure("b", {"folder": str(tmp_path), "more": 1}))
    await until(lambda: kernel.plugins()["b"].state is State.ACTIVE and "more" in kernel.settings.config["b"])
    assert not change.done()
    b.gate, gate = None, b.gate
    a.health = SICK
    await kernel.health()
    assert await succeed(kernel) == ["b"]
    assert not change.done()
    gate.set()
    await asyncio.gather(change, inside)
    assert (await succeed(kernel), list(unwell(kernel))) == (["b"], ["a"])


async def test_nothing_is_left_when_the_kernel_is_left_meanwhile(tmp_path: Path, timer: ManualTimer) -> None:
    """Checks that hang, hooks that are told, alarms and routes: all end with the kernel, which can be entered again."""
    a, b = moody(tmp_path, "a", "b")
    before = asyncio.all_tasks()
    kernel = moody_kernel(tmp_path, timer, "a", "b")
    async with kernel:

        async def wait(event: HookEvent) -> None:
            await asyncio.Event().wait()

        kernel.on("on_failover", wait)
        a.health = SICK
        await kernel.health()
        b.health, b.error = "hang", gone
        await fail(kernel)
        await asyncio.sleep(0)
        assert sorted(own_tasks()) == [
            "hotswap: failover of counter",
            "hotswap: failover of greeter",
            "hotswap: health of b",
        ]
        assert timer.alarms
    assert asyncio.all_tasks() == before
    assert not timer.alarms
    a.health = b.health = WELL
    async with kernel:
        assert (await succeed(kernel), unwell(kernel)) == (["a"], {})


async def test_the_log_says_who_is_unwell_and_who_serves(pair: tuple[Kernel, Mood, Mood], timer: ManualTimer) -> None:
    """Falling is a warning with the plugin's id; moves and returns are told of too."""
    _, a, _ = pair
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {extra} {message}")
    try:
        a.health = SICK
        await timer.advance(10)
        a.health = WELL
        await timer.advance(40)
    finally:
        logger.remove(sink)
    told = [each for each in "".join(lines).splitlines() if "greeter" in each]
    reason = "its plugin is unhealthy: no power"
    assert told == [
        "WARNING {'plugin': 'a'} greeter: the provider a is unwell: " + reason,
        "INFO {} greeter is served by b and no longer by a: a is unwell: " + reason,
        "INFO {'plugin': 'a'} greeter: the provider a is well again: a has been well for 30 s",
        "INFO {} greeter is served by a and no longer by b: a has been well for 30 s",
    ]


async def test_secrets_show_in_no_reason(tmp_path: Path, timer: ManualTimer) -> None:
    """What a provider's own errors say is shown without the secrets of its settings."""
    token = {"type": "string", "writeOnly": True}
    schema = {"type": "object", "properties": {"token": token, "folder": {"type": "string"}}}
    a, _ = moody(tmp_path, "a", "b", config={"schema": schema})
    config = {each: {"folder": str(tmp_path), "token": "s3cret"} for each in ("a", "b")}
    async with moody_kernel(tmp_path, timer, "a", "b", config=config) as kernel:
        a.error = lambda: Unavailable("no luck with s3cret")
        await fail(kernel, 3)
        assert unwell(kernel)["a"].endswith("no luck with ***")


# With others


async def test_a_trial_keeps_its_place(pair: tuple[Kernel, Mood, Mood], timer: ManualTimer) -> None:
    """A route that shares calls out stays in front while failover counts and tries behind it, and after it."""
    kernel, a, _ = pair
    seen: list[str] = []

    class Trial:
        def __init__(self, generation: Generation) -> None:
            self.generation = generation

        async def call(self, method: str, invoke: Any, arguments: Any) -> Any:
            seen.append(self.generation.provider.name)
            return await self.generation.call(method, invoke)

        def stream(self, method: str, invoke: Any, arguments: Any) -> Any:
            return self.generation.stream(method, invoke)

        def target(self) -> Any:
            return self.generation.target

    kernel._wiring.route("greeter", Trial)
    assert await succeed(kernel) == ["a"]
    a.error = gone
    await fail(kernel, 3)
    assert (await succeed(kernel), seen[-2:]) == (["b"], ["a", "b"])
    a.error = None
    await timer.advance(30)
    assert await succeed(kernel, 3) == ["a"] * 3
    assert (serving(kernel), seen[-3:]) == ("a", ["b"] * 3)
    kernel._wiring.route("greeter", None)
    assert sorted(kernel._wiring._routes["greeter"]) == [Layer.COUNT]


async def test_one_that_is_being_replaced_is_neither_judged_nor_tried(tmp_path: Path, timer: ManualTimer) -> None:
    """While an exclusive provider is closed before it opens anew, its calls wait, and its stand-in stays one."""
    a, b = moody(tmp_path, "a", "b", provides={"greeter": {"class": "Hello", "exclusive": True}})
    async with moody_kernel(tmp_path, timer, "a", "b", ports={"greeter": ("a", "b")}) as kernel:
        b.calls = 0
        a.gate = asyncio.Event()
        inside = asyncio.create_task(succeed(kernel))
        while not a.calls:
            await asyncio.sleep(0)
        change = asyncio.create_task(kernel.configure("a", {"folder": str(tmp_path), "more": 1}))
        await until(lambda: kernel.plugins()["a"].state is State.DRAINING)
        waiting = asyncio.create_task(succeed(kernel))
        a.health = SICK
        await timer.advance(10)
        later = asyncio.create_task(succeed(kernel))
        await asyncio.sleep(0)
        a.health = WELL
        a.gate.set()
        await change
        assert await inside + await waiting + await later == ["a", "a", "a"]
        assert (b.calls, unwell(kernel)) == (0, {})


async def test_one_that_is_being_replaced_gets_its_chance_later(tmp_path: Path, timer: ManualTimer) -> None:
    """No call tries a generation that is being drained: it stays with the stand-in, which does not let it wait."""
    a, _ = moody(tmp_path, "a", "b", provides={"greeter": {"class": "Hello", "exclusive": True}})
    async with moody_kernel(tmp_path, timer, "a", "b", ports={"greeter": ("a", "b")}) as kernel:
        a.error = gone
        await fail(kernel, 3)
        await timer.advance(30)
        a.error, a.gate, a.calls = None, asyncio.Event(), 0
        inside = asyncio.create_task(kernel.get(Greeter, "a").greet("x"))
        while not a.calls:
            await asyncio.sleep(0)
        change = asyncio.create_task(kernel.configure("a", {"folder": str(tmp_path), "more": 1}))
        await until(lambda: kernel.plugins()["a"].state is State.DRAINING)
        assert await succeed(kernel) == ["b"]
        a.gate.set()
        await asyncio.gather(inside, change)
        assert await succeed(kernel) == ["a"]


async def test_who_leaves_with_a_provider_under_suspicion_reaches_it_to_the_end(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """A consumer that is closed in the same plan may call its provider while it stops, counted or not."""
    code = """
        from hotswap_ports import Plugin, PluginContext
        from tests.plugin_folder import JOURNAL, Clock, Greeter

        class Ticks(Clock):
            async def now(self):
                return 0.0

        class Own(Plugin):
            def __init__(self, greeter: Greeter, context: PluginContext) -> None:
                self.greeter = greeter
                self.context = context
            async def stop(self):
                JOURNAL.setdefault(self.context.config.get("folder"), []).append(await self.greeter.greet("x"))
    """
    tables: dict[str, Any] = {"capabilities": {"config_access": True}, "requires": {"greeter": ">=1"}}
    write_plugin(tmp_path, "ticks", code, provides={"clock": "Ticks"}, python={"class_name": "Own"}, **tables)
    a, _ = moody(tmp_path, "a", "b")
    async with moody_kernel(tmp_path, timer, "a", "b", "ticks", ports={"greeter": ("a", "b")}) as kernel:
        a.error = gone
        await fail(kernel)
        a.error = None
        plan = await kernel.plan(disable=["a", "b"], cascade=True)
        await kernel.apply(plan)
        assert JOURNAL[str(tmp_path)] == ["a"]


async def test_one_that_had_to_be_opened_again_is_looked_after_like_before(tmp_path: Path, timer: ManualTimer) -> None:
    """A change that failed after it had closed an exclusive provider leaves another generation of it, and its order."""
    a, _ = moody(tmp_path, "a", "b", provides={"greeter": {"class": "Hello", "exclusive": True}})
    async with moody_kernel(tmp_path, timer, "a", "b", ports={"greeter": ("a", "b")}) as kernel:
        a.answers = [SICK]
        with pytest.raises(PluginInitFailed, match="no power"):
            await kernel.configure("a", {"folder": str(tmp_path), "more": 1})
        assert (await succeed(kernel), unwell(kernel)) == (["a"], {})
        a.health = SICK
        await timer.advance(10)
        assert await succeed(kernel) == ["b"]
        a.health = WELL
        await timer.advance(40)
        a.error = gone
        await fail(kernel, 3)
        assert await succeed(kernel) == ["b"]


async def test_one_that_was_unhealthy_at_the_start_comes_in_when_it_is_well(tmp_path: Path, timer: ManualTimer) -> None:
    """A provider that opens unhealthy is waited for, the next one serves meanwhile, and the order leads back to it."""
    a, _ = moody(tmp_path, "a", "b")
    a.health = SICK
    async with moody_kernel(tmp_path, timer, "a", "b", backoff=Backoff(0.01, 1.0)) as kernel:
        assert await succeed(kernel) == ["b"]
        status = kernel.plugins()["a"]
        assert (status.state, status.reason) == (
            State.WAITING,
            "PLUG-003: Plugin 'a' failed in health: it says it is unhealthy: no power",
        )
        assert not timer.alarms
        a.health = WELL
        async with asyncio.timeout(10):
            while serving(kernel) == "b":
                await asyncio.sleep(0.001)
        assert (await succeed(kernel), kernel.plugins()["a"].state) == (["a"], State.ACTIVE)
        assert timer.alarms


async def test_the_time_is_that_of_the_event_loop_where_nobody_gives_another(tmp_path: Path) -> None:
    """Without a timer of a test's own, checks come by themselves."""
    a, _ = moody(tmp_path, "a", "b")
    kernel = moody_kernel(tmp_path, ManualTimer(), "a", "b", health_interval=0.01, fail_back_after=0.02)
    kernel._timer = None
    async with kernel, asyncio.timeout(10):
        for health, name in ((SICK, "b"), (WELL, "a")):
            a.health = health
            while serving(kernel) != name:
                await asyncio.sleep(0.001)


async def test_thirty_flips_under_load_lose_nothing(tmp_path: Path, timer: ManualTimer) -> None:
    """64 callers, a provider that turns unwell or well 30 times: every call is answered, by one of the two."""
    a, b = moody(tmp_path, "a", "b")
    a.delay = b.delay = 0.002
    async with moody_kernel(tmp_path, timer, "a", "b", fail_back_after=0.0) as kernel:
        handle, answers, stop = kernel.get(Greeter), {"a": 0, "b": 0}, False
        counter = kernel.get(Counter)

        async def caller() -> None:
            while not stop:
                answers[await handle.greet("x")] += 1

        async def reader() -> None:
            while not stop:
                items = [str(each) async for each in counter.count(3)]
                assert items in ([f"{name} {number}" for number in range(3)] for name in "ab")

        callers = [asyncio.create_task(each()) for each in (*[caller] * 64, *[reader] * 8)]
        for flip in range(30):
            before = sum(answers.values())
            a.health = WELL if flip % 2 else SICK
            await timer.advance(10)
            assert serving(kernel) == ("a" if flip % 2 else "b")
            while sum(answers.values()) < before + 100:
                await asyncio.sleep(0.001)
        stop = True
        await asyncio.gather(*callers)
        assert min(answers.values()) > 500
        assert all(each.leases == 0 for each in generations(kernel))


async def test_a_provider_that_goes_down_under_load_costs_the_calls_that_it_got_and_no_more(
    tmp_path: Path, timer: ManualTimer
) -> None:
    """64 callers: those whose calls it had may fail, each once; from the verdict on nobody's does, but single tries."""
    a, b = moody(tmp_path, "a", "b")
    a.delay = b.delay = 0.002
    async with moody_kernel(tmp_path, timer, "a", "b") as kernel:
        handle, failed, answered, stop = kernel.get(Greeter), 0, 0, False

        async def caller() -> None:
            nonlocal failed, answered
            while not stop:
                try:
                    await handle.greet("x")
                    answered += 1
                except Unavailable:
                    failed += 1

        async def some(more: int) -> None:
            until = answered + more
            while answered < until:
                await asyncio.sleep(0.001)

        callers = [asyncio.create_task(caller()) for _ in range(64)]
        await some(200)
        a.error = gone
        await some(500)
        assert serving(kernel) == "b"
        assert 3 <= failed <= 64 + 3  # those that went in before three had come out
        before = failed
        await timer.advance(30)
        await some(500)
        assert failed == before + 1
        a.error = None
        await timer.advance(60)
        await some(500)
        stop = True
        await asyncio.gather(*callers)
        assert (serving(kernel), failed) == ("a", before + 1)
