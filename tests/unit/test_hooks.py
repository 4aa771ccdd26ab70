"""Hooks: points, order, handlers around calls, what fails and what is aborted."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import pickle
import sys
import weakref
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any, ClassVar

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from loguru import logger

from hotswap.errors import HookAborted, HookInvalid
from hotswap.hook_points import FIRED
from hotswap.hook_record import KEPT_FAILURES
from hotswap.hooks import Hooks, MethodHooks, surroundings
from hotswap.slots import Generation, Provider
from hotswap.wiring import Wiring
from hotswap_ports import Port
from hotswap_ports.hooks import Abort, Continue, HookContext, HookEvent, Modify, Skip

PORTS = {
    "storage": ("read", "get", "exists", "get_json", "list", "put", "put_json", "delete"),
    "ai": ("complete", "stream", "embed"),
    "scraper": ("scrape",),
}


@pytest.fixture
def hooks() -> Hooks:
    return Hooks(PORTS, handler_timeout=0.02)


async def put(key: str, value: str = "") -> str:
    """Stand for a port's method."""
    return f"{key}={value}"


async def fail(key: str) -> str:
    """Stand for a method that fails."""
    raise LookupError(key)


async def items(key: str, fail: bool = False) -> AsyncIterator[str]:
    """Stand for a streaming method."""
    for character in key:
        yield character
    if fail:
        raise LookupError(key)


def around(hooks: Hooks, port: str, method: str) -> MethodHooks:
    """Return the hooks of a method that has some."""
    found = hooks.for_method(port, method)
    assert found is not None
    return found


async def call_put(hooks: Hooks, **arguments: str) -> Any:
    """Call storage.put through its hooks."""
    return await around(hooks, "storage", "put").call(put, {"key": "k", "value": "v", **arguments})


def noting(seen: list[str], name: str) -> Callable[[HookEvent], None]:
    """Return a handler that notes its name."""
    return lambda event: seen.append(name)


def failures(hooks: Hooks) -> list[str]:
    """Return the recorded errors."""
    return [each.error for each in hooks.record.failures]


class TestPoints:
    @pytest.mark.parametrize(
        ("point", "methods"),
        [
            ("pre_scraper.scrape", {("scraper", "scrape")}),
            ("error_ai.embed", {("ai", "embed")}),
            ("pre_llm_request", {("ai", "complete"), ("ai", "stream")}),
            ("post_llm_response", {("ai", "complete"), ("ai", "stream")}),
            ("on_llm_error", {("ai", "complete"), ("ai", "stream")}),
            ("post_storage_read", {("storage", each) for each in ("read", "get", "exists", "get_json", "list")}),
            ("pre_storage_write", {("storage", each) for each in ("put", "put_json", "delete")}),
            ("on_startup", set()),
            ("event.news.page.new", set()),
        ],
    )
    def test_a_point_stands_for_calls(self, hooks: Hooks, point: str, methods: set[tuple[str, str]]) -> None:
        """A handler is called for exactly the methods that its point names."""
        told: list[frozenset[tuple[str, str]]] = []
        hooks.on_change.append(told.append)
        hooks.on(point, noting([], ""))
        assert told == [methods]
        hooked = {(port, name) for port, names in PORTS.items() for name in names if hooks.for_method(port, name)}
        assert hooked == methods

    @pytest.mark.parametrize(
        ("point", "hint"),
        [
            ("pre_storage.putt", "pre_storage.put"),
            ("on_start", "on_startup"),
            ("zzz", "hooks.md"),
            ("event.Bad Name.x", "event.<id>.<name>"),
        ],
    )
    def test_an_unknown_point_is_refused(self, hooks: Hooks, point: str, hint: str) -> None:
        """An unknown point is an error that names the nearest ones."""
        with pytest.raises(HookInvalid) as caught:
            hooks.on(point, noting([], ""))
        assert hint in caught.value.hint
        assert hooks.revision == 0

    def test_a_named_point_without_its_port_does_nothing(self) -> None:
        """On a host without the port, a handler for its named point is accepted and never called."""
        hooks = Hooks({"scraper": ("scrape",)})
        undo = hooks.on("pre_llm_request", noting([], ""), source="a")
        assert hooks.registered() == [("pre_llm_request", "a", 0)]
        undo()
        assert hooks.registered() == []
        assert "on_startup" in hooks.points.names

    def test_what_cannot_be_called_is_no_handler(self, hooks: Hooks) -> None:
        """A handler that is not callable is refused."""
        with pytest.raises(HookInvalid, match="int, which cannot be called"):
            hooks.on("on_startup", 3)  # type: ignore[arg-type]


class TestOrder:
    async def test_priority_then_registration(self, hooks: Hooks) -> None:
        """Lower priorities run earlier; equal ones in the order of their registration."""
        seen: list[str] = []
        for name, priority in (("a", 5), ("b", 0), ("c", 5), ("d", -1)):
            hooks.on("on_startup", noting(seen, name), source=name, priority=priority)
        await hooks.fire("on_startup")
        assert seen == ["d", "b", "a", "c"]

    async def test_before_and_after_beat_priority(self, hooks: Hooks) -> None:
        """before and after bend the order as little as is needed; plugins that are not there do not matter."""
        seen: list[str] = []
        hooks.on("on_startup", noting(seen, "a"), source="a", priority=1)
        hooks.on("on_startup", noting(seen, "b"), source="b", priority=2, before="a")
        hooks.on("on_startup", noting(seen, "c"), source="c", priority=0, after=["b", "ghost"])
        hooks.on("on_startup", noting(seen, "d"), source="d", priority=0)
        await hooks.fire("on_startup")
        assert seen == ["d", "b", "c", "a"]

    def test_the_order_of_registration_does_not_decide_a_contradiction(self) -> None:
        """A circle is refused whichever of its handlers comes last, is named, and changes nothing."""
        wants = {"a": "b", "b": "c", "c": "a"}
        for order in permutations(wants):
            hooks = Hooks(PORTS)
            for name in order[:2]:
                hooks.on("pre_storage_write", noting([], ""), source=name, before=[wants[name]])
            hooks.on("pre_storage.put", noting([], ""), source="other", after=["a", "b", "c"])
            with pytest.raises(HookInvalid, match="a -> b -> c -> a") as caught:
                hooks.on("pre_storage.put", noting([], ""), source=order[2], before=[wants[order[2]]])
            assert order[2] in caught.value.hint
            assert len(hooks.registered()) == 3
            assert hooks.revision == 3

    def test_nobody_runs_before_itself(self, hooks: Hooks) -> None:
        """A handler cannot be ordered around its own plugin."""
        with pytest.raises(HookInvalid, match="before or after itself"):
            hooks.on("on_startup", noting([], ""), source="a", after=["a"])


