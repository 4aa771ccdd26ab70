"""Canaries and shadows on a running kernel: begun, decided, carried out, and ended by whatever else is changed."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hotswap import (
    Bounds,
    Kernel,
    KernelNotRunning,
    Plan,
    PluginInitFailed,
    PortUnknown,
    ProviderNotFound,
    Trial,
    TrialRefused,
    Verdict,
)
from hotswap_ports import HookEvent, PortError
from tests.plugin_folder import JOURNAL, Clock, Greeter, gate, greeter, kernel, probe, probing, reached, write_plugin
from tests.waiting import until

ERRORS_ALONE = Bounds(p95_ratio=None)
"""Latencies of a few microseconds on a busy machine are no subject for a test."""
BOTH = {"ports": {"greeter": ("old",)}}
EVERY_FIFTH = """
    from itertools import count
    from hotswap_ports import Unavailable
    from tests.plugin_folder import Greeter

    class Hello(Greeter):
        def __init__(self):
            self.numbers = count(1)
        async def greet(self, name, *, loud=False):
            if next(self.numbers) % 5 == 0:
                raise Unavailable("every fifth")
            return "new " + name
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    greeter(tmp_path, "old", "old")
    greeter(tmp_path, "new", "new")
    greeter(tmp_path, "third", "third")
    return tmp_path


def both(root: Path, **changes: Any) -> Kernel:
    """Return a kernel with two greeters, of which ``old`` serves."""
    return kernel(root, "old", "new", **{**BOTH, **changes})


async def canary(running: Kernel, share: float = 0.1, **more: Any) -> Trial:
    """Begin a canary of ``new`` that looks at errors alone and may be promoted at any time."""
    given = {"abort_if": ERRORS_ALONE, "min_seconds": 0.0, **more}
    return await running.select(Greeter, "new", canary=share, **given)


async def greet(running: Kernel, calls: int) -> list[str]:
    """Return who answered each call: the first word, or the name of the error."""
    handle, found = running.get(Greeter), []
    for _ in range(calls):
        try:
            found.append((await handle.greet("x")).split()[0])
        except PortError as error:
            found.append(type(error).__name__)
        await asyncio.sleep(0)  # these adapters do not: others get their turn
    return found


async def over(trial: Trial) -> Verdict:
    return await asyncio.wait_for(trial.verdict(), 10)


async def test_a_canary_gets_its_share_and_is_promoted(root: Path) -> None:
    """A tenth of the calls goes to the candidate, and after fifty of them it is selected like by anybody."""
    told: list[HookEvent] = []
    async with both(root) as running:
        running.on("on_trial_end", told.append)
        trial = await canary(running, promote_after=50)
        found = await greet(running, 400)
        assert found.count("new") == 40
        assert "40 calls so far" in running.ports()["greeter"].trial
        assert running.settings.ports["greeter"] == ("old",)
        await greet(running, 100)
        verdict = await over(trial)
        assert (verdict.outcome, verdict.reason) == ("promoted", "it kept the bounds in 50 calls")
        assert set(await greet(running, 20)) == {"new"}
        assert running.settings.ports["greeter"] == ("new",)
        assert running.ports()["greeter"].serving == "new"
        assert running.ports()["greeter"].trial == verdict.headline
        assert running.trials()["greeter"] is trial
        assert (trial.over, trial.stats()) == (verdict, verdict.stats)
    [event] = told
    assert {**event.data} == {
        "port": "greeter", "provider": "new", "outcome": "promoted", "reason": verdict.reason, "stats": verdict.stats,
    }  # fmt: skip


async def test_promotion_takes_over_the_order_of_failover(root: Path) -> None:
    """More names are what to fall back on once the candidate is selected."""
    async with both(root) as running:
        trial = await running.select(
            Greeter, "new", "old", canary=0.5, abort_if=ERRORS_ALONE, min_seconds=0, promote_after=5
        )
        await greet(running, 20)
        await over(trial)
        assert running.settings.ports["greeter"] == ("new", "old")


