"""The kernel as a synchronous application sees it."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import pytest
from attrs import frozen

from hotswap import (
    BlockingKernel,
    CallCancelled,
    HookAborted,
    HotswapError,
    InjectionFailed,
    Kernel,
    KernelInUse,
    KernelNotRunning,
    PlanOutdated,
    PluginInUse,
    PluginNotFound,
    PortUnfilled,
    PortUnknown,
    ProviderNotFound,
    Settings,
    State,
    TeardownFailed,
    WouldDeadlock,
)
from hotswap.blocking_handles import blocking_class
from hotswap.blocking_ports import BlockingStorage
from hotswap.hooks import surroundings
from hotswap.portal_stream import Stream
from hotswap_ports import Abort, AdapterFailed, Handler, HookContext, HookEvent, Modify, Search
from tests.counter import Counter, Switches, blocking, counter
from tests.plugin_folder import JOURNAL, Greeter, greeter, probe, probing


class TestHandles:
    """What ``get`` and ``all`` return."""

    def test_a_call_returns_its_answer(self, tmp_path: Path) -> None:
        """A blocking handle has the methods of its port, which return what is awaited elsewhere."""
        greeter(tmp_path, "english")
        with blocking(tmp_path, "english") as kernel:
            handle = kernel.get(Greeter)
            assert handle.greet("you", loud=True) == "hello you"
            assert kernel.get(Greeter) is handle
            assert kernel.get(Greeter, "english").greet("you") == "hello you"
            assert "greeter" in repr(handle)

    def test_it_shows_the_ports_own_methods(self, tmp_path: Path) -> None:
        """Names, parameters and texts are the port's; a stream is shown as what it is for threads."""
        counter(tmp_path, "one")
        with blocking(tmp_path, "one") as kernel:
            handle = kernel.get(Counter)
            assert (
                str(inspect.signature(handle.count))
                == "(to: 'int', *, fail_at: 'int' = -1, wait_at: 'int' = -1) -> 'Stream[int]'"
            )
            assert str(inspect.signature(handle.wait)) == "(name: 'str') -> 'str'"
            assert handle.wait.__doc__ == Counter.wait.__doc__
            assert not inspect.iscoroutinefunction(handle.wait)

    def test_annotations_that_are_no_text(self) -> None:
        """A port whose module evaluates its annotations has the same form."""

        class Beats(Counter):
            PORT = "beats"

            def count(self, to: int) -> AsyncIterator[int]:  # type: ignore[override]
                raise NotImplementedError

        Beats.count.__annotations__["return"] = AsyncIterator[int]
        assert inspect.signature(blocking_class(Beats).count).return_annotation == Stream[int]  # type: ignore[attr-defined]

    def test_attributes_and_plain_methods(self, tmp_path: Path) -> None:
        """What a port has besides async methods is there too; its plain methods run where the adapter lives."""
        greeter(tmp_path, "english")
        counter(tmp_path, "one")
        with blocking(tmp_path, "english", "one") as kernel:
            assert kernel.get(Greeter).features == frozenset()
            assert kernel.get(Counter).plain(7) == 7

    def test_it_follows_every_swap(self, tmp_path: Path) -> None:
        """A handle leads to the provider that is selected at the moment of each call."""
        greeter(tmp_path, "english")
        greeter(tmp_path, "french", "bonjour")
        with blocking(tmp_path, "english") as kernel:
            handle = kernel.get(Greeter)
            assert handle.greet("you") == "hello you"
            kernel.enable("french")
            kernel.select(Greeter, "french")
            assert handle.greet("you") == "bonjour you"
            kernel.select(Greeter, "english")
            assert handle.greet("you") == "hello you"
            greeter(tmp_path, "english", "good day")
            kernel.reload("english")
            assert handle.greet("you") == "good day you"
            kernel.disable("english")
            assert handle.greet("you") == "bonjour you"

    def test_all_is_live(self, tmp_path: Path) -> None:
        """``all`` shows the open providers at the moment of looking, the selected one first."""
        greeter(tmp_path, "english")
        greeter(tmp_path, "french", "bonjour")
        with blocking(tmp_path, "english") as kernel:
            everybody = kernel.all(Greeter)
            assert list(everybody) == ["english"]
            kernel.enable("french")
            assert len(everybody) == 2
            assert everybody["french"].greet("you") == "bonjour you"
            assert everybody["french"] is kernel.get(Greeter, "french")
            assert "french" in repr(everybody)
            with pytest.raises(KeyError):
                everybody["german"]

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        """Asking for what is not there raises what ``Kernel`` raises."""
        greeter(tmp_path, "english")
        with blocking(tmp_path, "english") as kernel:
            with pytest.raises(PortUnfilled):
                kernel.get(Counter)
            with pytest.raises(ProviderNotFound):
                kernel.get(Greeter, "french")
            with pytest.raises(PortUnknown):
                kernel.all(dict)  # type: ignore[arg-type]

    def test_an_adapters_error_is_the_ports(self, tmp_path: Path) -> None:
        """What an adapter raises comes out of the call as it does on the loop."""
        probe(tmp_path, "bad")
        with blocking(tmp_path, "bad", config=probing(tmp_path, bad={"greet": "raise"})) as kernel:
            with pytest.raises(AdapterFailed) as failed:
                kernel.get(Greeter).greet("you")
            assert isinstance(failed.value.__cause__, RuntimeError)