class TestCalls:
    def test_a_method_without_handlers_has_no_hooks(self, hooks: Hooks) -> None:
        """The plain path stays plain: None until somebody registers, the same object until it changes, None after."""
        assert hooks.for_method("storage", "put") is None
        undo = hooks.on("pre_storage.put", noting([], ""))
        first = hooks.for_method("storage", "put")
        assert first is not None
        assert hooks.for_method("storage", "put") is first
        hooks.on("pre_storage.get", noting([], ""))
        assert hooks.for_method("storage", "put") is first
        undo()
        undo()
        assert hooks.for_method("storage", "put") is None
        assert hooks.revision == 3

    async def test_handlers_see_the_call(self, hooks: Hooks) -> None:
        """Handlers get point, time, arguments, result, and where the call comes from."""
        seen: list[HookEvent] = []
        hooks.on("pre_storage.put", seen.append)
        hooks.on("pre_storage_write", seen.append)
        hooks.on("post_storage.put", seen.append)
        token = surroundings.set(HookContext(request_id="r1", protocol="p", step="s"))
        try:
            assert await around(hooks, "storage", "put").call(put, {"key": "k", "value": "v"}, source="web") == "k=v"
        finally:
            surroundings.reset(token)
        assert [each.point for each in seen] == ["pre_storage.put", "pre_storage_write", "post_storage.put"]
        assert dict(seen[0].data["arguments"]) == {"key": "k", "value": "v"}
        assert seen[2].data["result"] == "k=v"
        assert {each.context for each in seen} == {HookContext("r1", "p", "s", "web", "storage", "put")}
        assert all(each.time.utcoffset() == timedelta(0) for each in seen)
        await call_put(hooks)
        assert seen[-1].context == HookContext(port="storage", method="put")

    async def test_arguments_are_replaced_by_name(self, hooks: Hooks) -> None:
        """Modify replaces arguments by name; later handlers, the call and the handlers after it see the new ones."""
        seen: list[Any] = []

        async def shout(event: HookEvent) -> Modify:
            return Modify({"arguments": {"value": event.data["arguments"]["value"].upper()}})

        hooks.on("pre_storage.put", shout)
        hooks.on("pre_storage.put", lambda event: seen.append(dict(event.data["arguments"])))
        hooks.on("post_storage.put", lambda event: seen.append(dict(event.data["arguments"])))
        assert await call_put(hooks) == "k=V"
        assert seen == [{"key": "k", "value": "V"}] * 2

    async def test_arguments_cannot_be_changed_behind_the_chain(self, hooks: Hooks) -> None:
        """Writing into the event's arguments fails in the handler that tries, and the call keeps its own."""

        def sneak(event: HookEvent) -> None:
            event.data["arguments"]["value"] = "other"

        hooks.on("pre_storage.put", sneak, source="sneak")
        assert await call_put(hooks) == "k=v"
        assert failures(hooks)[0].startswith("TypeError")

    async def test_a_result_is_replaced(self, hooks: Hooks) -> None:
        """Handlers after the call may give another result, one after the other."""
        hooks.on("post_storage.put", lambda event: Modify({"result": event.data["result"] + "!"}))
        hooks.on("post_storage.put", lambda event: Modify({"result": event.data["result"] + "?"}))
        assert await call_put(hooks) == "k=v!?"

    async def test_a_call_can_be_skipped(self, hooks: Hooks) -> None:
        """Skip answers in the call's place: later handlers before it do not run, those after it do."""
        seen: list[str] = []
        hooks.on("pre_storage.put", lambda event: Skip("cached"))
        hooks.on("pre_storage.put", noting(seen, "later"))
        assert await around(hooks, "storage", "put").call(fail, {"key": "k"}) == "cached"
        hooks.on("post_storage.put", lambda event: Modify({"result": event.data["result"] + "!"}))
        assert await around(hooks, "storage", "put").call(fail, {"key": "k"}) == "cached!"
        assert seen == []

    @pytest.mark.parametrize("point", ["pre_storage.put", "post_storage.put"])
    async def test_an_operation_can_be_aborted(self, hooks: Hooks, point: str) -> None:
        """Abort raises HookAborted with point, plugin and reason, and is nobody's failure."""
        hooks.on(point, lambda event: Abort("not today"), source="gate")
        with pytest.raises(HookAborted) as caught:
            await call_put(hooks)
        assert (caught.value.point, caught.value.plugin, caught.value.reason) == (point, "gate", "not today")
        assert failures(hooks) == []

    async def test_handlers_see_an_error(self, hooks: Hooks) -> None:
        """After a failure the handlers for errors run, not those after a call, and the caller gets the error itself."""
        seen: list[Any] = []
        hooks.on("error_scraper.scrape", lambda event: seen.append(event.data["error"]))
        hooks.on("error_scraper.scrape", lambda event: Modify({"error": None}))
        hooks.on("post_scraper.scrape", noting(seen, "after"))
        with pytest.raises(LookupError) as caught:
            await around(hooks, "scraper", "scrape").call(fail, {"key": "k"})
        assert seen == [caught.value]
        assert failures(hooks) == ["Unusable: Modify means nothing here"]

    async def test_an_error_without_handlers_for_it_passes(self, hooks: Hooks) -> None:
        """Where only other handlers are registered, an error leaves as it came."""
        hooks.on("pre_scraper.scrape", noting([], ""))
        with pytest.raises(LookupError):
            await around(hooks, "scraper", "scrape").call(fail, {"key": "k"})

    async def test_an_error_can_be_aborted(self, hooks: Hooks) -> None:
        """Abort on an error raises HookAborted with the error as its cause."""
        hooks.on("error_scraper.scrape", lambda event: Abort("hidden"))
        with pytest.raises(HookAborted, match="application") as caught:
            await around(hooks, "scraper", "scrape").call(fail, {"key": "k"})
        assert isinstance(caught.value.__cause__, LookupError)

    async def test_data_cannot_be_changed_behind_the_chain(self, hooks: Hooks) -> None:
        """What a handler writes into its event fails there: those after it see the call as it is."""
        seen: list[Any] = []

        def sneak(event: HookEvent) -> None:
            event.data["arguments"] = {"key": "harmless"}  # type: ignore[index]

        def sneak_result(event: HookEvent) -> None:
            event.data["result"] = "other"  # type: ignore[index]

        hooks.on("pre_storage.put", sneak)
        hooks.on("pre_storage.put", lambda event: seen.append(event.data["arguments"]["key"]))
        hooks.on("post_storage.put", sneak_result)
        hooks.on("post_storage.put", lambda event: seen.append(event.data["result"]))
        assert await call_put(hooks) == "k=v"
        assert seen == ["k", "k=v"]
        assert [each.split(":")[0] for each in failures(hooks)] == ["TypeError", "TypeError"]

    async def test_an_event_is_a_value(self, hooks: Hooks) -> None:
        """What a handler is given equals an event made by hand, cannot be changed, and stays as it is when kept."""
        kept: list[HookEvent] = []
        hooks.on("pre_storage.put", kept.append)
        hooks.on("pre_storage.put", lambda event: Modify({"arguments": {"value": "w"}}))
        hooks.on("pre_storage.put", kept.append)
        before = datetime.now(UTC)
        await call_put(hooks)
        first, second = kept
        assert before <= first.time <= second.time <= datetime.now(UTC)
        context = HookContext(port="storage", method="put")
        assert first == HookEvent("pre_storage.put", first.time, {"arguments": {"key": "k", "value": "v"}}, context)
        assert second.data == {"arguments": {"key": "k", "value": "w"}}
        assert evolve(first, point="other", data={}) == HookEvent("other", first.time, {}, context)
        for name in ("point", "time", "data", "context", "more"):
            with pytest.raises(FrozenInstanceError):
                setattr(first, name, None)
        by_hand = HookEvent("on_startup", before)
        assert (by_hand.time, by_hand.data, by_hand.context) == (before, {}, HookContext())
        assert pickle.loads(pickle.dumps(by_hand)) == copy.copy(by_hand) == by_hand


