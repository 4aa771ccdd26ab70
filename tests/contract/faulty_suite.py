"""Every faulty twin and broken adapter held to its port's contract; run by ``test_faulty``: each class has to fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings

# That one example is found is enough, and it is the same in every run.
settings.register_profile("faults", phases=[Phase.explicit, Phase.generate], derandomize=True)
settings.load_profile("faults")  # before the suites are loaded: they take what holds by then

from hotswap_ports.testing import (  # noqa: E402
    AIContract,
    FormatterContract,
    ScraperContract,
    SearchContract,
    StorageContract,
    ToolContract,
    WorkflowContract,
)
from hotswap_ports.testing.contracts.scraper import Site  # noqa: E402
from tests.contract import faulty  # noqa: E402
from tests.contract.breaks import breaks_by_module  # noqa: E402
from tests.contract.test_ai import server  # noqa: E402, F401 - a fixture of what is held there
from tests.contract.test_scraper import memory_pages, memory_site  # noqa: E402


def _held(contract: type, fixture: str, adapter: type, *given: Any) -> type:
    def made(self: object) -> Any:
        return adapter(*given)

    made.__name__ = fixture
    return type(f"Test{adapter.__name__}", (contract,), {fixture: pytest.fixture(made), "__doc__": adapter.__doc__})


class _Inputs(WorkflowContract):
    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        return {"words": ("heron",), "times": 2, "loud": True}


class _Arguments(ToolContract):
    @pytest.fixture
    def arguments(self) -> dict[str, Any]:
        return {"text": "heron", "times": 2, "tone": "formal", "tags": ["bird"]}


class _Site(ScraperContract):
    @pytest.fixture
    def site(self, scraper: Any) -> Site:
        return memory_site(scraper)


for each in faulty.STORAGES:
    globals()[f"Test{each.__name__}"] = _held(StorageContract, "storage", each)
for each in faulty.SEARCHES:
    globals()[f"Test{each.__name__}"] = _held(SearchContract, "search", each)
for each in faulty.AIS:
    globals()[f"Test{each.__name__}"] = _held(AIContract, "ai", each, "In the shallow river.")
for each in faulty.SCRAPERS:
    globals()[f"Test{each.__name__}"] = _held(_Site, "scraper", each, memory_pages())
for each in faulty.FORMATTERS:
    globals()[f"Test{each.__name__}"] = _held(FormatterContract, "formatter", each)
for each in faulty.WORKFLOWS:
    globals()[f"Test{each.__name__}"] = _held(_Inputs, "workflow", each)
for each in faulty.TOOLS:
    globals()[f"Test{each.__name__}"] = _held(_Arguments, "tool", each)
for breaks in breaks_by_module().values():
    globals().update({f"Test{each.name}": each.suite() for each in breaks})
