"""The port ``tool``: arguments in, a value out; what a model, or a person, may call by its description."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import field, frozen

from hotswap_ports.port import Port


def _no_arguments() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "additionalProperties": False}


@frozen
class ToolFeatures:
    """What a tool is for, and what it takes."""

    description: str = ""
    """What a model or a person reads to decide whether to call it."""
    parameters: Mapping[str, Any] = field(factory=_no_arguments)
    """JSON Schema (draft 2020-12) of the arguments, always of ``type: object``; by default it takes none."""
    read_only: bool = False
    """Whether a call changes nothing outside, so that a caller may make it without asking."""


@frozen
class ToolResult:
    """What a call came to."""

    value: Any
    """JSON: None, bool, int, float, str, list, or dict with text keys. It belongs to the caller."""
    text: str = ""
    """The same in words, for a model or a reader."""
    confidence: float | None = None
    """0 to 1; None: it does not say."""


class Tool(Port):
    """One thing that can be done. ``kernel.all(Tool)`` is what is offered to a model: each provider is one tool."""

    PORT: ClassVar[str] = "tool"
    VERSION: ClassVar[str] = "1.0.0"

    features: ToolFeatures = ToolFeatures()

    @abstractmethod
    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Do it. ``arguments`` are JSON, by name, and are left unchanged.

        Raises:
            InvalidRequest: an argument is missing, unknown or does not fit ``features.parameters``; it is named.
            PortError: it could not be done.
        """
