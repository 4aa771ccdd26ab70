"""``MemoryWorkflow``: the port ``workflow`` that reports what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotswap_ports.errors import InvalidRequest
from hotswap_ports.formatter import KeyPoint, Report
from hotswap_ports.testing.formatter import MemoryFormatter
from hotswap_ports.workflow import InputSpec, Progress, ProgressEvent, Workflow, WorkflowFeatures, WorkflowResult

INPUTS = (
    InputSpec("words", help="Words to repeat.", positional=True),
    InputSpec("times", "integer", "How often.", default=1),
    InputSpec("factor", "number", "Any number.", default=1.0),
    InputSpec("loud", "flag", "In capitals.", default=False),
    InputSpec("tone", help="Manner.", default="plain", choices=("plain", "formal")),
)


class MemoryWorkflow(Workflow):
    """Checks its inputs as a real workflow must, and makes a key point of each; a step is one input."""

    def __init__(self, *, inputs: tuple[InputSpec, ...] = INPUTS) -> None:
        self.features = WorkflowFeatures("Reports its inputs.", inputs)

    async def run(self, inputs: Mapping[str, Any], *, progress: Progress | None = None) -> WorkflowResult:
        """Report the inputs, defaults filled in, in the order of ``features.inputs``."""
        values = self._checked(inputs)
        points = []
        for done, (name, value) in enumerate(values.items(), 1):
            points.append(KeyPoint(f"{name} = {value!r}"))
            if progress is not None:
                progress(ProgressEvent("echo", done, len(values), name))
        report = Report("Inputs", key_points=tuple(points), method="Repeated word for word.")
        return WorkflowResult(report, await MemoryFormatter().format(report), {"read": len(values)})

    def _checked(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        known = {each.name: each for each in self.features.inputs}
        if unknown := sorted(map(str, inputs.keys() - known.keys())):
            raise InvalidRequest(f"There is no input {', '.join(unknown)}.", f"There are {', '.join(known) or 'none'}.")
        values: dict[str, Any] = {}
        for name, spec in known.items():
            if name not in inputs:
                if spec.required:
                    raise InvalidRequest(f"The input {name!r} is missing.")
                values[name] = () if spec.positional else spec.default
                continue
            value = inputs[name]
            if not _fits(value, spec):
                raise InvalidRequest(f"The input {name!r} takes {_wanted(spec)}, not {value!r}.")
            values[name] = tuple(value) if spec.positional else value
        return values


def _fits(value: Any, spec: InputSpec) -> bool:
    if spec.positional:
        return isinstance(value, tuple | list) and all(isinstance(each, str) for each in value)
    if spec.type == "flag":
        return isinstance(value, bool)
    if spec.type == "text":
        return isinstance(value, str) and (not spec.choices or value in spec.choices)
    return isinstance(value, int if spec.type == "integer" else int | float) and not isinstance(value, bool)


def _wanted(spec: InputSpec) -> str:
    if spec.positional:
        return "a tuple of texts"
    return f"one of {', '.join(spec.choices)}" if spec.choices else f"a value of type {spec.type}"
