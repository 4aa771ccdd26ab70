"""Breaks of the workflow ``Research``, over twins in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from hotswap_plugins.research import INPUTS, Research, pipeline, reader, request
from hotswap_plugins.research.pipeline import Pipeline
from hotswap_plugins.research.tally import Tally
from hotswap_plugins.research.walk import Walk
from hotswap_ports import InvalidRequest, PortError, ProgressEvent, Report, Unavailable
from hotswap_ports.workflow import WorkflowFeatures
from tests.contract import test_workflow
from tests.contract.breaks import Breaks, around

breaks = Breaks(test_workflow.TestResearch)


@breaks.noticed_by("test_features_are_declared")
def option_names(patch: pytest.MonkeyPatch) -> None:
    """Inputs are called as the command line writes them."""
    renamed = tuple(evolve(each, name=each.name.replace("_", "-")) for each in INPUTS)
    patch.setattr(Research, "features", WorkflowFeatures("Summarise.", renamed))


@breaks.noticed_by("test_features_are_declared")
def default_as_text(patch: pytest.MonkeyPatch) -> None:
    """A default is of another type than its input."""
    spelled = tuple(evolve(each, default=each.default and str(each.default)) for each in INPUTS)
    patch.setattr(Research, "features", WorkflowFeatures("Summarise.", spelled))


@breaks.noticed_by("test_what_is_left_out_is_its_default")
def another_default(patch: pytest.MonkeyPatch) -> None:
    """What is left out stands for something else than the default that is declared."""
    patch.setattr(request, "_pages", lambda value: 3 if value is None else value)


@breaks.noticed_by("test_an_unknown_input_is_refused")
def unknown_ignored(patch: pytest.MonkeyPatch) -> None:
    """What is no input is ignored."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], **more: Any) -> Any:
        names = {each.name for each in INPUTS}
        return await whole(self, {name: each for name, each in inputs.items() if name in names}, **more)


@breaks.noticed_by("test_an_unknown_input_is_refused")
def unnamed(patch: pytest.MonkeyPatch) -> None:
    """An error does not say which input it is about."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], **more: Any) -> Any:
        try:
            return await whole(self, inputs, **more)
        except InvalidRequest as error:
            raise InvalidRequest("An input is wrong.") from error


@breaks.noticed_by("test_an_input_of_another_type_is_refused")
def numbers_as_text(patch: pytest.MonkeyPatch) -> None:
    """A text is taken for the number that it spells."""

    @around(patch, request, "_pages")
    def pages(whole: Any, value: Any) -> Any:
        return whole(int(value) if isinstance(value, str) and value.isdigit() else value)


@breaks.noticed_by("test_an_input_of_another_type_is_refused")
def one_text_for_many(patch: pytest.MonkeyPatch) -> None:
    """A text is taken for a tuple of one text."""

    @around(patch, request, "_texts")
    def texts(whole: Any, value: Any) -> Any:
        return whole((value,) if isinstance(value, str) else value)


@breaks.noticed_by("test_an_input_of_another_type_is_refused")
def checked_too_late(patch: pytest.MonkeyPatch) -> None:
    """Inputs are checked when work has begun."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], *, progress: Any = None) -> Any:
        if progress is not None:
            progress(ProgressEvent("read", 0))
        return await whole(self, inputs, progress=progress)


@breaks.noticed_by("test_any_mapping_holds_inputs")
def dicts_alone(patch: pytest.MonkeyPatch) -> None:
    """Inputs that come in another mapping than a dict are refused."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], **more: Any) -> Any:
        if type(inputs) is not dict:
            raise InvalidRequest("Inputs come in a dict.")
        return await whole(self, inputs, **more)


@breaks.noticed_by("test_a_run_leaves_its_inputs_alone")
def inputs_filled_in(patch: pytest.MonkeyPatch) -> None:
    """Defaults are put into the caller's own inputs."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Any, **more: Any) -> Any:
        inputs.setdefault("max_pages", 1)
        return await whole(self, inputs, **more)


@breaks.noticed_by("test_any_value_ends_in_a_report_or_a_port_error")
def error_of_the_parser(patch: pytest.MonkeyPatch) -> None:
    """A source that makes no sense ends in an error of the library."""

    @around(patch, pipeline, "locate")
    def locate(whole: Any, name: str) -> Any:
        name.encode("ascii")
        return whole(name)


@breaks.noticed_by("test_progress_is_told")
def counts_back(patch: pytest.MonkeyPatch) -> None:
    """Progress tells what is left, and not what is done."""

    @around(patch, Tally, "_tell")
    def tell(whole: Any, self: Any, step: str, item: str = "") -> None:
        if self._progress is not None:
            left = self._totals[step] - self._done[step]
            self._progress(ProgressEvent(step, left, self._totals[step], item))


@breaks.noticed_by("test_progress_is_told")
def more_than_all(patch: pytest.MonkeyPatch) -> None:
    """Progress counts further than its total."""

    @around(patch, Tally, "expect")
    def expect(whole: Any, self: Any, step: str, count: int = 1) -> None:
        self._tell(step)


