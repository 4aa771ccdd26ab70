"""Every workflow keeps the contract of its port."""

from __future__ import annotations

from typing import Any

import pytest

from hotswap_plugins.research import Research
from hotswap_ports.testing import WorkflowContract
from tests.research_twins import Bench

HERONS = "Herons wade in shallow rivers. They wait for fish. A heron stands still for an hour."
TRAINS = "Trains leave the station at noon. The locomotive burns coal. Passengers read newspapers."


class TestResearch(WorkflowContract):
    """Over twins in memory."""

    @pytest.fixture
    def bench(self) -> Bench:
        made = Bench()
        made.put("https://h.example/", HERONS, "https://h.example/nest", "https://other.example/", title="Herons")
        made.put("https://h.example/nest", "Herons nest in tall trees.", title="Nests")
        made.put("https://t.example/", TRAINS, title="Trains")
        return made

    @pytest.fixture
    def workflow(self, bench: Bench) -> Research:
        return bench.research()

    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        return {"sources": ("https://h.example/", "https://t.example/"), "ask": "What do herons wait for?"}

    @pytest.fixture
    def partly(self) -> dict[str, Any]:
        return {"sources": ("https://h.example/", "https://gone.example/", "gopher://t.example/")}

    @pytest.fixture
    def hopeless(self) -> dict[str, Any]:
        return {"sources": ("https://gone.example/", "https://also-gone.example/")}