async def test_a_bad_canary_goes_back_by_itself(root: Path) -> None:
    """A candidate that fails 20 % goes back within 200 of its calls; it stays open, and the other serves on."""
    write_plugin(root, "new", EVERY_FIFTH, provides={"greeter": "Hello"})
    async with both(root) as running:
        trial = await canary(running, 0.05)
        found = await greet(running, 4_000)
        verdict = await over(trial)
        assert verdict.outcome == "aborted"
        assert verdict.reason.startswith("it failed ")
        assert verdict.stats.candidate.calls < 200
        assert found.count("Unavailable") == verdict.stats.candidate.failures <= 0.005 * len(found)
        assert set(found[-2_000:]) == {"old"}
        assert running.ports()["greeter"].providers == ("old", "new")
        assert await running.get(Greeter, "new").greet("x") == "new x"


async def test_the_defaults_are_meant_for_real_calls(root: Path) -> None:
    """Without more than a share, a candidate is not promoted within its first minute."""
    async with both(root) as running:
        trial = await running.select(Greeter, "new", canary=0.5)
        await greet(running, 1_200)
        assert trial.over is None or "took longer" in trial.over.reason  # the machine of the test may be very busy


async def test_a_candidate_that_is_only_in_the_catalog_is_opened_first(root: Path) -> None:
    """Selecting a canary enables its plugin, as a plain selection does."""
    async with kernel(root, "old", **BOTH) as running:
        trial = await canary(running, 0.5)
        assert set(await greet(running, 10)) == {"old", "new"}
        assert running.plugins()["new"].state.value == "active"
        await trial.stop()
        assert set(await greet(running, 10)) == {"old"}


async def test_a_candidate_that_cannot_be_opened_is_an_error_and_no_trial(tmp_path: Path) -> None:
    """The error of its opening is raised, and the port goes on as it was."""
    greeter(tmp_path, "old", "old")
    probe(tmp_path, "new")
    async with kernel(tmp_path, "old", config=probing(tmp_path, new={"start": "raise"}), **BOTH) as running:
        with pytest.raises(PluginInitFailed):
            await canary(running)
        assert not running.trials()
        assert await greet(running, 3) == ["old"] * 3


async def test_by_name_nobody_is_tried(root: Path) -> None:
    """Who asked for a provider by name gets that one."""
    async with both(root) as running:
        await canary(running, 0.5)
        handle = running.get(Greeter, "old")
        assert {await handle.greet("x") for _ in range(20)} == {"old x"}


async def test_hooks_see_the_calls_of_a_trial_once(root: Path) -> None:
    """Hooks run around the call, whoever answers it; what a shadow repeats is nobody's call."""
    seen: list[HookEvent] = []
    async with both(root) as running:
        running.on("pre_greeter.greet", seen.append)
        await canary(running, 0.5)
        await greet(running, 10)
        await running.trials()["greeter"].stop()
        await running.select(Greeter, "new", shadow=True, methods=["greet"])
        await greet(running, 10)
        verdict = await running.trials()["greeter"].stop()
        assert verdict.stats.compared == 10
    assert len(seen) == 20


async def test_a_shadow_answers_with_the_old_and_tells_what_differs(root: Path) -> None:
    """Nobody sees the candidate's answers but the report; stopping waits for those under way."""
    async with both(root) as running:
        trial = await running.select(Greeter, "new", shadow=True, methods=["greet"])
        assert set(await greet(running, 30)) == {"old"}
        verdict = await trial.stop("seen enough")
        assert (verdict.outcome, verdict.reason) == ("stopped", "seen enough")
        stats = verdict.stats
        assert (stats.kind, stats.compared, stats.differences) == ("shadow", 30, 30)
        assert str(stats.examples[0]) == "greet: the answers are not the same: 'old x' | 'new x'"
        assert running.ports()["greeter"].serving == "old"
        trial = await running.select(
            Greeter, "new", shadow=True, methods="greet", same=lambda one, other: one[4:] == other[4:]
        )
        await greet(running, 5)
        stats = (await trial.stop()).stats
        assert (stats.compared, stats.differences) == (5, 0)