class TestFailures:
    async def test_the_chain_goes_on(self, hooks: Hooks) -> None:
        """A handler that raises is logged under its plugin, counted and recorded; the others and the call go on."""
        seen: list[str] = []
        logged: list[Any] = []

        async def broken(event: HookEvent) -> None:
            raise ValueError("oh no")

        hooks.on("pre_storage.put", broken, source="bad")
        hooks.on("pre_storage.put", noting(seen, "next"), source="good")
        sink = logger.add(lambda message: logged.append(message.record), level="WARNING", format="{message}")
        logger.enable("hotswap")
        try:
            assert await call_put(hooks) == "k=v"
        finally:
            logger.remove(sink)
        assert seen == ["next"]
        counts = hooks.record.counts
        assert repr(counts["pre_storage.put", "bad"]) == "HookCount(calls=1, failures=1)"
        assert (counts["pre_storage.put", "good"].calls, counts["pre_storage.put", "good"].failures) == (1, 0)
        (failure,) = hooks.record.failures
        assert (failure.point, failure.source, failure.error) == ("pre_storage.put", "bad", "ValueError: oh no")
        assert [(each["extra"]["plugin"], each["level"].name) for each in logged] == [("bad", "WARNING")]
        assert "oh no" in logged[0]["message"]

    async def test_a_handler_that_always_fails_does_not_flood_the_log(self, hooks: Hooks) -> None:
        """Every failure is counted; the log gets the first, and then one whenever their number has doubled."""
        logged: list[Any] = []
        hooks.on("pre_storage.put", lambda event: 7, source="bad")  # type: ignore[arg-type, return-value]
        sink = logger.add(lambda message: logged.append(message.record["extra"]["failures"]), level="WARNING")
        logger.enable("hotswap")
        try:
            for _ in range(10):
                await call_put(hooks)
        finally:
            logger.remove(sink)
        assert logged == [1, 2, 4, 8]
        assert hooks.record.counts["pre_storage.put", "bad"].failures == 10

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (7, "returned int"),
            (Modify({"arguments": {"kye": 1}}), "no parameter 'kye'. Did you mean 'key'"),
            (Modify({"arguments": {"zzzzzz": 1}}), "Its parameters: key, value"),
            (Modify({"arguments": 3}), "are int"),
            (Modify({"key": 1}), "takes {'arguments': ...} here, and not 'key'"),
            (Modify({}), "not nothing"),
            (Modify(None), "not NoneType"),  # type: ignore[arg-type]
        ],
    )
    async def test_an_answer_that_means_nothing_is_a_failure(self, hooks: Hooks, answer: Any, said: str) -> None:
        """What a handler may not answer is recorded as its failure, with the reason, and changes nothing."""
        hooks.on("pre_storage.put", lambda event: answer)
        assert await call_put(hooks) == "k=v"
        assert said in failures(hooks)[0]

    async def test_skip_after_a_call_is_a_failure(self, hooks: Hooks) -> None:
        """Skip means something before a call only."""
        hooks.on("post_storage.put", lambda event: Skip("x"))
        assert await call_put(hooks) == "k=v"
        assert failures(hooks) == ["Unusable: Skip means something before a call only"]

    async def test_a_handler_that_hangs_is_bounded(self, hooks: Hooks) -> None:
        """Each handler has its own time: one that hangs is a failure, and what runs after it is not shortened."""
        seen: list[str] = []

        async def hang(event: HookEvent) -> None:
            await asyncio.Event().wait()

        async def swallow(event: HookEvent) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("swallowed")

        async def short(event: HookEvent) -> Modify:
            await asyncio.sleep(0)
            return Modify({"arguments": {"value": "w"}})

        for handler in (hang, swallow, short, hang):
            hooks.on("pre_storage.put", handler)
        hooks.on("pre_storage.put", noting(seen, "last"))
        assert await call_put(hooks) == "k=w"
        assert seen == ["swallowed", "last"]
        assert failures(hooks) == ["TimeoutError: it did not answer within 0.02 s"] * 2
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @pytest.mark.parametrize("point", ["pre_llm_request", "post_llm_response", "on_llm_error"])
    @pytest.mark.parametrize("method", ["complete", "stream"])
    async def test_a_handler_that_hangs_is_bounded_in_every_stage(self, hooks: Hooks, point: str, method: str) -> None:
        """Before a call or a stream, after it, and when it failed: the handler is cut, and everything else goes on."""
        seen: list[str] = []

        async def hang(event: HookEvent) -> None:
            seen.append("hang")
            await asyncio.Event().wait()

        hooks.on(point, hang)
        hooks.on(point, noting(seen, "next"))
        wrong = point == "on_llm_error"
        found = around(hooks, "ai", method)
        try:
            if method == "stream":
                stream = found.stream(items, {"key": "ab", "fail": wrong})
                assert [each async for each in stream] == ["a", "b"]
            else:
                assert await found.call(fail if wrong else put, {"key": "k"}) == "k="
        except LookupError:
            assert wrong
        assert seen == ["hang", "next"]
        assert failures(hooks) == ["TimeoutError: it did not answer within 0.02 s"]

    @pytest.mark.parametrize("point", sorted(FIRED))
    async def test_a_handler_that_hangs_is_bounded_at_every_moment_of_the_host(self, hooks: Hooks, point: str) -> None:
        """No handler of a point that is fired by name holds up whoever fires it."""

        async def hang(event: HookEvent) -> None:
            await asyncio.Event().wait()

        seen: list[str] = []
        hooks.on(point, hang, source="slow")
        hooks.on(point, noting(seen, "next"))
        outcome = await hooks.fire(point)
        assert seen == ["next"]
        assert [type(each.error) for each in outcome.results] == [TimeoutError, type(None)]

    async def test_a_handler_that_goes_on_after_its_time_is_cut_again(self, hooks: Hooks) -> None:
        """Catching the cancellation wins a handler no more than its time once more."""
        cut: list[int] = []

        async def stubborn(event: HookEvent) -> None:
            for number in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cut.append(number)
            await asyncio.Event().wait()

        hooks.on("pre_storage.put", stubborn)
        assert await call_put(hooks) == "k=v"
        assert cut == [0, 1, 2]
        assert failures(hooks) == ["TimeoutError: it did not answer within 0.02 s"]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_cancelling_the_caller_passes_through(self, hooks: Hooks) -> None:
        """A caller that is cancelled while a handler waits ends cancelled; no handler is blamed."""
        waiting = asyncio.Event()

        async def hang(event: HookEvent) -> None:
            waiting.set()
            await asyncio.Event().wait()

        slow = Hooks(PORTS)
        slow.on("pre_storage.put", hang)
        task = asyncio.ensure_future(call_put(slow))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert failures(slow) == []

    async def test_cancelled_both_ways_is_cancelled(self, hooks: Hooks) -> None:
        """Where the caller is cancelled while its handler's time runs out, it ends cancelled."""

        async def linger(event: HookEvent) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                task.cancel()
                await asyncio.sleep(0)

        hooks.on("pre_storage.put", linger)
        task = asyncio.ensure_future(call_put(hooks))
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_cancelled_call_has_no_handlers(self, hooks: Hooks) -> None:
        """Cancelling the call itself is neither a result nor an error."""
        seen: list[str] = []
        hooks.on("error_storage.put", noting(seen, "error"))
        hooks.on("post_storage.put", noting(seen, "post"))

        async def cancelled() -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await around(hooks, "storage", "put").call(cancelled, {})
        assert seen == []

    async def test_what_a_handler_waited_for_may_be_cancelled(self, hooks: Hooks) -> None:
        """A handler whose own task was cancelled has failed; its caller was not cancelled and goes on."""

        async def on_cancelled(event: HookEvent) -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        hooks.on("pre_storage.put", on_cancelled)
        assert await call_put(hooks) == "k=v"
        assert failures(hooks) == ["RuntimeError: it waited for something that was cancelled"]

    @pytest.mark.parametrize("count", [1, 11])
    async def test_a_handler_does_not_end_its_host(self, hooks: Hooks, count: int) -> None:
        """SystemExit is a failure like any other."""

        async def leaves(event: HookEvent) -> None:
            sys.exit(3)

        for _ in range(count):
            hooks.on("pre_storage.put", leaves)
        assert await call_put(hooks) == "k=v"
        assert failures(hooks) == ["RuntimeError: it called sys.exit(3)"] * count

    @pytest.mark.parametrize("count", [1, 11])
    @pytest.mark.parametrize("waits", [False, True])
    async def test_what_is_no_exception_is_a_failure_too(self, hooks: Hooks, count: int, waits: bool) -> None:
        """Extensions raise what derives from BaseException alone: the chain goes on."""

        class Panic(BaseException):
            pass

        def panics(event: HookEvent) -> None:
            raise Panic("index out of bounds")

        async def panics_later(event: HookEvent) -> None:
            await asyncio.sleep(0)
            raise Panic("index out of bounds")

        for _ in range(count):
            hooks.on("pre_storage.put", panics_later if waits else panics)
        assert await call_put(hooks) == "k=v"
        assert failures(hooks) == ["RuntimeError: it raised Panic: index out of bounds"] * count

    @pytest.mark.parametrize("count", [1, 11])
    async def test_an_interrupt_and_the_end_of_a_coroutine_go_through(self, hooks: Hooks, count: int) -> None:
        """KeyboardInterrupt may be a person's, and a call that is closed while a handler waits is closed."""

        def interrupted(event: HookEvent) -> None:
            raise KeyboardInterrupt

        async def waits(event: HookEvent) -> None:
            await asyncio.sleep(30)

        ends = [hooks.on("pre_storage.put", interrupted) for _ in range(count)]
        with pytest.raises(KeyboardInterrupt):
            await call_put(hooks)
        for end in ends:
            end()
        for _ in range(count):
            hooks.on("pre_storage.put", waits)
        call = call_put(hooks)
        call.send(None)
        call.close()
        assert failures(hooks) == []

    async def test_old_failures_make_room(self, hooks: Hooks) -> None:
        """Only so many failures are kept, and an error's objects are not kept alive by them."""

        class Thing:
            pass

        kept: list[weakref.ref[Thing]] = []

        def broken(event: HookEvent) -> None:
            thing = Thing()
            kept.append(weakref.ref(thing))
            raise ValueError

        hooks.on("pre_storage.put", broken)
        for _ in range(KEPT_FAILURES + 5):
            await call_put(hooks)
        gc.collect()
        assert len(hooks.record.failures) == KEPT_FAILURES
        assert not [each for each in kept if each() is not None]

    @pytest.mark.parametrize("inside", ["task", "callback"])
    async def test_an_abandoned_call_closes_its_handlers(self, hooks: Hooks, inside: str) -> None:
        """A call that is closed while a handler waits, in a task or outside of one, closes the handler as well."""
        closed: list[str] = []
        done = asyncio.Event()

        class Never:
            def __await__(self) -> Any:
                yield None

        async def hang(event: HookEvent) -> None:
            try:
                await Never()
            finally:
                closed.append("handler")

        def abandon() -> None:
            call = call_put(hooks)
            call.send(None)
            call.close()
            done.set()

        hooks.on("pre_storage.put", hang)
        if inside == "task":
            abandon()
        else:
            asyncio.get_running_loop().call_soon(abandon)
            await done.wait()
        assert closed == ["handler"]
        assert failures(hooks) == []


