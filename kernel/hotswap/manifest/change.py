"""One thing that differs between two versions of a plugin, and how far a version has to go on for it."""

from __future__ import annotations

from enum import IntEnum

from attrs import frozen


class Step(IntEnum):
    """How far a version has to go on."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def label(self) -> str:
        """The word for it."""
        return self.name.lower()


@frozen
class Change:
    """One thing that differs."""

    step: Step
    text: str
