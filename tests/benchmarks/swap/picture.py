"""The picture of a swap: what callers saw of one, as it was measured, drawn as SVG."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from attrs import frozen

from tests.benchmarks.swap.load import Done, loaded
from tests.benchmarks.swap.ways import WAYS
from tests.benchmarks.swap.work import Provider, Work

CALLERS = 18
SHORTEST, LONGEST = 0.006, 0.030
SHOWN = 0.120
OLD, NEW = "alpha 1.0.0", "alpha 2.0.0"

LEFT, RIGHT, TOP, LANE = 84, 936, 92, 13
BOTTOM = TOP + CALLERS * LANE
STRIP = BOTTOM + 26
AXIS = STRIP + 52
HEIGHT = AXIS + 52
STYLE = """
    .page { fill: #ffffff } .title { fill: #10233f; font-size: 18px; font-weight: 600 }
    .text { fill: #3c4a5f; font-size: 13px } .in { fill: #ffffff; font-size: 12.5px; font-weight: 600 }
    .on-faint { fill: #10233f; font-size: 12.5px; font-weight: 600 }
    .line { stroke: #8593a8; stroke-width: 1 } .mark { stroke: #10233f; stroke-width: 1.3; stroke-dasharray: 4 3 }
    .old { fill: #2f6fb7 } .new { fill: #c2560a } .lane { fill: #f1f4f9 }
    .drains { fill: #b9d2ee } .opens { fill: #f3cfb0 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f1722 } .title { fill: #f0f5fd } .text { fill: #c3cede }
      .line { stroke: #5f6f88 } .mark { stroke: #f0f5fd } .lane { fill: #182334 }
      .old { fill: #4f8edb } .new { fill: #d97a2b } .drains { fill: #24446b } .opens { fill: #6b3a15 }
      .in { fill: #0f1722 } .on-faint { fill: #f0f5fd }
    }
"""


@frozen
class Recording:
    """One swap as it was measured; times in seconds of one clock."""

    calls: tuple[Done, ...]
    asked: float
    """When the new version was asked for."""
    switched: float
    """When the first call that went to the new one began."""
    drained: float
    """When the last call of the old one ended."""
    closed: float
    start: float
    """The moment at the left edge."""


async def record() -> Recording:
    """Upgrade a plugin while it is called, by calls of different lengths."""
    Provider.all.clear()
    source = random.Random(7)
    way = WAYS["upgrade and downgrade"]
    with tempfile.TemporaryDirectory(prefix="hotswap-swap-") as folder:
        async with way.kernel(Path(folder)) as kernel:
            handle = kernel.get(Work)
            await way.swap(kernel, 0)  # there and back: what is done once in a process is done
            await way.swap(kernel, 1)
            asked = 0.0

            async def swap(number: int) -> None:
                nonlocal asked
                asked = time.perf_counter()
                await way.swap(kernel, number)

            outcome = await loaded(
                lambda: handle.work(source.uniform(SHORTEST, LONGEST)), 0.3, callers=CALLERS, swap=swap, swaps=1
            )
    assert not outcome.failed + outcome.refused + outcome.retried, "the picture is of a swap that loses nothing"
    old = next(each for each in reversed(Provider.all) if each.label == OLD)
    switched = min(each.started for each in outcome.calls if each.label == NEW)
    return Recording(outcome.calls, asked, switched, old.last_end, old.closed_at, asked - 0.32 * SHOWN)


def svg(found: Recording) -> str:
    """Return the picture."""
    end = found.start + SHOWN
    calls = [each for each in found.calls if each.ended > found.start and each.started < end - SHOWN / 100]
    counts = {label: sum(each.label == label for each in calls) for label in (OLD, NEW)}
    title = f"A swap under load: {CALLERS} callers, {len(calls)} calls, none failed, none refused"
    text = (
        f"Each bar is one call. {counts[OLD]} were answered by version 1.0.0 and {counts[NEW]} by 2.0.0. Calls that "
        "were inside 1.0.0 at the switch ended there; then it was closed."
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {HEIGHT}" role="img" aria-labelledby="title text" '
        "font-family=\"system-ui, 'DejaVu Sans', sans-serif\">",
        f'  <title id="title">{escape(title)}</title>',
        f'  <desc id="text">{escape(text)}</desc>',
        f"  <style>{STYLE}  </style>",
        f'  <rect class="page" width="960" height="{HEIGHT}" rx="10"/>',
        _text(title, LEFT, 34, kind="title"),
        *_legend(),
        *_lanes(calls, found),
        *_strip(found),
        *_marks(found),
        *_axis(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(moment: float, found: Recording) -> float:
    share = (moment - found.start) / SHOWN
    return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 1)


def _bar(kind: str, since: float, until: float, y: float, height: float, found: Recording) -> str:
    left, right = _x(since, found), _x(until, found)
    width = max(1.0, round(right - left, 1))
    return f'  <rect class="{kind}" x="{left}" y="{y}" width="{width}" height="{height}" rx="2"/>'


def _text(text: str, x: float, y: float, anchor: str = "start", kind: str = "text") -> str:
    return f'  <text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend() -> Iterator[str]:
    for x, kind, text in ((LEFT, "old", "answered by 1.0.0"), (LEFT + 160, "new", "answered by 2.0.0")):
        yield f'  <rect class="{kind}" x="{x}" y="48" width="22" height="9" rx="2"/>'
        yield _text(text, x + 29, 57)


def _lanes(calls: Iterable[Done], found: Recording) -> Iterator[str]:
    yield f'  <g transform="translate(30 {(TOP + BOTTOM) / 2}) rotate(-90)">'
    yield f"  {_text('calls, one lane a caller', 0, 0, 'middle')}"
    yield "  </g>"
    for lane in range(CALLERS):
        yield f'  <rect class="lane" x="{LEFT}" y="{TOP + lane * LANE}" width="{RIGHT - LEFT}" height="9"/>'
    for each in calls:
        kind = "old" if each.label == OLD else "new"
        gap = SHOWN / (RIGHT - LEFT)  # one unit between a call and the next: they follow each other at once
        yield _bar(kind, each.started + gap, each.ended, TOP + each.caller * LANE, 9, found)


def _strip(found: Recording) -> Iterator[str]:
    end = found.start + SHOWN
    rows = (
        ("1.0.0", (("old", found.start, found.switched, "serves"), ("drains", found.switched, found.closed, "drains"))),
        ("2.0.0", (("opens", found.asked, found.switched, "opens"), ("new", found.switched, end, "serves"))),
    )
    for number, (name, bars) in enumerate(rows):
        y = STRIP + number * 22
        yield _text(name, LEFT - 10, y + 13, "end")
        for kind, since, until, text in bars:
            yield _bar(kind, since, until, y, 17, found)
            left, right = _x(since, found), _x(until, found)
            if right - left > 8 * len(text):
                yield _text(text, (left + right) / 2, y + 13, "middle", "in" if text == "serves" else "on-faint")


def _marks(found: Recording) -> Iterator[str]:
    marks = (
        (found.asked, "end", -4, "upgrade is asked for"),
        (found.switched, "start", 4, "switch"),
        (found.closed, "start", 4, "the last call has left: 1.0.0 is closed"),
    )
    for moment, anchor, shift, text in marks:
        x = _x(moment, found)
        yield f'  <path class="mark" d="M{x} {TOP - 16}V{AXIS}"/>'
        yield _text(text, x + shift, TOP - 9, anchor)


def _axis() -> Iterator[str]:
    yield f'  <path class="line" d="M{LEFT} {AXIS}H{RIGHT}"/>'
    for tick in range(0, int(SHOWN * 1000) + 1, 20):
        x = round(LEFT + (RIGHT - LEFT) * tick / (SHOWN * 1000), 1)
        yield f'  <path class="line" d="M{x} {AXIS}v5"/>'
        yield _text(str(tick), x, AXIS + 20, "middle")
    yield _text("time, milliseconds", (LEFT + RIGHT) / 2, AXIS + 40, "middle")


def draw() -> str:
    """Measure a swap and return the picture of it."""
    return svg(asyncio.run(record()))
