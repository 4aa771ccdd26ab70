"""A plugin of pytest for ``faulty_suite``: what has failed one test of its class need not be put to the others."""

from __future__ import annotations

import pytest

_caught: set[type] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Skip the tests of a class that has failed, before anything is made for them."""
    if item.cls in _caught:
        pytest.skip("caught already")


def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[None]) -> None:
    """Note the class of a test that fails."""
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception) and item.cls is not None:
        _caught.add(item.cls)
