"""Every AI provider keeps the contract of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hotswap_adapters.ai.extractive import ExtractiveAI, ExtractiveConfig
from hotswap_ports.testing import AIContract


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