class TestHandlers:
    async def test_any_callable_is_a_handler(self, hooks: Hooks) -> None:
        """Functions, methods, partials and objects, async or not, and plain functions that return an awaitable."""
        seen: list[str] = []

        class Both:
            async def __call__(self, event: HookEvent) -> Continue:
                await asyncio.sleep(0)
                seen.append("object")
                return Continue()

            async def method(self, event: HookEvent) -> None:
                seen.append("method")

        async def named(name: str, event: HookEvent) -> None:
            await asyncio.sleep(0)
            seen.append(name)

        class Mine(Skip):
            pass

        hooks.on("pre_storage.put", Both())
        hooks.on("pre_storage.put", Both().method)
        hooks.on("pre_storage.put", partial(named, "partial"))
        hooks.on("pre_storage.put", lambda event: named("promise", event))
        hooks.on("pre_storage.put", lambda event: Mine("skipped"))
        assert await call_put(hooks) == "skipped"
        assert seen == ["object", "method", "partial", "promise"]
        assert failures(hooks) == []

    @pytest.mark.parametrize("count", [1, 2, 10, 11, 40])
    @pytest.mark.parametrize("kinds", ["sync", "async", "waits", "mixed"])
    async def test_handlers_run_alike_whatever_they_are_and_however_many(self, count: int, kinds: str) -> None:
        """Plain functions, async ones and ones that wait run in order, see each other's changes, and are counted."""
        hooks = Hooks(PORTS)

        def sync(event: HookEvent) -> Modify:
            return Modify({"arguments": {"value": event.data["arguments"]["value"] + "s"}})

        async def instant(event: HookEvent) -> Modify:
            return Modify({"arguments": {"value": event.data["arguments"]["value"] + "a"}})

        async def waits(event: HookEvent) -> Modify:
            await asyncio.sleep(0)
            return Modify({"arguments": {"value": event.data["arguments"]["value"] + "w"}})

        async def silent(event: HookEvent) -> None:
            await asyncio.sleep(0)

        kinds_of = {"sync": [sync], "async": [instant], "waits": [waits], "mixed": [sync, silent, instant, waits]}
        chosen = [kinds_of[kinds][number % len(kinds_of[kinds])] for number in range(count)]
        for number, handler in enumerate(chosen):
            hooks.on("pre_storage.put", handler, source=f"p{number}")
        letters = "".join({sync: "s", instant: "a", waits: "w", silent: ""}[each] for each in chosen)
        for calls in (1, 2):
            assert await call_put(hooks) == f"k=v{letters}"
            assert [each.calls for each in hooks.record.counts.values()] == [calls] * count

    @pytest.mark.parametrize("count", [1, 10, 11])
    async def test_counts_stay_right_while_handlers_come_and_leave(self, hooks: Hooks, count: int) -> None:
        """Calls are counted for each plugin and point, whether handlers say something, fail, leave, or come back."""

        async def quiet(event: HookEvent) -> None: ...

        def picky(event: HookEvent) -> Continue:
            if event.data["arguments"]["key"] == "bad":
                raise ValueError
            return Continue()

        for _ in range(count - 1):
            hooks.on("pre_storage.put", quiet, source="quiet")
        for _ in range(3):
            leave = hooks.on("pre_storage.put", picky, source="picky")
            await call_put(hooks)
            await call_put(hooks, key="bad")
            leave()
        counts = hooks.record.counts
        assert (counts["pre_storage.put", "picky"].calls, counts["pre_storage.put", "picky"].failures) == (6, 3)
        assert ("pre_storage.put", "quiet") not in counts or counts["pre_storage.put", "quiet"].calls == 6 * (count - 1)

    async def test_whoever_holds_old_hooks_is_led_to_those_in_force(self, hooks: Hooks) -> None:
        """Compiled hooks that others have replaced run no handler that has left, and every one that is in force."""
        seen: list[str] = []
        leave = hooks.on("pre_storage.put", noting(seen, "old"))
        leave_stream = hooks.on("pre_llm_request", noting(seen, "old"))
        kept, stream = around(hooks, "storage", "put"), around(hooks, "ai", "stream")
        leave()
        leave_stream()
        assert await kept.call(put, {"key": "k"}) == "k="
        assert [each async for each in stream.stream(items, {"key": "ab"})] == ["a", "b"]
        assert seen == []
        hooks.on("pre_storage.put", noting(seen, "new"))
        hooks.on("post_llm_response", noting(seen, "after"))
        assert await kept.call(put, {"key": "k"}) == "k="
        assert [each async for each in stream.stream(items, {"key": "ab"})] == ["a", "b"]
        assert seen == ["new", "after"]

    @pytest.mark.parametrize("point", ["pre_storage.put", "post_storage.put"])
    async def test_a_handler_that_leaves_while_it_runs(self, hooks: Hooks, point: str) -> None:
        """A handler may take itself out from within: the call goes on, and it is counted."""
        leave = hooks.on(point, lambda event: leave())
        assert await call_put(hooks) == "k=v"
        assert hooks.record.counts[point, ""].calls == 1
        assert hooks.for_method("storage", "put") is None

    async def test_a_running_chain_keeps_its_handlers(self, hooks: Hooks) -> None:
        """Who joins or leaves while a call is under way changes the next call."""
        seen: list[str] = []

        def first(event: HookEvent) -> None:
            seen.append("first")
            leave()
            hooks.on("pre_storage.put", noting(seen, "joined"))

        hooks.on("pre_storage.put", first)
        leave = hooks.on("pre_storage.put", noting(seen, "leaving"))
        await call_put(hooks)
        assert seen == ["first", "leaving"]
        seen.clear()
        await call_put(hooks)
        assert seen == ["first", "joined"]

    async def test_a_handler_is_not_called_for_its_own_calls(self, hooks: Hooks) -> None:
        """A handler that calls the port, directly or from a task it starts, is passed over there; others are not."""
        seen: list[str] = []
        tasks: list[asyncio.Task[Any]] = []

        async def audit(event: HookEvent) -> None:
            seen.append("audit")
            await call_put(hooks, key="log")
            tasks.append(asyncio.ensure_future(call_put(hooks, key="later")))

        hooks.on("pre_storage_write", audit, source="audit")
        hooks.on("pre_storage.put", lambda event: seen.append(event.data["arguments"]["key"]), source="other")
        await call_put(hooks)
        await asyncio.gather(*tasks)
        assert seen == ["audit", "log", "k", "later"]
        await call_put(hooks)
        assert seen.count("audit") == 2
        await asyncio.gather(*tasks)

    async def test_a_task_that_a_handler_starts_does_not_keep_its_plugin(self, hooks: Hooks) -> None:
        """A plugin that has left is gone, though a task that was started within one of its handlers lives on."""
        end = asyncio.Event()
        tasks: list[asyncio.Task[Any]] = []

        class Plugin:
            async def handle(self, event: HookEvent) -> None:
                tasks.append(asyncio.ensure_future(end.wait()))

        plugin = Plugin()
        gone = weakref.ref(plugin)
        hooks.on("pre_storage.put", plugin.handle, source="a")
        await call_put(hooks)
        hooks.remove_source("a")
        del plugin
        gc.collect()
        assert gone() is None
        end.set()
        await asyncio.gather(*tasks)

    async def test_handlers_that_call_each_other_end(self, hooks: Hooks) -> None:
        """Two handlers whose calls trigger each other are each called once a call."""
        seen: list[str] = []

        async def on_put(event: HookEvent) -> None:
            seen.append("put")
            await around(hooks, "storage", "get").call(put, {"key": "x"})

        async def on_get(event: HookEvent) -> None:
            seen.append("get")
            await call_put(hooks)

        hooks.on("pre_storage.put", on_put)
        hooks.on("pre_storage.get", on_get)
        await call_put(hooks)
        assert seen == ["put", "get"]

    async def test_calls_at_once_do_not_mix(self, hooks: Hooks) -> None:
        """A hundred calls under way together each get their own arguments and results."""

        async def slow(event: HookEvent) -> Modify:
            value = event.data["arguments"]["key"] * 2
            await asyncio.sleep(0)
            return Modify({"arguments": {"value": value}})

        hooks.on("pre_storage.put", slow)
        results = await asyncio.gather(*(call_put(hooks, key=str(number)) for number in range(100)))
        assert results == [f"{number}={str(number) * 2}" for number in range(100)]
        assert hooks.record.counts["pre_storage.put", ""].calls == 100


