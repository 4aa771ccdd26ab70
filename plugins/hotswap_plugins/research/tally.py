"""What a run counted, and how it tells how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hotswap_ports import Progress, ProgressEvent

COUNTS = (
    "pages",
    "read",
    "unchanged",
    "summarised",
    "passages",
    "embedded",
    "indexed",
    "removed",
    "failed",
    "skipped",
)
"""``pages``: in the report, with ``passages`` in all. ``read``: fetched, with a text. ``unchanged``: nothing had to be
computed. ``summarised``: pages; ``embedded``, ``indexed``, ``removed``: passages. ``failed``: sources with a problem.
``skipped``: files and links without a text."""


class Tally:
    """Counts, and progress by step: ``read`` and ``summarise`` in pages, ``embed`` and ``index`` in passages, then
    ``overview`` and ``answer``.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._counts: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    @property
    def stats(self) -> Mapping[str, int]:
        """Return every count, zeros included."""
        return {name: self._counts[name] for name in COUNTS}

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        self._counts[name] += count

    def expect(self, step: str, count: int = 1) -> None:
        """Say that a step has more to do."""
        self._totals[step] += count
        self._tell(step)

    def done(self, step: str, count: int = 1, item: str = "") -> None:
        """Say that a part of a step is done."""
        self._done[step] += count
        self._tell(step, item)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell of a step that has one part."""
        self.expect(name)
        yield
        self.done(name)

    def _tell(self, step: str, item: str = "") -> None:
        if self._progress is not None:
            self._progress(ProgressEvent(step, self._done[step], self._totals[step], item))