class BlockingGreeter(Protocol):
    """The blocking form of ``Greeter``, for annotations."""

    def greet(self, name: str, *, loud: bool = False) -> str: ...


@frozen
class Service:
    """Asks for greeters in every way there is."""

    plain: Greeter
    typed: Annotated[BlockingGreeter, Greeter]
    named: Annotated[BlockingGreeter, Greeter, "french"]
    everybody: Mapping[str, Greeter]
    nobody: Counter | None
    absent: BlockingStorage | None = None
    number: int = 3


class TestBuild:
    """Constructor injection."""

    def test_every_kind_of_need_is_filled_with_what_blocks(self, tmp_path: Path) -> None:
        """Ports, their blocking forms, names, mappings and optional ones are filled with blocking handles."""
        greeter(tmp_path, "english")
        greeter(tmp_path, "french", "bonjour")
        with blocking(tmp_path, "english", "french", ports={"greeter": ("english",)}) as kernel:
            made = kernel.build(Service)
            assert kernel.get(Greeter) is made.plain
            assert kernel.get(Greeter) is made.typed
            assert made.named.greet("you") == "bonjour you"
            assert made.everybody["english"] is kernel.get(Greeter, "english")
            assert (made.nobody, made.absent, made.number) == (None, None, 3)

    def test_a_form_of_hotswap_is_known(self, tmp_path: Path) -> None:
        """``BlockingStorage`` stands for ``Storage``, alone, by name and in a mapping."""

        class Notes:
            def __init__(
                self,
                storage: BlockingStorage,
                named: Annotated[BlockingStorage, "memory"],
                stores: Mapping[str, BlockingStorage],
            ) -> None:
                storage.put("a", b"1")  # a constructor may call
                self.found = named.get("a"), stores["memory"].get("a")

        with BlockingKernel(Settings(folder=tmp_path, enabled=("memory",)), environ={}) as kernel:
            assert kernel.build(Notes).found == (b"1", b"1")

    def test_gaps_are_listed(self, tmp_path: Path) -> None:
        """What cannot be filled is listed, all of it, with the name of what was to be built."""

        class Needy:
            def __init__(self, search: Search, colour: str, config: dict[str, Any]) -> None: ...

        with blocking(tmp_path) as kernel, pytest.raises(InjectionFailed) as failed:
            kernel.build(Needy)
        assert failed.value.target.endswith("Needy")
        assert [each.partition(":")[0] for each in failed.value.gaps] == ["colour"]

    def test_annotations_that_cannot_be_read(self, tmp_path: Path) -> None:
        """Names that mean nothing at run time are an error that says so."""

        def make(storage: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821

        with blocking(tmp_path) as kernel, pytest.raises(InjectionFailed, match="cannot be read"):
            kernel.build(make)


class TestMethods:
    """What ``Kernel`` does, without ``await``."""

    def test_look_first_then_apply(self, tmp_path: Path) -> None:
        """A plan is made, looked at and applied; one that is out of date is refused."""
        greeter(tmp_path, "english")
        with blocking(tmp_path) as kernel:
            plan = kernel.plan(enable=["english"])
            assert kernel.plugins()["english"].state is not State.ACTIVE
            kernel.apply(plan)
            assert kernel.plugins()["english"].state is State.ACTIVE
            with pytest.raises(PlanOutdated):
                kernel.apply(plan)

    def test_looking_around(self, tmp_path: Path) -> None:
        """States, ports, problems, health, settings and the catalog are those of the kernel behind it."""
        greeter(tmp_path, "english")
        with blocking(tmp_path, "english", "nobody") as kernel:
            assert kernel.ports()["greeter"].serving == "english"
            assert kernel.why("english").causes[0].state is State.ACTIVE
            assert kernel.health()["english"].status == "healthy"
            assert "nobody" in str(kernel.problems)
            assert "english" in kernel.catalog
            assert kernel.settings.enabled == ("english", "nobody")
            with pytest.raises(PluginNotFound):
                kernel.why("german")

    def test_configure(self, tmp_path: Path) -> None:
        """Settings are changed, and secrets in them are taken out of texts."""
        probe(tmp_path, "one")
        with blocking(tmp_path, "one", config=probing(tmp_path, one={})) as kernel:
            kernel.configure("one", {"greet": "raise"})
            with pytest.raises(AdapterFailed):
                kernel.get(Greeter).greet("you")
            assert kernel.redact("nothing secret") == "nothing secret"

    def test_dependants(self, tmp_path: Path) -> None:
        """What others need is not disabled without them."""
        greeter(tmp_path, "english")
        greeter(tmp_path, "louder", provides={}, dependencies={"english": ">=1"})
        with blocking(tmp_path, "english", "louder") as kernel:
            with pytest.raises(PluginInUse):
                kernel.disable("english")
            kernel.disable("english", cascade=True)
            assert kernel.plugins()["louder"].state is State.DISABLED

    def test_run_reaches_everything_else(self, tmp_path: Path) -> None:
        """``run`` awaits a coroutine function on the loop, with the kernel behind this one."""
        greeter(tmp_path, "english")

        async def main(kernel: Kernel) -> str:
            return await kernel.get(Greeter).greet(threading.current_thread().name)

        with blocking(tmp_path, "english") as kernel:
            assert kernel.run(main) == "hello hotswap"

    def test_settings_before_and_after(self, tmp_path: Path) -> None:
        """Settings can be read at any time; what takes a running kernel says that it is not."""
        kernel = blocking(tmp_path)
        assert kernel.settings.folder == tmp_path
        for call in (kernel.plan, kernel.plugins, lambda: kernel.problems, lambda: kernel.get(Greeter)):
            with pytest.raises(KernelNotRunning):
                call()
        with kernel:
            pass
        assert kernel.settings.folder == tmp_path
        with pytest.raises(KernelNotRunning):
            kernel.plan()


class TestHooks:
    """Handlers of a synchronous application."""

    def test_a_handler_may_use_the_kernel(self, tmp_path: Path) -> None:
        """A handler that is no coroutine function runs beside the loop, and may call what it is called for."""
        greeter(tmp_path, "english")
        counter(tmp_path, "one")
        with blocking(tmp_path, "english", "one") as kernel:

            def louder(event: HookEvent) -> Modify:
                again = kernel.get(Greeter).greet("there")  # goes past this handler
                return Modify({"result": f"{event.data['result']}, {again}, {kernel.get(Counter).plain(5)}"})

            remove = kernel.on("post_greeter.greet", louder)
            assert kernel.get(Greeter).greet("you") == "hello you, hello there, 5"
            remove()
            assert kernel.get(Greeter).greet("you") == "hello you"

    def test_a_coroutine_function_runs_on_the_loop(self, tmp_path: Path) -> None:
        """An async handler is what it is in ``Kernel``; so is what a plain function returns to be awaited."""
        greeter(tmp_path, "english")
        threads: list[str] = []

        async def note(event: HookEvent) -> None:
            threads.append(threading.current_thread().name)

        with blocking(tmp_path, "english") as kernel:
            kernel.on("pre_greeter.greet", note)
            kernel.on("pre_greeter.greet", lambda event: note(event))
            kernel.get(Greeter).greet("you")
        assert threads == ["hotswap", "hotswap"]

    def test_handlers_registered_before(self, tmp_path: Path) -> None:
        """Handlers may be registered before the kernel runs, and use it when it starts and when it is left."""
        greeter(tmp_path, "english")
        said: list[str] = []
        kernel = blocking(tmp_path, "english")
        for point in ("on_startup", "on_shutdown"):
            kernel.on(point, lambda event: said.append(f"{event.point} {kernel.get(Greeter).greet('you')}"))
        with kernel:
            assert said == ["on_startup hello you"]
        assert said[1:] == ["on_shutdown hello you"]

    def test_more_calls_than_any_pool_has_threads(self, tmp_path: Path) -> None:
        """Handlers that call hooked methods, from many threads at once, do not wait for each other's threads."""
        greeter(tmp_path, "english")
        counter(tmp_path, "one")
        callers = 60
        meeting = threading.Barrier(callers)
        with blocking(tmp_path, "english", "one") as kernel:

            def outer(event: HookEvent) -> None:
                meeting.wait(20)
                kernel.get(Counter).request()

            kernel.on("pre_greeter.greet", outer)
            kernel.on("pre_counter.request", lambda event: None)
            with ThreadPoolExecutor(callers) as pool:
                answers = list(pool.map(kernel.get(Greeter).greet, ["you"] * callers))
            assert answers == ["hello you"] * callers
            assert not kernel.run(_failures)


async def _failures(kernel: Kernel) -> list[str]:
    return [each.error for each in kernel.hooks.record.failures]


class TestThreads:
    """Where a call comes from."""

    def test_a_call_carries_the_context_of_its_thread(self, tmp_path: Path) -> None:
        """Context variables of the calling thread, such as the id of its request, are those of the call."""
        counter(tmp_path, "one")

        def of_request(number: int) -> str:
            surroundings.set(HookContext(request_id=f"r{number}"))
            request: str = handle.request()
            return request

        with blocking(tmp_path, "one") as kernel:
            handle = kernel.get(Counter)
            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(of_request, range(20))) == [f"r{number}" for number in range(20)]

    def test_a_call_on_the_loop_itself_is_refused(self, tmp_path: Path) -> None:
        """A blocking call where it would wait for itself is an error that says what to do."""
        greeter(tmp_path, "english")
        with blocking(tmp_path, "english") as kernel:
            handle = kernel.get(Greeter)

            async def main(_: Kernel) -> None:
                handle.greet("you")

            with pytest.raises(WouldDeadlock) as refused:
                kernel.run(main)
            assert "to_thread" in refused.value.hint
            assert handle.greet("you") == "hello you"

    def test_a_call_that_is_cancelled_there(self, tmp_path: Path) -> None:
        """A call that is cancelled on the loop is an error of its own in the thread, with what was said there."""

        async def main(_: Kernel) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel("no time")
            await asyncio.sleep(0)

        with blocking(tmp_path) as kernel, pytest.raises(CallCancelled, match="no time"):
            kernel.run(main)

    def test_looking_around_on_the_loop(self, tmp_path: Path) -> None:
        """What awaits nothing, an async handler may ask too."""
        greeter(tmp_path, "english")
        with blocking(tmp_path, "english") as kernel:

            async def main(_: Kernel) -> list[Any]:
                kernel.on("pre_greeter.greet", lambda event: None)()
                found = kernel.plugins()["english"].state.value, kernel.get(Greeter).features
                return [*kernel.all(Greeter), *kernel.settings.enabled, *found]

            assert kernel.run(main) == ["english", "english", "active", frozenset()]

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
    def test_what_ends_a_loop_ends_a_call(self, tmp_path: Path, error: BaseException) -> None:
        """Even ``SystemExit`` on the loop is raised in the thread that called, and nowhere else."""
        greeter(tmp_path, "english")

        async def main(_: Kernel) -> None:
            raise error

        with blocking(tmp_path, "english") as kernel:
            with pytest.raises(type(error)):
                kernel.run(main)
            assert kernel.get(Greeter).greet("you") == "hello you"


