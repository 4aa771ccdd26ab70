"""All benchmarks: ``python -m tests.benchmarks [--quick]``. Exit code 1 when a bound breaks."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.benchmarks.rows import print_rows

NAMES = ("calls", "swaps", "hooks", "resolving", "catalog", "startup")


def main() -> int:
    """Run every benchmark in turn and print its rows."""
    quick = "--quick" in sys.argv
    kept = [print_rows(import_module(f"tests.benchmarks.{name}").measure(quick)) for name in NAMES]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