@breaks.noticed_by("test_progress_is_told")
def told_by_a_thread(patch: pytest.MonkeyPatch) -> None:
    """Progress is told in a thread of its own."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], *, progress: Any = None) -> Any:
        result = await whole(self, inputs)
        if progress is not None:
            await asyncio.to_thread(progress, ProgressEvent("read", 1))
        return result


@breaks.noticed_by("test_progress_is_told")
def told_afterwards(patch: pytest.MonkeyPatch) -> None:
    """Progress comes when the run has ended."""

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], *, progress: Any = None) -> Any:
        result = await whole(self, inputs, progress=progress)
        if progress is not None:
            asyncio.get_running_loop().call_soon(progress, ProgressEvent("read", 99))
        return result


@breaks.noticed_by("test_a_run_gives_a_report")
def sources_of_another_report(patch: pytest.MonkeyPatch) -> None:
    """Key points name sources that the report does not have."""

    @around(patch, pipeline, "report")
    def report(whole: Any, findings: Any) -> Report:
        made: Report = whole(findings)
        return evolve(made, sources=made.sources[:-1])


@breaks.noticed_by("test_a_run_gives_a_report")
def time_of_day(patch: pytest.MonkeyPatch) -> None:
    """The report's time is naive."""

    @around(patch, pipeline, "report")
    def report(whole: Any, findings: Any) -> Report:
        made: Report = whole(findings)
        return evolve(made, created=made.created and made.created.replace(tzinfo=None))


@breaks.noticed_by("test_what_cannot_be_used_is_a_problem")
def one_for_all(patch: pytest.MonkeyPatch) -> None:
    """A source that cannot be read ends the run."""

    @around(patch, Walk, "explore")
    async def explore(whole: Any, self: Any, given: Any) -> Any:
        walked = await whole(self, given)
        if walked.error is not None:
            raise walked.error
        return walked


@breaks.noticed_by("test_what_cannot_be_used_is_a_problem")
def problems_lost(patch: pytest.MonkeyPatch) -> None:
    """A source that cannot be read is not told of."""

    @around(patch, Pipeline, "run")
    async def run(whole: Any, self: Any, asked: Any) -> Any:
        return evolve(await whole(self, asked), problems=())


@breaks.noticed_by("test_nothing_done_is_a_port_error")
def empty_report(patch: pytest.MonkeyPatch) -> None:
    """Where nothing could be read there is a report that says nothing."""

    @around(patch, Walk, "explore")
    async def explore(whole: Any, self: Any, given: Any) -> Any:
        return evolve(await whole(self, given), error=None)


@breaks.noticed_by("test_nothing_done_is_a_port_error")
def group_of_errors(patch: pytest.MonkeyPatch) -> None:
    """What went wrong comes as a group of errors."""

    @around(patch, Pipeline, "run")
    async def run(whole: Any, self: Any, asked: Any) -> Any:
        try:
            return await whole(self, asked)
        except PortError as error:
            raise ExceptionGroup("A run failed.", [error]) from error


@breaks.noticed_by("test_runs_at_once_do_not_mix")
def one_run_at_a_time(patch: pytest.MonkeyPatch) -> None:
    """A run while another is under way is refused."""
    busy: list[object] = []

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], **more: Any) -> Any:
        if busy:
            raise Unavailable("It is busy.")
        busy.append(self)
        try:
            await asyncio.sleep(0)
            return await whole(self, inputs, **more)
        finally:
            busy.clear()


@breaks.noticed_by("test_runs_at_once_do_not_mix")
def one_progress_for_all(patch: pytest.MonkeyPatch) -> None:
    """Whoever began last hears of the progress of all."""
    last: list[Any] = []

    @around(patch, Research, "run")
    async def run(whole: Any, self: Any, inputs: Mapping[str, Any], *, progress: Any = None) -> Any:
        last.append(progress)
        return await whole(self, inputs, progress=progress and (lambda event: last[-1](event)))


@breaks.noticed_by("test_a_cancelled_run_ends_and_the_next_one_works")
def cancellation_as_another_error(patch: pytest.MonkeyPatch) -> None:
    """A run that is cancelled ends in an error of the port."""

    @around(patch, Pipeline, "run")
    async def run(whole: Any, self: Any, asked: Any) -> Any:
        try:
            return await whole(self, asked)
        except asyncio.CancelledError as error:
            raise Unavailable("The run was given up.") from error


@breaks.noticed_by("test_a_cancelled_run_ends_and_the_next_one_works")
def runs_on(patch: pytest.MonkeyPatch) -> None:
    """A run that is cancelled goes on unseen, and tells of its progress."""
    kept: list[asyncio.Task[Any]] = []

    @around(patch, Pipeline, "run")
    async def run(whole: Any, self: Any, asked: Any) -> Any:
        kept.append(asyncio.create_task(whole(self, asked)))
        return await asyncio.shield(kept[-1])


@breaks.noticed_by("test_a_cancelled_run_leaves_nothing_behind")
def readers_left(patch: pytest.MonkeyPatch) -> None:
    """A run that is cancelled leaves what it waited for waiting."""
    kept: list[Any] = []

    @around(patch, reader.Reader, "_read_in_turn")
    async def read(whole: Any, self: Any, *given: Any) -> Any:
        ended = asyncio.Event()
        kept.append(asyncio.create_task(ended.wait()))
        found = await whole(self, *given)
        for _ in range(20):  # twins in memory wait for nothing
            await asyncio.sleep(0)
        ended.set()
        return found


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def slow_on_the_loop(patch: pytest.MonkeyPatch) -> None:
    """The event loop waits with the run."""

    @around(patch, pipeline, "report")
    def report(whole: Any, findings: Any) -> Any:
        time.sleep(0.3)
        return whole(findings)


@breaks.noticed_by("test_it_behaves_as_a_guest_should")
def task_a_run(patch: pytest.MonkeyPatch) -> None:
    """Each run leaves a task behind."""
    kept: list[Any] = []

    @around(patch, Pipeline, "run")
    async def run(whole: Any, self: Any, asked: Any) -> Any:
        kept.append(asyncio.create_task(asyncio.Event().wait()))
        return await whole(self, asked)