@pytest.fixture
def switches(tmp_path: Path) -> Switches:
    """Return the switches of the plugins of this test."""
    return counter(tmp_path, "one")


@pytest.fixture
def kernel(tmp_path: Path, switches: Switches) -> Iterator[BlockingKernel]:
    """Return a running kernel with two counters."""
    counter(tmp_path, "two")
    with blocking(tmp_path, "one", "two", ports={"counter": ("one",)}) as running:
        yield running


def leases(kernel: BlockingKernel) -> int:
    """Return how many calls are inside the selected counter."""

    async def inside(running: Kernel) -> int:
        handle: Any = running.get(Counter)
        found: int = handle._slot.generation.leases
        return found

    return kernel.run(inside)


class Interrupt(BaseException):
    """What a signal's handler raises."""


@contextmanager
def interrupting(switches: Switches, name: str) -> Iterator[None]:
    """Interrupt this thread when a switch is on, as Ctrl-C and the time limits of servers do."""

    def interrupt(*_: object) -> None:
        raise Interrupt

    def when() -> None:
        switches.wait(name)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=when)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)


def _waiting(switches: Switches, name: str) -> Handler:
    def handler(event: HookEvent) -> None:
        switches[name].set()
        switches.wait("go")

    return handler


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal here")
class TestInterrupts:
    """A thread that is interrupted while it waits."""

    def test_the_call_is_cancelled(self, kernel: BlockingKernel, switches: Switches) -> None:
        """The call that a thread waited for when it was interrupted has ended when the exception arrives."""
        with interrupting(switches, "inside"), pytest.raises(Interrupt):
            kernel.get(Counter).wait("never")
        assert switches["outside"].is_set()
        assert leases(kernel) == 0
        assert kernel.get(Counter).plain(3) == 3

    def test_the_stream_is_ended(self, kernel: BlockingKernel, switches: Switches) -> None:
        """A stream that a thread waited for is closed, and has no more items."""
        stream = kernel.get(Counter).count(3, wait_at=1)
        assert next(stream) == 0
        with interrupting(switches, "at 1"), pytest.raises(Interrupt):
            next(stream)
        assert switches["closed"].is_set()
        assert (list(stream), leases(kernel)) == ([], 0)

    def test_coming_up_is_undone(self, tmp_path: Path) -> None:
        """A kernel that was interrupted on its way up undoes what it began, and can be entered again."""
        switches = counter(tmp_path, "one")
        kernel = blocking(tmp_path, "one")
        remove = kernel.on("on_startup", _waiting(switches, "up"))
        with interrupting(switches, "up"), pytest.raises(Interrupt):
            kernel.open()
        switches["go"].set()
        remove()
        with kernel:
            assert kernel.get(Counter).plain(3) == 3

    def test_leaving_goes_on(self, tmp_path: Path) -> None:
        """A kernel that was interrupted while it was left is left when the exception arrives."""
        switches = counter(tmp_path, "one")
        kernel = blocking(tmp_path, "one").open()
        kernel.on("on_shutdown", _waiting(switches, "down"))
        threading.Timer(0.2, switches["go"].set).start()
        with interrupting(switches, "down"), pytest.raises(Interrupt):
            kernel.close()
        with pytest.raises(KernelNotRunning):
            kernel.get(Counter)