class TestStreams:
    async def collect(self, hooks: Hooks, **arguments: Any) -> list[str]:
        stream = around(hooks, "ai", "stream").stream(items, {"key": "abc", "fail": False, **arguments}, source="web")
        return [each async for each in stream]

    async def test_handlers_surround_a_stream(self, hooks: Hooks) -> None:
        """Handlers before run ahead of the first item, handlers after it behind the last one, with no result."""
        seen: list[Any] = []

        async def consumed(key: str, fail: bool) -> AsyncIterator[str]:
            seen.append("begun")
            async for item in items(key, fail):
                yield item

        hooks.on("pre_llm_request", lambda event: Modify({"arguments": {"key": "xy"}}))
        hooks.on("pre_llm_request", noting(seen, "pre"))
        hooks.on("post_llm_response", lambda event: seen.append(event.data["result"]))
        hooks.on("post_llm_response", lambda event: Modify({"result": "other"}))
        stream = around(hooks, "ai", "stream").stream(consumed, {"key": "abc", "fail": False})
        assert await anext(stream) == "x"
        assert seen == ["pre", "begun"]
        assert [item async for item in stream] == ["y"]
        assert seen == ["pre", "begun", None]
        assert failures(hooks) == ["Unusable: the items of a stream have been handed out already"]

    async def test_a_stream_without_handlers_before_it(self, hooks: Hooks) -> None:
        """Handlers after a stream alone run as well, and may abort."""
        hooks.on("post_llm_response", lambda event: Abort("too long"), source="gate")
        with pytest.raises(HookAborted, match="too long"):
            await self.collect(hooks)

    async def test_a_stream_that_fails(self, hooks: Hooks) -> None:
        """An error within a stream reaches the handlers for errors and the reader."""
        seen: list[Any] = []
        hooks.on("on_llm_error", lambda event: seen.append((event.data["error"], event.context.source)))
        with pytest.raises(LookupError) as caught:
            await self.collect(hooks, fail=True)
        assert seen == [(caught.value, "web")]

    @pytest.mark.parametrize("kind", ["list", "async"])
    async def test_a_stream_can_be_skipped(self, hooks: Hooks, kind: str) -> None:
        """The answer in a stream's place is an iterable of items, async or not."""
        hooks.on("pre_llm_request", lambda event: Skip(["1", "2"] if kind == "list" else items("12")))
        assert await self.collect(hooks) == ["1", "2"]

    @pytest.mark.parametrize("answer", ["text", 7, {"a": 1}])
    async def test_a_stream_is_not_skipped_with_one_value(self, hooks: Hooks, answer: object) -> None:
        """What is no iterable of items cannot stand for a stream."""
        hooks.on("pre_llm_request", lambda event: Skip(answer))
        assert await self.collect(hooks) == ["a", "b", "c"]
        assert "iterable of its items" in failures(hooks)[0]

    async def test_a_stream_closed_early_is_closed_inside(self, hooks: Hooks) -> None:
        """A reader that leaves closes the stream behind the hooks, and no handler follows."""
        seen: list[str] = []

        async def endless() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
            finally:
                seen.append("closed")

        for point in ("pre_llm_request", "post_llm_response", "on_llm_error"):
            hooks.on(point, noting(seen, point))
        stream = around(hooks, "ai", "stream").stream(endless, {})
        assert await anext(stream) == 1
        await stream.aclose()
        assert seen == ["pre_llm_request", "closed"]

    async def test_an_iterator_that_cannot_be_closed(self, hooks: Hooks) -> None:
        """A stream may be any async iterator."""

        class Once:
            def __init__(self) -> None:
                self.left = ["only"]

            def __aiter__(self) -> Once:
                return self

            async def __anext__(self) -> str:
                if not self.left:
                    raise StopAsyncIteration
                return self.left.pop()

        hooks.on("pre_llm_request", noting([], ""))
        stream = around(hooks, "ai", "stream").stream(Once, {})
        assert [each async for each in stream] == ["only"]


