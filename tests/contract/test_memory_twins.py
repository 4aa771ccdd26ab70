"""The in-memory twins keep the contracts of their ports."""

from __future__ import annotations

import pytest

from hotswap_ports.testing import AIContract, MemoryAI


class TestMemoryAI(AIContract):
    """Without answers it refuses to generate."""

    @pytest.fixture
    def ai(self) -> MemoryAI:
        return MemoryAI()


class TestGenerativeMemoryAI(AIContract):
    """With answers it generates."""

    @pytest.fixture
    def ai(self) -> MemoryAI:
        return MemoryAI(answers=("In the shallow river.", "South."))
