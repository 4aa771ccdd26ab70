"""What a plugin is handed: settings, storage, AI, log, spans and events, as far as it was granted them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from loguru import logger

from hotswap.config import Config
from hotswap.config_view import LiveConfig
from hotswap.context import Context
from hotswap.errors import CapabilityDenied, HookAborted, HookInvalid, PortUnfilled
from hotswap.hooks import Hooks
from hotswap.manifest.model import Capabilities, Limits
from hotswap_ports.ai import CompletionRequest, Message, SummaryRequest
from hotswap_ports.hooks import Abort, HookEvent
from hotswap_ports.plugin import ConfigView, Events, Tracer
from hotswap_ports.testing import MemoryAI, MemoryStorage

ALL = Capabilities(storage_access=True, llm_access=True, config_access=True)


class Grants:
    """Grants whose requests and permissions are what the test says."""

    def __init__(self, granted: Capabilities = ALL, requested: Capabilities = ALL) -> None:
        self.granted = granted
        self.requested = requested

    def allows(self, capability: str, item: str | None = None) -> bool:
        given = getattr(self.granted, capability)
        return given is True or (item is not None and given is not False and item in given)


class Host:
    """A kernel's part around one context."""

    def __init__(self) -> None:
        self.hooks = Hooks({"storage": ("put",)})
        self.staging = self.hooks.staged("news")
        self.stack = AsyncExitStack()
        self.store = MemoryStorage()
        self.ai = MemoryAI()

    def context(self, grants: Grants | None = None, *, config: Mapping[str, Any] | None = None, **more: Any) -> Context:
        given: dict[str, Any] = {"storage": lambda: self.store, "ai": lambda: self.ai, "limits": Limits(), **more}
        return Context(
            "news",
            "1.2.0",
            config=config or {},
            grants=grants or Grants(),
            hooks=self.hooks,
            staging=self.staging,
            exit_stack=self.stack,
            **given,
        )


@pytest.fixture
def host() -> Host:
    return Host()


class TestContext:
    def test_its_log_masks_the_secrets_in_force(self, host: Host) -> None:
        """The plugin's log shows none of its secrets, also after they were changed."""
        lines: list[str] = []
        sink = logger.add(lines.append, format="{message}")
        try:
            context = host.context(config=Config({"token": "first-secret"}, plugin="news"))
            context.tracer.log.info("{}", "first-secret")
            context.replace_config(Config({"token": "second-secret"}, plugin="news"))
            context.tracer.log.info("{}", "second-secret")
        finally:
            logger.remove(sink)
        assert [each.strip() for each in lines] == ["***", "***"]

    def test_it_says_who_it_is_for(self, host: Host) -> None:
        """A context knows its plugin, and satisfies what ports promise plugin authors."""
        context = host.context()
        assert (context.plugin_id, context.version) == ("news", "1.2.0")
        assert repr(context) == "<context of news 1.2.0>"
        assert context.exit_stack is host.stack
        config: ConfigView = context.config
        events: Events = context.events
        tracer: Tracer = context.tracer
        assert config
        assert events
        assert tracer

    @pytest.mark.parametrize(
        ("used", "capability"),
        [("config", "config_access"), ("storage", "storage_access"), ("ai", "llm_access")],
    )
    def test_what_was_not_granted_is_denied(self, host: Host, used: str, capability: str) -> None:
        """Reading what was not granted names the manifest line to add, or the host's setting where it was asked for."""
        with pytest.raises(CapabilityDenied) as caught:
            getattr(host.context(Grants(Capabilities(), Capabilities())), used)
        assert (caught.value.plugin, caught.value.capability) == ("news", capability)
        assert caught.value.used == f"context.{used}"
        assert f"{capability} = true" in caught.value.hint
        with pytest.raises(CapabilityDenied) as caught:
            getattr(host.context(Grants(Capabilities(), ALL)), used)
        assert "[grants.news]" in caught.value.hint

    def test_a_plugin_can_ask_first(self, host: Host) -> None:
        """allows answers without raising, also for one host."""
        context = host.context(Grants(Capabilities(network=("example.org",), llm_access=True)))
        assert context.allows("llm_access")
        assert not context.allows("storage_access")
        assert context.allows("network", "example.org")
        assert not context.allows("network", "example.com")

    @pytest.mark.parametrize("port", ["storage", "ai"])
    def test_a_host_without_the_port_says_so(self, host: Host, port: str) -> None:
        """Where the host has no provider, what was granted is an unfilled port."""
        with pytest.raises(PortUnfilled) as caught:
            getattr(host.context(**{port: None}), port)
        assert caught.value.port == port

    async def test_storage_and_ai_follow_a_swap(self, host: Host) -> None:
        """What a plugin took from its context leads to the provider that is selected now."""
        context = host.context()
        storage, ai = context.storage, context.ai
        await storage.put("a", b"1")
        host.store = MemoryStorage(max_value_bytes=9)
        host.ai = MemoryAI("generated")
        assert await storage.get("a") is None
        assert storage.features.max_value_bytes == 9
        assert ai.features.generative
        assert context.storage is storage

    async def test_tokens_are_counted(self, host: Host) -> None:
        """The context says how many tokens were used, also without a limit."""
        host.ai = MemoryAI("one two")
        context = host.context()
        await context.ai.summarize(SummaryRequest(("A sentence.",)))
        assert context.tokens_used == 0
        await context.ai.complete(CompletionRequest((Message("user", "three"),)))
        assert context.tokens_used == 3
        assert await context.ai.count_tokens("one two") == 2