class Feed(Port):
    """A port with every kind of parameter."""

    PORT: ClassVar[str] = "feed"
    VERSION: ClassVar[str] = "1.0.0"

    async def one(self, first: int, /, second: int = 2, *rest: int, third: int, **more: int) -> tuple[Any, ...]:
        """Return the arguments."""
        raise NotImplementedError

    def many(self, *items: int, **more: int) -> AsyncIterator[int]:
        """Yield the arguments."""
        raise NotImplementedError


class Feeder(Feed):
    async def one(self, first: int, /, second: int = 2, *rest: int, third: int, **more: int) -> tuple[Any, ...]:
        return first, second, rest, third, more

    async def many(self, *items: int, **more: int) -> AsyncIterator[int]:
        for each in (*items, *more.values()):
            yield each


class TestHandles:
    @pytest.fixture
    def hooks(self) -> Hooks:
        return Hooks({"feed": ("one", "many")})

    @pytest.fixture
    def feed(self, hooks: Hooks) -> Feed:
        """Return a live handle, wired as a kernel does it."""
        wiring = Wiring({}, hooks)
        wiring.switch([Feed], [Generation(Provider("feed", "feeder", "feeder", "1.0.0"), Feeder(), 1)], [])
        return wiring.handle(Feed, None)

    @pytest.mark.parametrize("point", ["pre_feed.one", "post_feed.one", "error_feed.one"])
    async def test_every_kind_of_argument_arrives(self, hooks: Hooks, feed: Feed, point: str) -> None:
        """Arguments behind * and ** arrive as they were given, whichever hooks there are."""
        hooks.on(point, lambda event: None)
        assert await feed.one(1, 5, 6, 7, third=3, x=9) == (1, 5, (6, 7), 3, {"x": 9})
        assert await feed.one(1, third=3) == (1, 2, (), 3, {})
        assert inspect.signature(feed.one) == inspect.signature(Feeder().one)

    async def test_arguments_behind_stars_are_replaced_by_name(self, hooks: Hooks, feed: Feed) -> None:
        """A handler gives other ones under the name of their parameter, for calls and for streams."""
        hooks.on("pre_feed.one", lambda event: Modify({"arguments": {"rest": [8], "more": {"y": 1}, "third": 4}}))
        hooks.on("pre_feed.many", lambda event: Modify({"arguments": {"items": event.data["arguments"]["items"] * 2}}))
        assert await feed.one(1, 5, 6, third=3, x=9) == (1, 5, (8,), 4, {"y": 1})
        assert [each async for each in feed.many(1, 2, x=3)] == [1, 2, 1, 2, 3]


