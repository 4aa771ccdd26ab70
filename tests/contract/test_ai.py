"""Every AI provider keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_adapters.ai.openai_compatible import OpenAICompatibleAI, OpenAICompatibleConfig
from hotswap_ports.testing import AIContract
from tests.integration.openai_server import CHAT_MODEL, EMBEDDING_MODEL, KEY, OpenAIServer, serving


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with serving(OpenAIServer()) as running:
        yield running


class TestExtractiveAI(AIContract):
    """With the best embedder there is."""

    @pytest.fixture
    async def ai(self) -> AsyncIterator[ExtractiveAI]:
        async with ExtractiveAI() as opened:
            yield opened


class TestExtractiveAIWithHashing(AIContract):
    """With the embedder that is always there."""

    @pytest.fixture
    async def ai(self) -> AsyncIterator[ExtractiveAI]:
        async with ExtractiveAI(ExtractiveConfig(embedder="hashing")) as opened:
            yield opened


class TestOpenAICompatibleAI(AIContract):
    """Over the wire, to a server on loopback."""

    @pytest.fixture
    async def ai(self, server: OpenAIServer) -> AsyncIterator[OpenAICompatibleAI]:
        config = OpenAICompatibleConfig(
            api_key=KEY, base_url=server.url, model=CHAT_MODEL, embedding_model=EMBEDDING_MODEL, max_retries=0
        )
        async with OpenAICompatibleAI(config) as opened:
            yield opened