async def nobody_waits(*given: object) -> bool:
    """Stand for a judge that a trial would have to await."""
    return True


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"canary": 0.0}, "share between 0 and 1, and not 0.0", ""),
        ({"canary": 1.0}, "share between 0 and 1, and not 1.0", ""),
        ({"canary": float("nan")}, "share between 0 and 1, and not nan", ""),
        ({"canary": "0.1"}, "share between 0 and 1, and not '0.1'", "canary=0.05"),
        ({"canary": True}, "share between 0 and 1, and not True", "canary=0.05"),
        ({"canary": 0.1, "promote_after": 0}, "at least one call, and not 0", ""),
        ({"canary": 0.1, "promote_after": "5"}, "at least one call, and not '5'", ""),
        ({"canary": 0.1, "min_seconds": -1}, "number of seconds from 0, and not -1", "for a minute"),
        ({"canary": 0.1, "min_seconds": None}, "number of seconds from 0, and not None", "for a minute"),
        ({"canary": 0.1, "abort_if": 5}, "abort_if is Bounds or a plain function, and not 5", "Bounds(...)"),
        ({"canary": 0.1, "abort_if": nobody_waits}, "abort_if is Bounds or a plain function", "Bounds(...)"),
        ({"shadow": True, "methods": ["greet"], "same": 5}, "same is a plain function, and not 5", "both answers"),
        ({"shadow": True, "methods": ["greet"], "same": nobody_waits}, "same is a plain function", "both answers"),
        ({"shadow": True, "methods": 5}, "methods are names, and not 5", "methods=[...] of greet"),
        ({"canary": 0.1, "shadow": True}, "a canary or a shadow, and not both", ""),
        ({"abort_if": Bounds()}, "abort_if belong to a trial, and none is asked for", "canary=0.05"),
        ({"shadow": True}, "does not say which of its methods change nothing", "methods=[...] of greet"),
        ({"shadow": True, "methods": ["gret"]}, "no async method 'gret'", "Did you mean 'greet'?"),
        ({"shadow": True, "methods": ["features"]}, "no async method 'features'", "It has greet."),
    ],
)
async def test_what_makes_no_sense_is_refused(root: Path, asked: dict[str, Any], message: str, hint: str) -> None:
    """Terms that cannot be kept are refused before anything is opened, with what to say instead."""
    async with kernel(root, "old", **BOTH) as running:
        select: Any = running.select
        with pytest.raises(TrialRefused, match=r"'new' cannot be tried for 'greeter'") as refused:
            await select(Greeter, "new", **asked)
        assert message in str(refused.value)
        assert hint in refused.value.hint
        assert running.plugins()["new"].state.value == "discovered"


async def test_who_cannot_be_tried_is_refused(root: Path) -> None:
    """Unknown ports and providers, the one that serves, nobody to compare with, and a second trial of a port."""
    async with kernel(root, "old", "new") as running:
        select: Any = running.select
        with pytest.raises(TrialRefused, match="nobody to compare it with") as refused:
            await select(Greeter, "new", canary=0.1)
        assert "Select one first" in refused.value.hint
        await running.select(Greeter, "old")
        with pytest.raises(TrialRefused, match="it serves the port already"):
            await select(Greeter, "old", canary=0.1)
        with pytest.raises(ProviderNotFound, match="'nwe'"):
            await select(Greeter, "nwe", canary=0.1)
        with pytest.raises(PortUnknown):
            await select("greter", "new", canary=0.1)
        with pytest.raises(TrialRefused, match="'' cannot be tried"):
            await select(Greeter, canary=0.1)
        with pytest.raises(TypeError, match="same"):
            await select(Greeter, "new", canary=0.1, same=print)
        await canary(running)
        with pytest.raises(TrialRefused, match="'new' is on trial there") as refused:
            await select(Greeter, "third", canary=0.1)
        assert "verdict()" in refused.value.hint
        assert isinstance(await select(Greeter, "old", shadow=False), Plan)


