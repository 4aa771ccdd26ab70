"""The page and the picture that a full run leaves in ``docs/``."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.benchmarks.swap.peers import DISTRIBUTIONS, present
from tests.benchmarks.swap.picture import draw
from tests.benchmarks.swap.section import Section, Table, shown

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "explanation" / "measurements.md"
PICTURE = DOCS / "swap.svg"
COMMAND = "uv run --group peers python -m tests.benchmarks.swap"
HEAD = """\
# Measurements

What the kernel promises, measured beside other libraries in one run. Each library is used the way its own documentation
says; `tests/benchmarks/swap/peers` has one module each. Ratios and counts carry over to other machines, milliseconds do
so roughly.

<!-- not run: it takes a quarter of an hour, and writes this page -->
```bash
{command}
```

{machine}. Versions: {versions}.

![A swap under load: calls over time, by the version that answered them](../swap.svg)
"""


def machine() -> str:
    """Return what is measured on."""
    return f"{os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"


def write(sections: Sequence[Section]) -> list[str]:
    """Write the page and the picture; return where."""
    PICTURE.write_text(draw(), "utf-8")
    PAGE.write_text(text(sections), "utf-8")
    return [str(each.relative_to(DOCS.parent)) for each in (PAGE, PICTURE)]


def text(sections: Sequence[Section]) -> str:
    """Return the page."""
    versions = ", ".join(f"{DISTRIBUTIONS[each]} {version}" for each, version in present().items())
    head = HEAD.format(command=COMMAND, machine=machine(), versions=versions)
    return head + "".join(f"\n{part}\n" for each in sections for part in _section(each))


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield section.text
    yield _table(Table(("bound", "at most", "measured"), [_line(each) for each in section.rows]))
    for each in section.tables:
        yield _table(each)


def _line(row: Row) -> list[str]:
    broken = "" if row.ratio <= row.bound else " (not held)"
    return [row.name, shown(row.bound), f"{shown(row.ratio)}{broken}"]


def _table(table: Table) -> str:
    rule = ["---", *("---:" for _ in table.head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (table.head, rule, *table.lines))
