"""What a type checker sees of the test kit: checked by mypy and pyright, never run."""

from pathlib import Path
from typing import assert_type

from hotswap.testing import PluginHarness, Run, check, matching, within
from hotswap_ports import AIProvider, Health, Storage, ToolResult, Usage, WorkflowResult
from hotswap_ports.testing import Call, MemoryAI, MockAI, MockStorage, Rule, record, replay


async def test(real: AIProvider) -> None:
    async with PluginHarness(Path("plugin"), config={"most": 1}, mocks={Storage: MockStorage()}, seed=1) as harness:
        assert_type(harness.get(Storage), Storage)
        assert_type(harness.calls, tuple[Call, ...])
        assert_type(harness.tokens, Usage)
        assert_type(await harness.health(), Health)
        assert_type(harness.fired("post_storage.put"), int)
        run = await harness.run({"words": ["a"]}, times=2)
        assert_type(run, Run[WorkflowResult])
        assert_type((await harness.call(text="a")).result, ToolResult)
        run.check({"report.title": matching("a"), "stats.read": within(1, 2)})
        check(run.tokens, {"input_tokens": 3})
    async with record(AIProvider, real, Path("ai.json")) as ai:
        assert_type(ai, AIProvider)
    async with record(AIProvider, MemoryAI(), "ai.json", keep={"token"}) as ai:
        assert_type(ai, AIProvider)
    assert_type(replay(AIProvider, Path("ai.json")), AIProvider)
    assert_type(MockAI().unused(), tuple[Rule, ...])
    assert_type(MockAI().on("complete").calls, tuple[Call, ...])
    assert_type(MockAI(real).tokens, Usage)
