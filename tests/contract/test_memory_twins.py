"""The in-memory twins keep the contracts of their ports."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap_ports.testing import (
    AIContract,
    FormatterContract,
    MemoryAI,
    MemoryFormatter,
    MemoryWorkflow,
    WorkflowContract,
)


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


class TestMemoryFormatter(FormatterContract):
    """As plain text."""

    @pytest.fixture
    def formatter(self) -> MemoryFormatter:
        return MemoryFormatter()


class TestMemoryWorkflow(WorkflowContract):
    """Which reports its inputs."""

    @pytest.fixture
    def workflow(self) -> MemoryWorkflow:
        return MemoryWorkflow()

    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        return {"words": ("heron",), "times": 2, "loud": True}