class TestEvents:
    async def test_handlers_wait_for_the_switch_and_leave_with_the_plugin(self, host: Host) -> None:
        """What a plugin registers while it is opened is in force from the switch to the end of its exit stack."""
        seen: list[str] = []
        async with host.stack:
            context = host.context()
            undo = context.events.on("event.news.page", lambda event: seen.append("undone"))
            context.events.on("event.news.page", lambda event: seen.append(event.data["url"]), priority=1)
            undo()
            await context.events.emit("page", {"url": "early"})
            host.staging.commit()
            await context.events.emit("page", {"url": "now"})
            assert host.hooks.registered() == [("event.news.page", "news", 1)]
        await context.events.emit("page", {"url": "late"})
        assert seen == ["now"]
        assert host.hooks.registered() == []

    async def test_listeners_see_who_emits(self, host: Host) -> None:
        """An event comes from its plugin; a listener that fails does not reach it, one that aborts does."""
        seen: list[HookEvent] = []
        host.hooks.on("event.news.page", lambda event: 1 / 0)  # type: ignore[arg-type, return-value]
        host.hooks.on("event.news.page", seen.append)
        context = host.context()
        await context.events.emit("page")
        assert [each.context.source for each in seen] == ["news"]
        host.hooks.on("event.news.page", lambda event: Abort("stop"), source="gate")
        with pytest.raises(HookAborted, match="stop"):
            await context.events.emit("page")

    async def test_a_plugin_emits_its_own_events_only(self, host: Host) -> None:
        """A name is appended to the plugin's own prefix, and has few characters to choose from."""
        with pytest.raises(HookInvalid):
            await host.context().events.emit("/other")


class TestConfig:
    VALUES: Mapping[str, Any] = {"path": "x", "limits": {"rate": 2, "a.b": {"c": 3}}, "dotted.key": 4, "none": None}

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("path", "x"),
            ("limits", {"rate": 2, "a.b": {"c": 3}}),
            ("limits.rate", 2),
            ("limits.a.b.c", 3),
            ("dotted.key", 4),
            ("none", None),
            ("limits.rates", "default"),
            ("path.deeper", "default"),
            ("missing.key", "default"),
            ("", "default"),
        ],
    )
    def test_settings_have_dotted_names(self, host: Host, key: str, value: object) -> None:
        """A dot leads into a table; what is not there is the default, and what is None is None."""
        assert host.context(config=self.VALUES).config.get(key, "default") == value

    def test_the_host_keeps_its_own(self) -> None:
        """What a plugin does to a value it read reaches nobody; no value shows in a log of the view."""
        values = {"hosts": ["a"], "api_key": "secret"}
        config = LiveConfig("news", values)
        config.get("hosts").append("b")
        values["hosts"].append("c")  # type: ignore[attr-defined]
        assert config.get("hosts") == ["a"]
        assert repr(config) == "<settings of news: api_key, hosts>"
        assert repr(LiveConfig("news", {})) == "<settings of news: none>"

    async def test_watchers_are_told(self, host: Host) -> None:
        """Watchers get the new settings in order, only after a real change, until they end or the plugin does."""
        seen: list[Any] = []
        async with host.stack:
            context = host.context(config={"rate": 1})
            assert not context.watches_config
            context.config.watch(lambda new: seen.append(("a", new["rate"], context.config.get("rate"))))
            assert context.watches_config
            end = context.config.watch(lambda new: seen.append(("b", new["rate"])))
            assert context.replace_config({"rate": 1}) == ()
            assert context.replace_config({"rate": 2}) == ()
            end()
            end()
            context.replace_config({"rate": 3})
        context.replace_config({"rate": 4})
        assert seen == [("a", 2, 2), ("b", 2), ("a", 3, 3)]

    def test_a_watcher_that_fails_is_reported(self, host: Host) -> None:
        """A watcher's error is logged without the settings in it, returned to the host, and stops no other."""
        seen: list[Any] = []
        logged: list[Any] = []
        context = host.context(config={"rate": 1})

        def broken(new: Mapping[str, Any]) -> None:
            raise ValueError(new["key"])

        context.config.watch(broken)
        context.config.watch(seen.append)
        sink = logger.add(lambda message: logged.append(message.record), level="WARNING")
        logger.enable("hotswap")
        try:
            (error,) = context.replace_config({"key": "secret"})
        finally:
            logger.remove(sink)
        assert isinstance(error, ValueError)
        assert seen == [{"key": "secret"}]
        assert [each["extra"]["plugin"] for each in logged] == ["news"]
        assert "secret" not in logged[0]["message"]

    def test_a_watcher_is_a_plain_function(self, host: Host) -> None:
        """A coroutine function, which nobody would await, is refused."""

        async def watcher(new: Mapping[str, Any]) -> None:
            await asyncio.sleep(0)

        with pytest.raises(TypeError, match="plain function"):
            host.context().config.watch(watcher)  # type: ignore[arg-type]
