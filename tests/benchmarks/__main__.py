"""All benchmarks: ``python -m tests.benchmarks [--quick]``. Exit code 1 when a bound breaks.

The quick form takes fewer rounds on smaller sets, beside whatever else runs: a bound may be passed by half.
"""

from __future__ import annotations

import sys
from importlib import import_module

from tests.benchmarks.rows import print_rows

NAMES = ("calls", "hooks", "resolving", "catalog", "startup", "trials", "swap")
"""``swap`` is last: its residue check leaves an audit hook in the process, which every call of ``id`` pays for."""


def main() -> int:
    """Run every benchmark in turn and print its rows."""
    quick = "--quick" in sys.argv
    room = 1.5 if quick else 1.0
    kept = [print_rows(import_module(f"tests.benchmarks.{name}").measure(quick), room) for name in NAMES]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
