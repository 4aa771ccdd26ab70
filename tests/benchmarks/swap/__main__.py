"""Measures, prints, and after a full run writes the page and the picture. Exit code 1 when a bound breaks."""

from __future__ import annotations

import sys

from tests.benchmarks.rows import print_rows
from tests.benchmarks.swap import PARTS, sections
from tests.benchmarks.swap.page import machine, write
from tests.benchmarks.swap.peers import DISTRIBUTIONS, missing, present
from tests.benchmarks.swap.section import Table


def main(arguments: list[str]) -> int:
    """Run the parts that are named, or all."""
    quick, named = "--quick" in arguments, [each for each in arguments if not each.startswith("-")]
    unknown = [each for each in named if each not in PARTS]
    if unknown:
        print(f"There is no part {unknown[0]!r}; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    print(f"{machine()}; {', '.join(f'{DISTRIBUTIONS[each]} {version}' for each, version in present().items())}")
    if missing():
        print(f"Not installed, so left out: {', '.join(missing())}. `uv run --group peers` brings them.")
    held, found = True, []
    for section in sections(quick, named or PARTS):
        print(f"\n{section.title}")
        held = print_rows(section.rows) and held
        for table in section.tables:
            print_table(table)
        found.append(section)
    if not quick and not named:
        for path in write(found):
            print(f"Wrote {path}.")
    return 0 if held else 1


def print_table(table: Table) -> None:
    """Print a table in columns."""
    lines = [table.head, *table.lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    print()
    for line in lines:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
