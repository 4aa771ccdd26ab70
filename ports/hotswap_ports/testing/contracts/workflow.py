"""``WorkflowContract``: what every adapter of the port ``workflow`` must do."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import InvalidRequest
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind
from hotswap_ports.workflow import ProgressEvent, Workflow, WorkflowFeatures, WorkflowResult

WRONG: Mapping[str, list[Any]] = {
    "text": [1],
    "integer": ["1", True, 1.5],
    "number": ["1", True],
    "flag": ["yes", 1],
}
"""Values of another type, by the type that is wanted."""


class WorkflowContract:
    """Tests over two fixtures: ``workflow``, and ``inputs`` that it can do its job with."""

    pytestmark: ClassVar[object] = pytest.mark.anyio
    SUPPLY: ClassVar[dict[str, str]] = {"inputs": "a dict of inputs by name that it can do its job with"}
    """What is to be supplied besides the adapter, and what it is."""

    async def test_features_are_declared(self, workflow: Workflow) -> None:
        """Inputs have snake_case names, each once; at most one is positional; a default is among the choices."""
        features = workflow.features
        assert isinstance(features, WorkflowFeatures)
        names = [each.name for each in features.inputs]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", each) for each in names)
        assert sum(each.positional for each in features.inputs) <= 1
        for spec in features.inputs:
            assert not spec.choices or spec.default is None or spec.default in spec.choices
            assert not (spec.required and spec.default)

    async def test_a_run_gives_a_report(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """There is a report with a title, a document of it, and counts; what it points to exists."""
        result = await workflow.run(inputs)
        assert isinstance(result, WorkflowResult)
        report = result.report
        assert report.title
        assert result.rendered.text.strip()
        assert all(isinstance(each, int) and each >= 0 for each in result.stats.values())
        named = {place for point in report.key_points for place in point.sources}
        named |= {passage.source for passage in report.answer.passages} if report.answer else set()
        assert named <= set(range(len(report.sources)))
        assert all(each.source and each.code and each.message for each in result.problems)

    async def test_progress_is_told(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Each event names its step and counts up to its total."""
        events: list[ProgressEvent] = []
        await workflow.run(inputs, progress=events.append)
        assert events
        for event in events:
            assert event.step
            assert event.done >= 0
            assert event.total is None or event.done <= event.total

    async def test_a_run_leaves_its_inputs_alone(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """The same inputs serve again, unchanged."""
        before = copy.deepcopy(dict(inputs))
        first = await workflow.run(inputs)
        assert dict(inputs) == before
        assert (await workflow.run(inputs)).report.title == first.report.title

    async def test_an_unknown_input_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """What is no input is an error, not ignored, and is named."""
        with pytest.raises(InvalidRequest, match="no_such_input"):
            await workflow.run({**inputs, "no_such_input": 1})

    async def test_a_missing_input_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """Each required input is wanted, and named where it is missing."""
        for spec in workflow.features.inputs:
            if spec.required:
                with pytest.raises(InvalidRequest, match=spec.name):
                    await workflow.run({name: value for name, value in inputs.items() if name != spec.name})

    async def test_an_input_of_another_type_is_refused(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """An object, a number for a text, a text for a number, a flag for an integer: InvalidRequest."""
        for spec in workflow.features.inputs:
            bad: list[Any] = [object()]
            if spec.positional:
                bad += ["one text", (1,)]
            else:
                bad += WRONG[spec.type]
            if spec.choices:
                bad.append("no such choice")
            for value in bad:
                with pytest.raises(InvalidRequest):
                    await workflow.run({**inputs, spec.name: value})

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=strategies.text(max_size=12), value=strategies.one_of(strategies.none(), strategies.text(max_size=5)))
    async def test_any_unknown_input_is_refused(
        self, workflow: Workflow, inputs: Mapping[str, Any], name: str, value: str | None
    ) -> None:
        """A name that no input has is an InvalidRequest, whatever it is."""
        if name not in {each.name for each in workflow.features.inputs}:
            with pytest.raises(InvalidRequest):
                await workflow.run({**inputs, name: value})

    async def test_it_behaves_as_a_guest_should(self, workflow: Workflow, inputs: Mapping[str, Any]) -> None:
        """A run leaves neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await workflow.run(inputs)

        await leaves_nothing_behind(work)
