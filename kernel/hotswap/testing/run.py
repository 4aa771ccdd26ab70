"""What a test looks at when a workflow has run, or a tool was called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from hotswap.testing.checks import check
from hotswap_ports import ProgressEvent, Usage
from hotswap_ports.testing import Call

R = TypeVar("R")


@frozen
class Run(Generic[R]):
    """What came of a run of a workflow, or of a call of a tool."""

    result: R
    progress: tuple[ProgressEvent, ...] = ()
    calls: tuple[Call, ...] = field(default=(), repr=False)
    """What the plugin asked of the mocks meanwhile, in order."""
    tokens: Usage = field(factory=Usage)
    """What it used of the mocked AI."""

    def check(self, fields: Mapping[str, Any]) -> None:
        """Fail unless fields of the result are as wanted: ``{"confidence": within(0.7, 1), "value.total": 3}``."""
        check(self.result, fields)
