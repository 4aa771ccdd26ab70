"""A trial as its owner sees it."""

from __future__ import annotations

from hotswap.trials.course import Course
from hotswap.trials.stats import Kind, TrialStats, Verdict


class Trial:
    """A candidate beside the provider in use. ``Kernel.select`` begins one; it is decided by itself, or is stopped."""

    def __init__(self, course: Course) -> None:
        self._course = course

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return str(self._course)

    @property
    def kind(self) -> Kind:
        """Return ``canary`` or ``shadow``."""
        return self._course.kind

    @property
    def port(self) -> str:
        """Return the name of the port."""
        return self._course.port

    @property
    def current(self) -> str:
        """Return the name of the provider in use when it began."""
        return self._course.current

    @property
    def candidate(self) -> str:
        """Return the name of the provider on trial."""
        return self._course.candidate

    @property
    def over(self) -> Verdict | None:
        """Return what came of it; None while it is under way."""
        return self._course.over

    def stats(self) -> TrialStats:
        """Return the numbers: as they are now, or as they were when it was over."""
        return self._course.stats()

    async def verdict(self) -> Verdict:
        """Wait until the trial is over, and return what came of it."""
        return await self._course.verdict()

    async def stop(self, reason: str = "it was asked to") -> Verdict:
        """End the trial: the provider in use stays. Returns the verdict, which may have been another one before.

        Calls that a shadow repeats just now have a second to come to their end; the rest is dropped.
        """
        self._course.decide("stopped", reason)
        return await self._course.verdict()
