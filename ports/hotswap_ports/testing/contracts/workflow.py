"""``WorkflowContract``: what every adapter of the port ``workflow`` must do."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import InvalidRequest, PortError
from hotswap_ports.testing.contracts.cancellation import ends_when_cancelled, leaves_nothing_behind_when_cancelled
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.workflow import InputSpec, ProgressEvent, Workflow, WorkflowFeatures, WorkflowResult

WRONG: Mapping[str, list[Any]] = {
    "text": [1, ("a",), b"a"],
    "integer": ["1", True, 1.5],
    "number": ["1", True],
    "flag": ["yes", 1],
}
"""Values of another type, by the type that is wanted."""
ANY: dict[str, strategies.SearchStrategy[Any]] = {
    "texts": strategies.lists(strategies.text(max_size=60), max_size=3).map(tuple),
    "text": strategies.text(max_size=60),
    "integer": strategies.integers(),
    "number": strategies.floats() | strategies.integers(),
    "flag": strategies.booleans(),
}
"""Values of each type, sensible or not."""
TYPES: Mapping[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "flag": (bool,)}


class WorkflowContract:
    """Tests over two fixtures: ``workflow``, and ``inputs`` that it can do its job with.

    A workflow that works on several things overrides ``partly`` and ``hopeless`` too.
    """

    pytestmark: ClassVar[object] = pytest.mark.anyio
    SUPPLY: ClassVar[dict[str, str]] = {"inputs": "a dict of inputs by name that it can do its job with"}
    """What is to be supplied besides the adapter, and what it is."""

    @pytest.fixture
    def partly(self) -> Mapping[str, Any] | None:
        """Return inputs of which a part cannot be used; None: there are no such."""
        return None

    @pytest.fixture
    def hopeless(self) -> Mapping[str, Any] | None:
        """Return inputs of the right types with which nothing can be done; None: there are no such."""
        return None

    async def test_features_are_declared(self, workflow: Workflow) -> None:
        """Inputs have snake_case names, each once; at most one is positional; a default is of its type and choices."""
        features = workflow.features
        assert isinstance(features, WorkflowFeatures)
        names = [each.name for each in features.inputs]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", each) for each in names)
        assert sum(each.positional for each in features.inputs) <= 1
        for spec in features.inputs:
            assert spec.type in TYPES
            assert all(isinstance(each, str) for each in spec.choices)
            assert not spec.choices or spec.default is None or spec.default in spec.choices
            assert not (spec.required and spec.default)
            wanted = (tuple,) if spec.positional else TYPES[spec.type]
            assert spec.default is None or isinstance(spec.default, wanted)

    async def test_a_run_gives_a_report(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """There is a report with a title, a document of it, and counts; what it points to exists."""
        self._check(await workflow.run(inputs))

    async def test_any_mapping_holds_inputs(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Inputs need not come in a dict."""
        self._check(await workflow.run(MappingProxyType(dict(inputs))))

    async def test_progress_is_told(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Each event names its step, counts up to its total and comes on the event loop, while the run lasts."""
        loop, events = asyncio.get_running_loop(), list[ProgressEvent]()

        def progress(event: ProgressEvent) -> None:
            assert asyncio.get_running_loop() is loop
            events.append(event)

        await workflow.run(inputs, progress=progress)
        told = list(events)
        done: dict[str, int] = {}
        for event in told:
            assert event.step
            assert event.done >= done.get(event.step, 0)
            assert event.total is None or event.done <= event.total
            done[event.step] = event.done
        assert max(done.values()) > 0
        for _ in range(10):
            await asyncio.sleep(0)
        assert events == told

    async def test_a_run_leaves_its_inputs_alone(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """The same inputs serve again, unchanged."""
        before = copy.deepcopy(dict(inputs))
        first = await workflow.run(inputs)
        assert dict(inputs) == before
        assert (await workflow.run(inputs)).report.title == first.report.title

    async def test_what_is_left_out_is_its_default(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """An input that is left out, and its default, come to the same where two runs do."""
        for spec in self._named(workflow, required=False):
            if spec.default is None:
                continue
            left = {name: value for name, value in inputs.items() if name != spec.name}
            first, second = await workflow.run(left), await workflow.run(left)
            said = await workflow.run({**left, spec.name: spec.default})
            self._check(said)
            if first.report.key_points == second.report.key_points:
                assert said.report.key_points == first.report.key_points

    async def test_every_choice_can_be_taken(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """What stands among the choices of an input is taken."""
        for spec in workflow.features.inputs:
            for choice in spec.choices:
                self._check(await workflow.run({**inputs, spec.name: choice}))

    async def test_an_unknown_input_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """What is no input is an error, not ignored, and is named."""
        with pytest.raises(InvalidRequest, match="no_such_input"):
            await workflow.run({**inputs, "no_such_input": 1})

    async def test_a_missing_input_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Each required input is wanted, and named where it is missing."""
        for spec in self._named(workflow, required=True):
            with pytest.raises(InvalidRequest, match=spec.name):
                await workflow.run({name: value for name, value in inputs.items() if name != spec.name})

    async def test_an_input_of_another_type_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """An object, a number for a text, a text for a number, a flag for an integer: InvalidRequest, and no work."""
        events: list[ProgressEvent] = []
        for spec in workflow.features.inputs:
            bad: list[Any] = [object()]
            if spec.positional:
                bad += ["one text", (1,), {"a": "b"}]
            else:
                bad += WRONG[spec.type]
            if spec.choices:
                bad.append("no such choice")
            for value in bad:
                with pytest.raises(InvalidRequest, match=spec.name):
                    await workflow.run({**inputs, spec.name: value}, progress=events.append)
        assert events == []

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=strategies.text(max_size=12), value=strategies.one_of(strategies.none(), strategies.text(max_size=5)))
    async def test_any_unknown_input_is_refused(
        self, workflow: Workflow, inputs: Mapping[str, Any], name: str, value: str | None
    ) -> None:
        """A name that no input has is an InvalidRequest, whatever it is."""
        if name not in {each.name for each in workflow.features.inputs}:
            with pytest.raises(InvalidRequest):
                await workflow.run({**inputs, name: value})

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(values=strategies.fixed_dictionaries(ANY))
    async def test_any_value_ends_in_a_report_or_a_port_error(
        self, workflow: Workflow, inputs: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        """Values of the right types, however odd or big, end in a report or in an error of the port."""
        for spec in workflow.features.inputs:
            value = values["texts" if spec.positional else spec.type]
            with suppress(PortError):
                self._check(await workflow.run({**inputs, spec.name: value}))

    async def test_what_cannot_be_used_is_a_problem(
        self, workflow: Workflow, inputs: Mapping[str, Any], partly: Mapping[str, Any] | None
    ) -> None:
        """A part of the inputs that cannot be used is told of with its error's code, and the rest is worked on."""
        assert (await workflow.run(inputs)).problems == ()
        if partly is None:
            pytest.skip("the fixture partly is not there")
        result = await workflow.run(partly)
        self._check(result)
        assert result.problems

    async def test_nothing_done_is_a_port_error(self, workflow: Workflow, hopeless: Mapping[str, Any] | None) -> None:
        """A run that can do nothing of what was asked for raises, and makes no empty report."""
        if hopeless is None:
            pytest.skip("the fixture hopeless is not there")
        with pytest.raises(PortError) as failure:
            await workflow.run(hopeless)
        assert not isinstance(failure.value, InvalidRequest)
        assert str(failure.value)

    async def test_runs_at_once_do_not_mix(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Several runs at the same time each give what one gives alone, and tell their own progress."""
        alone = await workflow.run(inputs)
        told: list[list[ProgressEvent]] = [[] for _ in range(4)]
        refused = workflow.run({**inputs, "no_such_input": 1})
        runs = [workflow.run(inputs, progress=each.append) for each in told]
        error, *results = await asyncio.gather(refused, *runs, return_exceptions=True)
        assert isinstance(error, InvalidRequest)
        for result in results:
            assert isinstance(result, WorkflowResult)
            self._check(result)
            assert result.report.title == alone.report.title
            assert len(result.report.sources) == len(alone.report.sources)
        assert all(told)

    async def test_a_cancelled_run_ends_and_the_next_one_works(
        self, workflow: Workflow, inputs: Mapping[str, Any]
    ) -> None:
        """Whoever gives up a run on its way is told so, soon, and hears no more of it; other runs go on."""
        heard: list[tuple[list[ProgressEvent], int]] = []

        async def run() -> None:
            events: list[ProgressEvent] = []
            try:
                await workflow.run(inputs, progress=events.append)
            finally:
                heard.append((events, len(events)))

        beside = asyncio.ensure_future(workflow.run(inputs))
        await ends_when_cancelled(run)
        self._check(await beside)
        self._check(await workflow.run(inputs))
        assert [len(events) for events, _ in heard] == [count for _, count in heard]

    async def test_a_cancelled_run_leaves_nothing_behind(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Runs that were given up leave neither tasks nor threads nor open files behind."""
        await leaves_nothing_behind_when_cancelled(lambda: workflow.run(inputs))

    async def test_it_behaves_as_a_guest_should(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """A run leaves the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await workflow.run(inputs)

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)

    @staticmethod
    def _named(workflow: Workflow, *, required: bool) -> list[InputSpec]:
        return [each for each in workflow.features.inputs if each.required == required]

    @staticmethod
    def _check(result: WorkflowResult) -> None:
        """Assert what holds for whatever a run comes to."""
        assert isinstance(result, WorkflowResult)
        report, rendered = result.report, result.rendered
        assert report.title
        assert report.created is None or report.created.utcoffset() == timedelta(0)
        assert rendered.text.strip()
        assert "/" in rendered.media_type
        assert rendered.extension.startswith(".")
        assert all(type(each) is int and each >= 0 for each in result.stats.values())
        named = {place for point in report.key_points for place in point.sources}
        named |= {passage.source for passage in report.answer.passages} if report.answer else set()
        assert named <= set(range(len(report.sources)))
        assert all(each.source and each.code and each.message for each in result.problems)