class TestFire:
    async def test_nobody_listens(self, hooks: Hooks) -> None:
        """Firing a point without handlers gives the data back."""
        outcome = await hooks.fire("on_startup", {"plugins": 3})
        assert (outcome.point, dict(outcome.data), outcome.results, outcome.skip) == (
            "on_startup",
            {"plugins": 3},
            (),
            None,
        )

    async def test_results_are_kept_by_handler(self, hooks: Hooks) -> None:
        """Each handler's action or error is in the outcome, and so is the data as they left it."""

        async def broken(event: HookEvent) -> None:
            raise ValueError("no")

        hooks.on("on_plugin_load", lambda event: Modify({"extra": event.context.source}), source="a")
        hooks.on("on_plugin_load", broken, source="b")
        hooks.on("on_plugin_load", noting([], ""), source="c")
        hooks.on("on_plugin_load", lambda event: Skip(1), source="d")
        hooks.on("on_plugin_load", lambda event: Modify(7), source="e")  # type: ignore[arg-type]
        outcome = await hooks.fire("on_plugin_load", {"plugin": "x"}, HookContext(source="kernel"))
        assert dict(outcome.data) == {"plugin": "x", "extra": "kernel"}
        assert [(each.source, type(each.action), type(each.error).__name__) for each in outcome.results] == [
            ("a", Modify, "NoneType"),
            ("b", type(None), "ValueError"),
            ("c", Continue, "NoneType"),
            ("d", type(None), "Unusable"),
            ("e", type(None), "Unusable"),
        ]

    async def test_a_step_can_be_skipped(self, hooks: Hooks) -> None:
        """Before a step or a protocol, Skip is handed to whoever fires it, and ends the chain."""
        seen: list[str] = []
        hooks.on("pre_step", lambda event: Skip("done before"))
        hooks.on("pre_step", noting(seen, "later"))
        outcome = await hooks.fire("pre_step")
        assert outcome.skip == Skip("done before")
        assert seen == []

    async def test_firing_can_be_aborted(self, hooks: Hooks) -> None:
        """Abort reaches whoever fires the point."""
        hooks.on("pre_protocol_execution", lambda event: Abort("quota"), source="quota")
        with pytest.raises(HookAborted, match="quota"):
            await hooks.fire("pre_protocol_execution")

    async def test_the_points_of_calls_are_not_fired(self, hooks: Hooks) -> None:
        """Only points that belong to no call can be fired by name."""
        hooks.on("pre_storage_read", noting([], ""))
        with pytest.raises(HookInvalid, match="belongs to the calls of a port"):
            await hooks.fire("pre_storage_read")
        with pytest.raises(HookInvalid, match="no such point"):
            await hooks.fire("pre_stepp")

    async def test_an_event_reaches_its_listeners(self, hooks: Hooks) -> None:
        """An event of a plugin is a point like any other, and is rebuilt when listeners change."""
        seen: list[str] = []
        undo = hooks.on("event.news.page", noting(seen, "one"))
        await hooks.fire("event.news.page")
        await hooks.fire("event.news.page")
        hooks.on("event.news.page", noting(seen, "two"))
        undo()
        await hooks.fire("event.news.page")
        assert seen == ["one", "one", "two"]


