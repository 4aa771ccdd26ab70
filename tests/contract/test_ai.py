"""Every AI provider keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig
from hotswap_ports.testing import AIContract
from hotswap_ports.testing.contracts.ai_over_time import Reopen
from tests.integration.openai_server import CHAT_MODEL, EMBEDDING_MODEL, KEY, OpenAIServer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with serving(OpenAIServer()) as running:
        yield running


def reopening(adapter: type, config: Any) -> Reopen:
    """Return a function that closes a provider and opens another of its kind."""

    @asynccontextmanager
    async def reopen(ai: Any) -> AsyncIterator[Any]:
        await ai.__aexit__(None, None, None)
        async with adapter(config) as opened:
            yield opened

    return reopen


class TestExtractiveAI(AIContract):
    """With the best embedder there is."""

    CONFIG = ExtractiveConfig()

    @pytest.fixture
    async def ai(self) -> AsyncIterator[ExtractiveAI]:
        async with ExtractiveAI(self.CONFIG) as opened:
            yield opened

    @pytest.fixture
    def reopen(self) -> Reopen:
        return reopening(ExtractiveAI, self.CONFIG)


class TestExtractiveAIWithHashing(TestExtractiveAI):
    """With the embedder that is always there."""

    CONFIG = ExtractiveConfig(embedder="hashing")


class TestOpenAICompatibleAI(AIContract):
    """Over the wire, to a server on loopback."""

    @pytest.fixture
    def config(self, server: OpenAIServer) -> OpenAICompatibleConfig:
        return OpenAICompatibleConfig(
            api_key=KEY, base_url=server.url, model=CHAT_MODEL, embedding_model=EMBEDDING_MODEL, max_retries=0
        )

    @pytest.fixture
    async def ai(self, config: OpenAICompatibleConfig) -> AsyncIterator[OpenAICompatibleAI]:
        async with OpenAICompatibleAI(config) as opened:
            yield opened

    @pytest.fixture
    def reopen(self, config: OpenAICompatibleConfig) -> Reopen:
        return reopening(OpenAICompatibleAI, config)
