"""What the program's start costs, as a ratio to ``python -c pass``.

CPU time of whole processes (user and system, from ``wait4``), the cases interleaved with the base, medians of the ratio
of neighbours. Byte code is kept in a folder of the benchmark's own and written before anything is measured, as it is
for any installed program. Run it with ``python -m tests.benchmarks.startup``; ``--quick`` takes fewer rounds.

"fastapi beside it" puts packages on the path that are slow to import, named as those that dependency-injector imports
when it finds them; the end-to-end tests show by ``-X importtime`` that none of them is touched.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.rows import Row, print_rows

BESIDE = ("fastapi", "starlette", "werkzeug", "pydantic_settings", "fast_depends")
SLOW = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end:\n    pass\n"
PASS = ("-c", "pass")
HELP = ("-m", "hotswap", "--help")
GROUP_HELP = ("-m", "hotswap", "plugin", "--help")
LIST = ("-m", "hotswap", "plugin", "list")


def measure(quick: bool) -> list[Row]:
    """Take the ratios in one run."""
    rounds = 7 if quick else 21
    with tempfile.TemporaryDirectory(prefix="hotswap-startup-") as folder:
        root = Path(folder)
        beside = _packages(root / "beside")
        lean = _environment(root)
        full = {**lean, "PYTHONPATH": os.pathsep.join(filter(None, (str(beside), lean.get("PYTHONPATH"))))}
        return [
            Row("hotswap --help / python -c pass", _ratio(HELP, lean, lean, rounds), 5.0),
            Row("hotswap --help / python -c pass, fastapi beside it", _ratio(HELP, full, full, rounds), 5.0),
            Row("hotswap plugin --help (by click) / python -c pass", _ratio(GROUP_HELP, lean, lean, rounds), 8.0),
            Row("hotswap plugin list / python -c pass", _ratio(LIST, lean, lean, rounds), 18.0),
        ]


def _environment(root: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONDONTWRITEBYTECODE"}}
    places = {"HOTSWAP_HOME": str(root), "HOTSWAP_CACHE": str(root / "cache")}
    return {**kept, **places, "PYTHONPYCACHEPREFIX": str(root / "bytecode")}


def _packages(folder: Path) -> Path:
    for name in BESIDE:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(SLOW, "utf-8")
    return folder


def _ratio(case: Sequence[str], case_environment: Mapping[str, str], environment: Mapping[str, str], n: int) -> float:
    """Return the median over ``n`` rounds of the case's CPU time by the mean of its two neighbouring base runs."""
    _spent(case, case_environment)
    _spent(case, case_environment)
    found = []
    for _ in range(n):
        before = _spent(PASS, environment)
        middle = _spent(case, case_environment)
        after = _spent(PASS, environment)
        found.append(2 * middle / (before + after))
    return statistics.median(found)


def _spent(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the CPU seconds of one process."""
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = [sys.executable, *arguments]
    child = os.posix_spawn(command[0], command, dict(environment), file_actions=nowhere)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise AssertionError(f"{' '.join(arguments)} ended with status {status}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(0 if print_rows(measure("--quick" in sys.argv)) else 1)