class TestLeaving:
    """How it starts and ends."""

    def test_it_closes_in_order(self, tmp_path: Path) -> None:
        """Leaving closes what was opened, consumers before what they consume."""
        probe(tmp_path, "base")
        probe(tmp_path, "user", provides={}, dependencies={"base": ">=1"})
        with blocking(tmp_path, "base", "user", config=probing(tmp_path, base={}, user={})):
            pass
        ended = [each for each in JOURNAL[str(tmp_path)] if each.endswith((".stop", ".cleanup"))]
        assert ended == ["user.stop", "user.cleanup", "base.stop", "base.cleanup"]

    def test_what_fails_to_close_is_raised(self, tmp_path: Path) -> None:
        """A plugin that fails to close is reported as by ``Kernel``."""
        probe(tmp_path, "bad")
        with (
            pytest.raises(TeardownFailed, match="no luck"),
            blocking(tmp_path, "bad", config=probing(tmp_path, bad={"stop": "raise"})),
        ):
            pass

    def test_the_bodys_error_comes_first(self, tmp_path: Path) -> None:
        """An error of the body is the one that is seen; what failed to close is in its notes."""
        probe(tmp_path, "bad")
        config = probing(tmp_path, bad={"stop": "raise"})
        with pytest.raises(ZeroDivisionError) as error, blocking(tmp_path, "bad", config=config):
            _ = 1 / 0
        assert "no luck" in error.value.__notes__[0]

    def test_it_does_not_come_up(self, tmp_path: Path) -> None:
        """What stops the kernel from coming up is raised on entering; it can be entered again."""
        greeter(tmp_path, "english")
        kernel = blocking(tmp_path, "english")
        remove = kernel.on("on_startup", lambda event: Abort("not today"))
        with pytest.raises(HookAborted, match="not today"):
            kernel.open()
        remove()
        with kernel:
            assert kernel.get(Greeter).greet("you") == "hello you"

    def test_entered_twice(self, tmp_path: Path) -> None:
        """A kernel that runs cannot be entered, and goes on; one that was left can be."""
        greeter(tmp_path, "english")
        kernel = blocking(tmp_path, "english")
        for _ in range(2):
            with kernel:
                handle = kernel.get(Greeter)
                with pytest.raises(KernelInUse):
                    kernel.open()
                assert handle.greet("you") == "hello you"
            with pytest.raises(KernelNotRunning):
                handle.greet("you")

    def test_open_and_close(self, tmp_path: Path) -> None:
        """Without ``with`` it is opened and closed; closing what is not open does nothing."""
        greeter(tmp_path, "english")
        kernel = blocking(tmp_path, "english").open()
        assert kernel.get(Greeter).greet("you") == "hello you"
        kernel.close()
        kernel.close()
        with pytest.raises(KernelNotRunning):
            kernel.get(Greeter)

    def test_calls_under_way_are_answered(self, tmp_path: Path) -> None:
        """A call that is inside when the kernel is left ends as it would have; a new one is refused."""
        switches = counter(tmp_path, "one")
        with ThreadPoolExecutor(1) as pool:
            with blocking(tmp_path, "one") as kernel:
                handle = kernel.get(Counter)
                call = pool.submit(handle.wait, "go")
                switches.wait("inside")
                leaving = threading.Thread(target=_refused, args=(handle, switches))
                leaving.start()
            leaving.join()
            assert call.result(20) == "one"

    def test_what_never_ends_is_cancelled(self, tmp_path: Path) -> None:
        """What is still under way when everything is closed is cancelled, and its thread is told why."""
        switches = Switches()

        async def forever(_: Kernel) -> None:
            switches["inside"].set()
            await switches.reached("never")

        with ThreadPoolExecutor(1) as pool:
            with blocking(tmp_path) as kernel:
                call = pool.submit(kernel.run, forever)
                switches.wait("inside")
            with pytest.raises(KernelNotRunning, match="before this call was done"):
                call.result(20)

    def test_nobody_waits_in_vain(self, tmp_path: Path) -> None:
        """Threads that call while the kernel is left, again and again, get an answer or ``KernelNotRunning``."""
        greeter(tmp_path, "english")
        kernel = blocking(tmp_path, "english")
        for _ in range(10):
            kernel.open()
            handle = kernel.get(Greeter)
            started = threading.Barrier(9)
            with ThreadPoolExecutor(8) as pool:
                callers = [pool.submit(_call_until_left, handle, started) for _ in range(8)]
                started.wait(20)
                kernel.close()
                assert [each.result(20) for each in callers] == [None] * 8

    def test_the_deadline_of_a_drain(self, tmp_path: Path) -> None:
        """A call that does not leave a provider in time is cancelled; its thread is told, and named to others."""
        switches = counter(tmp_path, "one")
        counter(tmp_path, "two")
        selected = {"counter": ("one",)}
        with (
            ThreadPoolExecutor(1, thread_name_prefix="waiter") as pool,
            blocking(tmp_path, "one", "two", ports=selected, drain_timeout=0.05) as kernel,
        ):
            call = pool.submit(kernel.get(Counter).wait, "never")
            switches.wait("inside")
            with pytest.raises(TeardownFailed, match="waiter"):
                kernel.reload("one")
            with pytest.raises(HotswapError, match="was cancelled"):
                call.result(20)
            assert switches["outside"].is_set()


