"""``ToolContract``: what every adapter of the port ``tool`` must do."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hotswap_ports.errors import InvalidRequest, PortError
from hotswap_ports.testing.contracts.conduct import leaves_nothing_behind, leaves_the_loop_free
from hotswap_ports.tool import Tool, ToolFeatures, ToolResult

Arguments = Mapping[str, Any]

VALUES: Mapping[str, Any] = {
    "null": None, "boolean": True, "integer": 1, "number": 1.5, "string": "1", "array": [1], "object": {"a": 1},
}  # fmt: skip
"""A value of each type of JSON."""
OUTSIDE = ("no such choice", -987_654_321)
"""Values that no enum is likely to have."""
UNKNOWN = "no_such_argument"
LONGEST_CALL = 10.0
"""Seconds that a call after a cancelled one may take before it counts as stuck."""


def properties(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """Return the schemas of the arguments by name; of those that take any value, an empty one."""
    declared: Mapping[str, Any] = tool.features.parameters.get("properties", {})
    return {name: each if isinstance(each, Mapping) else {} for name, each in declared.items()}


def is_closed(tool: Tool) -> bool:
    """Return whether a tool takes no arguments but those it names."""
    return tool.features.parameters.get("additionalProperties") is False


def misfits(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield values of JSON that do not fit the schema of an argument."""
    kinds = schema.get("type", list(VALUES))
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    kinds |= {"integer"} if "number" in kinds else set()
    yield from (value for kind, value in VALUES.items() if kind not in kinds)
    if "enum" in schema:
        yield from (each for each in OUTSIDE if each not in schema["enum"])


async def outcome(tool: Tool, arguments: Arguments) -> object:
    """Return what a call comes to: a result, or the class of its error."""
    try:
        return await tool.call(arguments)
    except PortError as error:
        return type(error)


class ToolContract:
    """Tests over two fixtures: ``tool``, and ``arguments`` that it can be called with, some dozens of times."""

    pytestmark: ClassVar[object] = pytest.mark.anyio
    SUPPLY: ClassVar[dict[str, str]] = {
        "arguments": "a dict of arguments by name that it can be called with, some dozens of times"
    }
    """What is to be supplied besides the adapter, and what it is."""

    async def test_features_are_declared(self, tool: Tool) -> None:
        """The description is a text; the schema is JSON, of an object, and has each argument that it requires."""
        features = tool.features
        assert isinstance(features, ToolFeatures)
        assert isinstance(features.description, str)
        assert isinstance(features.read_only, bool)
        schema = features.parameters
        assert schema["type"] == "object"
        assert json.loads(json.dumps(schema, allow_nan=False)) == schema
        assert all(isinstance(each, Mapping | bool) for each in schema.get("properties", {}).values())
        required = schema.get("required", [])
        assert len(set(required)) == len(required)
        assert not is_closed(tool) or set(required) <= set(properties(tool))

    async def test_a_result_is_json(self, tool: Tool, arguments: Arguments) -> None:
        """A value is what JSON has, and comes back from it the same; a confidence is from 0 to 1, or not said."""
        result = await tool.call(arguments)
        assert isinstance(result, ToolResult)
        assert json.loads(json.dumps(result.value, allow_nan=False)) == result.value
        assert isinstance(result.text, str)
        if result.confidence is not None:
            assert isinstance(result.confidence, int | float)
            assert not isinstance(result.confidence, bool)
            assert 0 <= result.confidence <= 1

    async def test_a_call_leaves_its_arguments_alone(self, tool: Tool, arguments: Arguments) -> None:
        """The same arguments serve again, whatever is done to a result."""
        before = copy.deepcopy(dict(arguments))
        result = await tool.call(arguments)
        assert dict(arguments) == before
        if isinstance(result.value, list | dict):
            result.value.clear()
        assert dict(arguments) == before
        assert isinstance(await tool.call(arguments), ToolResult)

    async def test_a_missing_argument_is_refused(self, tool: Tool, arguments: Arguments) -> None:
        """Each required argument is wanted, and named where it is missing."""
        for name in tool.features.parameters.get("required", []):
            with pytest.raises(InvalidRequest, match=re.escape(name)):
                await tool.call({each: value for each, value in arguments.items() if each != name})

    async def test_an_unknown_argument_is_refused(self, tool: Tool, arguments: Arguments) -> None:
        """Where the schema allows no others, what is no argument is an error, not ignored, and is named."""
        if not is_closed(tool):
            pytest.skip("the tool takes arguments that its schema does not name")
        with pytest.raises(InvalidRequest, match=UNKNOWN):
            await tool.call({**arguments, UNKNOWN: 1})

    async def test_a_value_that_does_not_fit_is_refused(self, tool: Tool, arguments: Arguments) -> None:
        """A value of another type, or outside of the enum, is an error that names the argument; no value is converted.

        ``true`` is no number, ``1`` no text, ``null`` nothing that may be left out.
        """
        for name, schema in properties(tool).items():
            for value in misfits(schema):
                with pytest.raises(InvalidRequest, match=re.escape(name)):
                    await tool.call({**arguments, name: value})

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=strategies.text(max_size=12), value=strategies.one_of(strategies.none(), strategies.text(max_size=5)))
    async def test_any_unknown_argument_is_refused(
        self, tool: Tool, arguments: Arguments, name: str, value: str | None
    ) -> None:
        """Where the schema allows no others, a name that no argument has is an InvalidRequest, whatever it is."""
        patterns = tool.features.parameters.get("patternProperties", {})
        if is_closed(tool) and name not in properties(tool) and not any(re.search(each, name) for each in patterns):
            with pytest.raises(InvalidRequest):
                await tool.call({**arguments, name: value})

    async def test_calls_at_once_do_not_mix(self, tool: Tool, arguments: Arguments) -> None:
        """Each call gets its own answer, as it does alone; a bad one beside it does it no harm."""
        required = tool.features.parameters.get("required", [])
        asked = [arguments, *(_without(arguments, each) for each in arguments)]
        alone = [await outcome(tool, each) for each in asked]
        again = [await outcome(tool, each) for each in asked]
        together = await asyncio.gather(*(outcome(tool, each) for each in [*asked, *reversed(asked)]))
        for before, after, those, *found in zip(alone, again, asked, together, together[::-1], strict=False):
            if before == after:  # what answers by the clock, or counts, has another answer each time
                assert found == [before, before], those
            elif all(each in those for each in required):
                assert all(isinstance(each, ToolResult) for each in found), those

    @pytest.mark.parametrize("steps", [0, 1, 2, 4, 8])
    async def test_a_cancelled_call_leaves_the_tool_usable(self, tool: Tool, arguments: Arguments, steps: int) -> None:
        """Wherever a call is cancelled, the next one is answered."""
        task = asyncio.create_task(tool.call(arguments))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(LONGEST_CALL):
            assert isinstance(await tool.call(arguments), ToolResult)

    async def test_it_behaves_as_a_guest_should(self, tool: Tool, arguments: Arguments) -> None:
        """Calls leave the event loop free, and neither tasks nor threads nor open files behind."""

        async def work() -> None:
            await tool.call(arguments)

        await leaves_the_loop_free(work)
        await leaves_nothing_behind(work)


def _without(arguments: Arguments, name: str) -> dict[str, Any]:
    return {each: value for each, value in arguments.items() if each != name}