async def test_of_two_trials_begun_together_one_is_refused(root: Path) -> None:
    """While the candidates of two requests are opened nobody has a trial yet; one gets it."""
    async with kernel(root, "old", **BOTH) as running:
        both_of_them = await asyncio.gather(
            running.select(Greeter, "new", canary=0.1),
            running.select(Greeter, "third", canary=0.1),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in both_of_them) == ["Trial", "TrialRefused"]


async def test_a_kernel_that_does_not_run_has_no_trials(root: Path) -> None:
    """Before it is entered, and after it was left."""
    stopped = both(root)
    with pytest.raises(KernelNotRunning):
        await canary(stopped)
    assert not stopped.trials()


ENDS: dict[str, tuple[Callable[[Kernel], Awaitable[object]], str, str]] = {
    "the candidate is disabled": (lambda running: running.disable("new"), "new was closed", "old"),
    "the candidate is reloaded": (
        lambda running: running.reload("new"), "new was replaced by another generation of itself", "old",
    ),
    "the old one is disabled": (lambda running: running.disable("old"), "new serves the port now", "new"),
    "another one is selected": (
        lambda running: running.select(Greeter, "third"), "another selection was made", "third",
    ),
    "the candidate is selected": (lambda running: running.select(Greeter, "new"), "another selection was made", "new"),
    "an order of failover is selected": (
        lambda running: running.select(Greeter, "old", "new"), "another selection was made", "old",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
@pytest.mark.parametrize("kind", ["canary", "shadow"])
async def test_a_trial_ends_with_the_ground_it_stands_on(root: Path, case: str, kind: str) -> None:
    """A change that concerns one of the two ends the trial, with that reason, and no call is lost by it."""
    act, reason, serves = ENDS[case]
    async with both(root) as running:
        if kind == "canary":
            trial = await canary(running, 0.5, promote_after=10**9)
        else:
            trial = await running.select(Greeter, "new", shadow=True, methods=["greet"])
        calling = asyncio.create_task(greet(running, 3_000))
        await asyncio.sleep(0)
        await act(running)
        verdict = await over(trial)
        assert (verdict.outcome, verdict.reason) == ("aborted", reason)
        assert set(await calling) <= {"old", "new", "third"}
        assert set(await greet(running, 20)) == {serves}
        again = await running.select(Greeter, "new" if serves != "new" else "third", canary=0.5)
        assert again.over is None


GOES_ON: dict[str, Callable[[Kernel], Awaitable[object]]] = {
    "the old one is reloaded": lambda running: running.reload("old"),
    "the old one is configured": lambda running: running.configure("old", {"a": 1}),
    "another plugin of the port is opened": lambda running: running.enable("third"),
    "one to fall back on goes": lambda running: running.disable("third"),
    "a plugin of another port is opened": lambda running: running.enable("ticker"),
}


@pytest.mark.parametrize("case", GOES_ON)
async def test_a_trial_goes_on_where_it_stands(root: Path, case: str) -> None:
    """A new generation of the old provider, and changes that concern neither, leave a trial as it is."""
    code = "from tests.plugin_folder import Clock\nclass Ticks(Clock):\n    async def now(self):\n        return 1.0\n"
    write_plugin(root, "ticker", code, provides={"clock": "Ticks"})
    enabled = ["old", "new"] + ["third"] * (case == "one to fall back on goes")
    async with kernel(root, *enabled, ports={"greeter": ("old", "third")}) as running:
        trial = await canary(running, 0.5, promote_after=30)
        await greet(running, 20)
        await GOES_ON[case](running)
        assert trial.over is None
        assert (await greet(running, 20)).count("new") == 10
        await greet(running, 40)
        assert (await over(trial)).outcome == "promoted"


async def test_an_exclusive_candidate_that_is_replaced_ends_its_trial_and_loses_no_call(tmp_path: Path) -> None:
    """New calls do not wait for a candidate that is closed to be opened anew: they go to the old one."""
    greeter(tmp_path, "old", "old")
    greeter(tmp_path, "new", "new", provides={"greeter": {"class": "Hello", "exclusive": True}})
    async with both(tmp_path) as running:
        trial = await canary(running, 0.5, promote_after=10**9)
        calling = asyncio.create_task(greet(running, 3_000))
        await asyncio.sleep(0)
        await running.configure("new", {"a": 1})
        assert (await over(trial)).reason == "new was replaced by another generation of itself"
        assert set(await calling) <= {"old", "new"}


async def test_an_exclusive_old_one_that_is_replaced_keeps_its_trial(tmp_path: Path) -> None:
    """While the old one is closed and opened anew calls wait; then the trial goes on."""
    greeter(tmp_path, "old", "old", provides={"greeter": {"class": "Hello", "exclusive": True}})
    greeter(tmp_path, "new", "new")
    async with both(tmp_path) as running:
        trial = await canary(running, 0.5, promote_after=10**9)
        await greet(running, 10)
        await running.configure("old", {"a": 1})
        assert trial.over is None
        assert set(await greet(running, 10)) == {"old", "new"}


async def test_leaving_the_kernel_ends_a_trial(root: Path) -> None:
    """Whoever waits for a verdict gets it when the kernel is left."""
    async with both(root) as running:
        trial = await canary(running)
        waiting = asyncio.create_task(trial.verdict())
        await greet(running, 50)
    verdict = await asyncio.wait_for(waiting, 1)
    assert (verdict.outcome, verdict.reason) == ("aborted", "the kernel was left")
    assert verdict.stats.candidate.calls == 5
    assert (await trial.stop()) is verdict


async def test_leaving_the_kernel_ends_a_promotion_that_waits_for_its_turn(root: Path) -> None:
    """A candidate that has earned it while something else is changed is not selected when the kernel is left first."""
    probe(root, "slow")
    async with both(root, config=probing(root, slow={"start": "gate"})) as running:
        trial = await canary(running, 0.5, promote_after=5)
        opening = asyncio.create_task(running.enable("slow"))
        await reached(str(root), "slow.start")
        await greet(running, 20)
        assert "5 calls so far" in running.ports()["greeter"].trial
        assert set(await greet(running, 20)) == {"old"}
    verdict = await over(trial)
    assert verdict.outcome == "aborted"
    assert verdict.reason.startswith("it kept the bounds in 5 calls, and could not be selected: KernelNotRunning: ")
    with pytest.raises(KernelNotRunning):
        await opening


async def test_a_trial_that_is_stopped_leaves_the_old_one(root: Path) -> None:
    """stop() ends it at once, says so, and the next one may begin."""
    async with both(root) as running:
        trial = await canary(running, 0.5)
        await greet(running, 10)
        verdict = await trial.stop()
        assert (verdict.outcome, verdict.stats.candidate.calls) == ("stopped", 5)
        assert set(await greet(running, 10)) == {"old"}
        assert (await canary(running)).over is None
        assert str(trial).startswith("canary of new 1.0.0 for greeter, ")
        assert repr(trial) == f"<{trial}>"
        assert str(verdict).splitlines()[1:] == [f"  {verdict.stats.current}", f"  {verdict.stats.candidate}"]


async def test_who_is_promoted_while_it_is_closed_is_not_opened_again(root: Path) -> None:
    """A promotion takes its turn among the changes; when another one closed the candidate before, it is off."""
    probe(root, "slow")
    async with both(root, config=probing(root, slow={"start": "gate"})) as running:
        trial = await canary(running, 0.5, promote_after=5)
        opening = asyncio.create_task(running.enable("slow"))
        await reached(str(root), "slow.start")
        closing = asyncio.create_task(running.disable("new"))
        await greet(running, 20)
        gate(str(root), "slow.start").set()
        await asyncio.gather(opening, closing)
        verdict = await over(trial)
        assert verdict.outcome == "aborted"
        assert "could not be selected: TrialRefused" in verdict.reason
        assert "new was closed" in verdict.reason
        assert running.plugins()["new"].state.value == "disabled"


async def test_what_a_promotion_leaves_undone_does_not_undo_it(root: Path) -> None:
    """A consumer that cannot be rebuilt on the promoted provider goes on as it is; the promotion stands."""
    code = """
        from tests.plugin_folder import Clock, Greeter
        made = []

        class Ticks(Clock):
            def __init__(self, greeter: Greeter):
                made.append(self)
                if len(made) > 1:
                    raise RuntimeError("once is enough")
            async def now(self):
                return 1.0
    """
    requires = {"greeter": {"version": ">=1", "rebind": "rebuild"}}
    write_plugin(root, "ticker", code, provides={"clock": "Ticks"}, requires=requires)
    async with kernel(root, "old", "new", "ticker", **BOTH) as running:
        assert await running.get(Clock).now() == 1.0
        trial = await canary(running, 0.5, promote_after=5)
        await greet(running, 20)
        assert (await over(trial)).outcome == "promoted"
        assert running.ports()["greeter"].serving == "new"


async def test_a_handler_cannot_abort_what_is_over(root: Path) -> None:
    """A hook on the end of a trial that aborts comes too late, and the verdict stands."""
    from hotswap_ports import Abort

    async with both(root) as running:
        running.on("on_trial_end", lambda event: Abort("no"))
        trial = await canary(running)
        assert (await trial.stop()).outcome == "stopped"


async def test_a_handler_may_change_something_in_turn(root: Path) -> None:
    """A hook on the end of a trial can select by itself: nothing is held while it runs."""
    async with both(root) as running:

        async def select_third(event: HookEvent) -> None:
            await running.select(Greeter, "third")

        running.on("on_trial_end", select_third)
        trial = await canary(running, 0.5, promote_after=5)
        await greet(running, 20)
        await over(trial)
        await until(lambda: running.ports()["greeter"].serving == "third")


async def test_a_candidate_that_stands_on_the_port_itself_is_not_led_to_itself(tmp_path: Path) -> None:
    """A provider that calls the port it provides reaches the old one, during a trial too."""
    code = """
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            def __init__(self, inner: Greeter):
                self.inner = inner
            async def greet(self, name, *, loud=False):
                return "new " + await self.inner.greet(name)
    """
    greeter(tmp_path, "old", "old")
    write_plugin(tmp_path, "new", code, provides={"greeter": "Hello"}, requires={"greeter": ">=1"})
    async with both(tmp_path) as running:
        await canary(running, 0.5)
        handle = running.get(Greeter)
        assert {await handle.greet("x") for _ in range(20)} == {"old x", "new old x"}
        await running.trials()["greeter"].stop()
        await running.select(Greeter, "new", shadow=True, methods=["greet"])
        assert {await handle.greet("x") for _ in range(10)} == {"old x"}
        assert (await running.trials()["greeter"].stop()).stats.compared == 10


async def test_a_consumer_that_leaves_with_both_goes_on_reaching_the_old_one(tmp_path: Path) -> None:
    """What is closed together with its providers reaches the one in use until it is closed, past the trial."""
    code = """
        from hotswap_ports import PluginContext
        from tests.plugin_folder import JOURNAL, Clock, Greeter

        class Ticks(Clock):
            def __init__(self, greeter: Greeter, context: PluginContext):
                self.greeter = greeter
                context.exit_stack.push_async_callback(self.leave)
            async def leave(self):
                JOURNAL["leaving"] = [await self.greeter.greet("x")]
            async def now(self):
                return 1.0
    """
    for name in ("old", "new"):
        greeter(tmp_path, name, name)
    write_plugin(tmp_path, "ticker", code, provides={"clock": "Ticks"}, requires={"greeter": ">=1"})
    async with kernel(tmp_path, "old", "new", "ticker", **BOTH) as running:
        assert await running.get(Clock).now() == 1.0
        trial = await canary(running)
        await running.apply(await running.plan(disable=["old", "new"], cascade=True))
        assert (await over(trial)).reason == "new was closed"
        assert JOURNAL["leaving"] == ["old x"]


async def test_under_load_and_swaps_only_what_the_candidate_fails_is_lost(tmp_path: Path) -> None:
    """64 callers, swaps of the old one meanwhile, a candidate that fails a fifth: every other call is answered."""
    slow = """
        import asyncio
        from tests.plugin_folder import Greeter

        class Hello(Greeter):
            async def greet(self, name, *, loud=False):
                await asyncio.sleep(0.001)
                return "old " + name
    """
    write_plugin(tmp_path, "old", slow, provides={"greeter": "Hello"})
    write_plugin(tmp_path, "new", EVERY_FIFTH, provides={"greeter": "Hello"})
    async with both(tmp_path) as running:
        trial, swaps = await canary(running, 0.05), 0

        async def call() -> list[str]:
            """Call until there were some swaps, and often enough for the rare ones to be counted."""
            found: list[str] = []
            while swaps < 5 or len(found) < 60:
                found += await greet(running, 20)
            return found

        callers = [asyncio.create_task(call()) for _ in range(64)]
        while not all(each.done() for each in callers):
            await running.configure("old", {"number": swaps})
            swaps += 1
            await asyncio.sleep(0.005)
        found = [who for each in callers for who in each.result()]
        verdict = await over(trial)
    assert verdict.outcome == "aborted"
    assert set(found) == {"old", "new", "Unavailable"}
    assert found.count("Unavailable") <= 0.005 * len(found)
    assert verdict.stats.candidate.calls < 200


async def test_a_trial_that_is_kept_keeps_no_candidate_alive(root: Path) -> None:
    """Once it is over and its candidate closed, nothing of that generation can be reached by way of the trial."""
    async with both(root) as running:
        for asked in ({"canary": 0.5}, {"shadow": True, "methods": ["greet"]}):
            select: Any = running.select
            trial = await select(Greeter, "new", **asked)
            await greet(running, 10)
            adapter = weakref.ref(running._wiring.providers("greeter")["new"].target)
            await running.disable("new")
            await over(trial)
            gc.collect()
            assert adapter() is None
            assert running.trials()["greeter"].stats().candidate.calls > 0
            await running.enable("new")


async def test_a_trial_opens_both_sides_where_the_first_call_was_to_do_it(tmp_path: Path) -> None:
    """Provider and candidate may both be waiting for their first call: the trial opens them, and goes its way."""
    from hotswap import State
    from tests.plugin_folder import Greeter, greeter, kernel

    greeter(tmp_path, "english")
    greeter(tmp_path, "german", "hallo")
    ports = {"greeter": ("english",)}
    async with kernel(tmp_path, "english", "german", ports=ports, activation="lazy") as running:
        trial = await running.select(Greeter, "german", canary=0.5, promote_after=5, min_seconds=0)
        seen = set()
        async with asyncio.timeout(20):
            while not trial.over:
                seen.add(await running.get(Greeter).greet("x"))
                await asyncio.sleep(0)
        assert seen == {"hello x", "hallo x"}
        assert running.plugins()["german"].state is State.ACTIVE
        assert running.plugins()["english"].state is State.ACTIVE