class TestComingAndLeaving:
    def test_a_plugin_leaves_with_all_its_handlers(self, hooks: Hooks) -> None:
        """All handlers of a plugin leave in one change; none of them is kept alive."""
        told: list[frozenset[tuple[str, str]]] = []

        class Plugin:
            def handle(self, event: HookEvent) -> None: ...

        plugin = Plugin()
        gone = weakref.ref(plugin)
        hooks.on("pre_storage.put", plugin.handle, source="a")
        hooks.on("on_startup", plugin.handle, source="a")
        hooks.on("on_startup", noting([], ""), source="b")
        hooks.for_method("storage", "put")
        hooks.on_change.append(told.append)
        assert hooks.remove_source("a") == 2
        assert hooks.remove_source("a") == 0
        assert told == [{("storage", "put")}]
        assert hooks.registered() == [("on_startup", "b", 0)]
        assert hooks.registered("a") == []
        del plugin
        assert gone() is None

    async def test_staged_handlers_come_in_one_step(self, hooks: Hooks) -> None:
        """What a plugin registers while it is opened has no effect until it is committed, and then all at once."""
        seen: list[str] = []
        told: list[frozenset[tuple[str, str]]] = []
        hooks.on_change.append(told.append)
        staging = hooks.staged("a")
        staging.on("pre_storage.put", noting(seen, "pre"), priority=3)
        staging.on("post_storage.put", noting(seen, "post"))
        undone = staging.on("on_startup", noting(seen, "never"))
        undone()
        undone()
        assert hooks.for_method("storage", "put") is None
        assert hooks.revision == 0
        staging.commit()
        assert told == [{("storage", "put")}]
        await call_put(hooks)
        assert seen == ["pre", "post"]
        later = staging.on("on_startup", noting(seen, "later"))
        await hooks.fire("on_startup")
        later()
        later()
        await hooks.fire("on_startup")
        assert seen == ["pre", "post", "later"]
        assert hooks.registered() == [("pre_storage.put", "a", 3), ("post_storage.put", "a", 0)]
        staging.discard()
        staging.discard()
        assert hooks.registered() == []
        with pytest.raises(HookInvalid, match="has been disabled"):
            staging.on("on_startup", noting(seen, "ghost"))

    def test_what_was_staged_can_be_forgotten(self, hooks: Hooks) -> None:
        """A plugin that fails to open leaves nothing."""
        staging = hooks.staged("a")
        undo = staging.on("on_startup", noting([], ""))
        staging.discard()
        undo()
        assert hooks.revision == 0
        assert hooks.registered() == []

    async def test_generations_change_places_in_one_step(self, hooks: Hooks) -> None:
        """An upgrade's handlers replace those of the old generation in one change, also where they order themselves."""
        seen: list[str] = []
        hooks.on("on_startup", noting(seen, "other"), source="other")
        old, new = hooks.staged("a"), hooks.staged("a")
        old.on("on_startup", noting(seen, "old"), before=["other"])
        old.commit()
        new.on("on_startup", noting(seen, "new"), after=["other"])
        hooks.check(come=[new], leave=[old])
        revision = hooks.revision
        hooks.switch(come=[new], leave=[old])
        assert hooks.revision == revision + 1
        await hooks.fire("on_startup")
        assert seen == ["other", "new"]

    def test_a_contradiction_is_found_while_opening(self, hooks: Hooks) -> None:
        """A plugin whose order contradicts what is in force is refused when it registers."""
        hooks.on("on_startup", noting([], ""), source="a", before=["b"])
        staging = hooks.staged("b")
        with pytest.raises(HookInvalid, match="a -> b -> a"):
            staging.on("on_startup", noting([], ""), before=["a"])
        staging.commit()
        assert [source for _, source, _ in hooks.registered()] == ["a"]

    def test_a_switch_is_wholly_or_not_at_all(self, hooks: Hooks) -> None:
        """Two plugins that contradict each other only together are refused together, and nothing changes."""
        old = hooks.staged("old")
        old.on("on_startup", noting([], ""))
        old.commit()
        first, second = hooks.staged("a"), hooks.staged("b")
        first.on("on_startup", noting([], ""), before=["b"])
        second.on("on_startup", noting([], ""), before=["a"])
        before = (hooks.revision, hooks.registered())
        for change in (hooks.check, hooks.switch):
            with pytest.raises(HookInvalid, match="a -> b -> a"):
                change(come=[first, second], leave=[old])
        assert (hooks.revision, hooks.registered()) == before
        first.commit()
        assert [source for _, source, _ in hooks.registered()] == ["old", "a"]