def _refused(handle: Any, switches: Switches) -> None:
    """Call until a call is refused, then let the one inside go on."""
    try:
        while True:
            handle.request()
    except KernelNotRunning:
        switches["go"].set()


def _call_until_left(handle: Any, started: threading.Barrier) -> None:
    handle.greet("you")
    started.wait(20)
    while True:
        try:
            assert handle.greet("you") == "hello you"
        except KernelNotRunning:
            return


class TestStreams:
    """Streams as iterators."""

    def test_items_come_when_they_are_asked_for(self, kernel: BlockingKernel, switches: Switches) -> None:
        """A stream begins at its first item, never runs ahead, and lets go of its provider after the last one."""
        stream = kernel.get(Counter).count(3)
        assert (leases(kernel), switches["at 0"].is_set()) == (0, False)
        assert next(stream) == 0
        assert (leases(kernel), switches["at 1"].is_set()) == (1, False)
        assert list(stream) == [1, 2]
        assert leases(kernel) == 0
        assert list(stream) == []

    def test_a_swap_does_not_touch_it(self, kernel: BlockingKernel, tmp_path: Path) -> None:
        """A stream that has begun ends in the provider where it began; the swap waits for it."""
        stream = kernel.get(Counter).count(4)
        assert next(stream) == 0
        with ThreadPoolExecutor(1) as pool:
            swap = pool.submit(kernel.disable, "one")
            while kernel.get(Counter).features != "two":
                assert not swap.done()
            assert list(stream) == [1, 2, 3]
            swap.result(20)

    @pytest.mark.parametrize("how", ["close", "with", "garbage"])
    def test_ended_early(self, kernel: BlockingKernel, switches: Switches, how: str) -> None:
        """A stream that is closed, left or forgotten ends the call behind it; one that was closed has no items."""
        stream = kernel.get(Counter).count(3)
        assert next(stream) == 0
        if how == "close":
            stream.close()
            stream.close()
            assert list(stream) == []
        elif how == "with":
            with stream:
                pass
        else:
            del stream
        switches.wait("closed")
        assert leases(kernel) == 0

    def test_closed_before_it_began(self, kernel: BlockingKernel, switches: Switches) -> None:
        """A stream that is closed before its first item never begins."""
        stream = kernel.get(Counter).count(3)
        stream.close()
        assert list(stream) == []
        assert not switches["at 0"].is_set()

    def test_an_error_is_raised_once(self, kernel: BlockingKernel) -> None:
        """A stream that fails raises the port's error at that item, and has no more."""
        stream = kernel.get(Counter).count(3, fail_at=1)
        assert next(stream) == 0
        with pytest.raises(AdapterFailed):
            next(stream)
        assert list(stream) == []
        stream.close()
        assert leases(kernel) == 0

    def test_arguments_that_do_not_fit(self, kernel: BlockingKernel) -> None:
        """Wrong arguments are an error at the call, and not at the first item."""
        with pytest.raises(TypeError, match="to"):
            kernel.get(Counter).count()

    def test_what_fails_when_it_is_closed(self, kernel: BlockingKernel, switches: Switches) -> None:
        """An adapter that fails to close is reported to whoever closes the stream."""
        stream = kernel.get(Counter).count(3)
        next(stream)
        switches["bad close"].set()
        with pytest.raises(Exception, match="cannot close"):
            stream.close()
        assert leases(kernel) == 0

    def test_what_fails_when_it_is_forgotten(self, kernel: BlockingKernel, switches: Switches) -> None:
        """An adapter that fails to close a forgotten stream is reported to the loop's handler of exceptions."""
        told: list[dict[str, Any]] = []

        async def listen(_: Kernel) -> None:
            asyncio.get_running_loop().set_exception_handler(tell)

        def tell(loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
            told.append(what)
            told_of.set()

        told_of = threading.Event()
        kernel.run(listen)
        stream = kernel.get(Counter).count(3)
        next(stream)
        switches["bad close"].set()
        del stream
        assert told_of.wait(20)
        assert "cannot close" in str(told[0]["exception"])

    def test_threads_share_a_stream(self, kernel: BlockingKernel) -> None:
        """Each item of a stream goes to one of the threads that read it."""
        stream = kernel.get(Counter).count(200)
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda _: list(stream), range(4)))
        assert sorted(number for part in parts for number in part) == list(range(200))

    def test_left_unread_by_the_thread_that_leaves(self, tmp_path: Path) -> None:
        """Leaving does not wait for a stream that the leaving thread itself has begun: nobody would read on."""
        switches = counter(tmp_path, "one")
        with blocking(tmp_path, "one") as kernel:
            stream = kernel.get(Counter).count(3)
            next(stream)
        assert switches["closed"].is_set()
        with pytest.raises(KernelNotRunning):
            next(stream)
        stream.close()

    def test_left_while_another_thread_reads(self, tmp_path: Path) -> None:
        """A stream that another thread reads goes on to its end while the kernel is left."""
        switches = counter(tmp_path, "one")
        with ThreadPoolExecutor(1) as pool:
            with blocking(tmp_path, "one") as kernel:
                reading = pool.submit(_read_slowly, kernel.get(Counter), switches)
                switches.wait("at 0")
            assert reading.result(20) == list(range(50))


def _read_slowly(handle: Any, switches: Switches) -> list[int]:
    """Read a stream, and go on reading only when new calls are refused."""
    stream = handle.count(50)
    found = [next(stream)]
    try:
        while True:
            handle.request()
    except KernelNotRunning:
        return found + list(stream)
